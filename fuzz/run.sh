#!/usr/bin/env bash
# Runs each fuzz target for some seconds (30, or the first argument). It starts from the seeds that are kept in fuzz/seeds, from
# the project's fixtures, and from what earlier runs found, which stays in fuzz/corpus. With --minimise it then keeps of that
# only what reaches something of its own. Needs a nightly toolchain and cargo-fuzz; CARGO_FUZZ may say where that is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

minimise=
if [[ "${1:-}" == --minimise ]]; then
    minimise=yes
    shift
fi
readonly minimise seconds="${1:-30}"
readonly targets=(verify normalise profile xml form challenge)
fuzz="${CARGO_FUZZ:-cargo-fuzz}"

# The test that feeds the fixtures to the targets writes them as seeds: nothing but the tests knows how fixtures are laid out.
readonly seeds="$PWD/target/fuzz-seeds"
rm -rf "$seeds"
for target in "${targets[@]}"; do
    mkdir -p "$seeds/$target" "fuzz/corpus/$target"
done
FUZZ_SEEDS="$seeds" cargo test --locked --test it fuzzing::every_fixture_is_an_input_that_its_target_survives
for target in "${targets[@]}"; do
    if [[ -z "$(ls -A "$seeds/$target")" ]]; then
        printf -- 'no seeds for %s in %s\n' "$target" "$seeds" >&2
        exit 1
    fi
done

# What is looked for are panics: the relay has no unsafe code, so no sanitizer is needed to see what goes wrong.
RUSTUP_TOOLCHAIN=nightly "$fuzz" build --sanitizer none
for target in "${targets[@]}"; do
    log="target/fuzz-$target.log"
    printf -- 'fuzzing %s for %s s, log in %s\n' "$target" "$seconds" "$log"
    if ! RUSTUP_TOOLCHAIN=nightly "$fuzz" run --sanitizer none "$target" \
        "fuzz/corpus/$target" "fuzz/seeds/$target" "$seeds/$target" -- \
        -max_total_time="$seconds" -max_len=40000 -timeout=10 -rss_limit_mb=2048 >"$log" 2>&1; then
        tail -n 50 "$log"
        exit 1
    fi
    grep '^Done' "$log"
    if [[ -n "$minimise" ]]; then
        RUSTUP_TOOLCHAIN=nightly "$fuzz" cmin --sanitizer none "$target" "fuzz/corpus/$target" >>"$log" 2>&1
    fi
done
