# The recipes of this project. `just` lists them.

# The default: what can be run.
[private]
default:
    @just --list

# All that has to hold before a change goes in.
ci:
    .ci/run

# All tests, each in a process of its own.
test *args:
    cargo nextest run --locked {{ args }}

# Format, and mend what clippy can mend.
fix:
    cargo clippy --fix --all-targets --locked --allow-dirty
    cargo fmt

# Write the generated documents anew.
docs:
    UPDATE_DOCS=1 cargo test --locked --test it pages::

# Write anew what the fixtures come to.
fixtures:
    UPDATE_FIXTURES=1 cargo test --locked --test it profiles::

# Histories, kills and faults against a relay of its own; then a verdict.
soak minutes="5":
    cargo run --release --locked -- soak --minutes {{ minutes }}

# Figures of this machine, as ratios (docs/PERFORMANCE.md).
bench *args:
    cargo run --release --locked -- bench {{ args }}

# What takes hours: 20,000 power cuts, a million histories in any order, a million short ones in each of their orders, a long soak, a
# hostile one, and each fuzz target for half an hour (needs nightly and cargo-fuzz).
long:
    POWER_CUTS=20000 cargo test --release --locked --test relay power_cuts
    PROPTEST_CASES=500000 cargo test --release --locked --lib families_end_the_same_in_any_order_on_the_core
    HISTORIES=1000000 PROPTEST_RNG_SEED=$RANDOM cargo test --release --locked --lib few_steps -- --nocapture
    PROPTEST_CASES=250000 cargo test --release --locked --lib properties::
    cargo run --release --locked -- soak --minutes 120
    cargo run --release --locked -- soak --hostile --minutes 60
    fuzz/run.sh 1800
