#!/usr/bin/env bash
# Runs each fuzz target for some seconds (30, or the first argument), from the project's fixtures as seeds. Needs a nightly
# toolchain and cargo-fuzz; CARGO_FUZZ may say where that is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly seconds="${1:-30}"
fuzz="${CARGO_FUZZ:-cargo-fuzz}"

# A seed is a byte that chooses the profile, for verify header lines and an empty line, and a body; for profile a
# profile's text.
seeds=target/fuzz-seeds
rm -rf "$seeds"
mkdir -p "$seeds"/{verify,normalise,profile} fuzz/corpus/{verify,normalise,profile}
number=0
for text in src/psp/profiles/*.toml; do
    profile="$(basename "$text" .toml)"
    printf -v choice '\\x%02x' "$number"
    for fixture in fixtures/"$profile"/{,vectors/,fetched/}*.{json,form,xml}; do
        [[ -f "$fixture" ]] || continue
        name="$profile-$(basename "$fixture")"
        { printf '%b' "$choice"; cat "$fixture"; } >"$seeds/normalise/$name"
        { printf '%b' "$choice"; printf 'stripe-signature: t=1700000000,v1=00\n\n'; cat "$fixture"; } >"$seeds/verify/$name"
    done
    cp "$text" "$seeds/profile/$profile"
    number=$((number + 1))
done

# What is looked for are panics: the relay has no unsafe code, so no sanitizer is needed to see what goes wrong.
RUSTUP_TOOLCHAIN=nightly "$fuzz" build --sanitizer none
for target in verify normalise profile; do
    log="target/fuzz-$target.log"
    printf -- 'fuzzing %s for %s s, log in %s\n' "$target" "$seconds" "$log"
    if ! RUSTUP_TOOLCHAIN=nightly "$fuzz" run --sanitizer none "$target" "fuzz/corpus/$target" "$seeds/$target" -- \
        -max_total_time="$seconds" -max_len=40000 -timeout=10 -rss_limit_mb=2048 >"$log" 2>&1; then
        tail -n 50 "$log"
        exit 1
    fi
    grep '^Done' "$log"
done
