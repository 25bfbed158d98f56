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

# A fixture as it is sent: Braintree's XML stands in Base64 in a form.
body() {
    if [[ "$1" == braintree && "$2" == *.xml ]]; then
        printf 'bt_payload='
        base64 "$2" | tr -d '\n' | sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g'
    else
        cat "$2"
    fi
}

# A seed is a line with the profile's name, for verify header lines and an empty line, and a body; for profile a profile's
# text, for xml and form the body alone.
seeds=target/fuzz-seeds
rm -rf "$seeds"
for target in "${targets[@]}"; do
    mkdir -p "$seeds/$target" "fuzz/corpus/$target"
done
for text in src/psp/profiles/*.toml; do
    profile="$(basename "$text" .toml)"
    for fixture in fixtures/"$profile"/{,vectors/,fetched/}*.{json,form,xml}; do
        [[ -f "$fixture" ]] || continue
        name="$profile-$(basename "$fixture")"
        { printf '%s\n' "$profile"; body "$profile" "$fixture"; } >"$seeds/normalise/$name"
        { printf '%s\nstripe-signature: t=1700000000,v1=00\n\n' "$profile"; body "$profile" "$fixture"; } \
            >"$seeds/verify/$name"
        case "$fixture" in
            *.xml | *.form) cp "$fixture" "$seeds/${fixture##*.}/$name" ;;
        esac
    done
    { printf '%s\n' "$profile"; printf '20f9f8ed05f77439fe955c977e4c8a53'; } >"$seeds/challenge/$profile"
    cp "$text" "$seeds/profile/$profile"
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
