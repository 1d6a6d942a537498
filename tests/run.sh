#!/bin/sh
# Every test: the Rust ones, the C programs and the Python ones, as the calling user and, if that is
# root, once more as an ordinary user.
set -eu
cd "$(dirname "$0")/.."

ordinary() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp TMPDIR=/tmp \
        setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

# Runs a command as the calling user and as an ordinary one.
both() {
    "$@" || return # of itself, as `set -e` does nothing before an ||
    if [ "$(id -u)" = 0 ]; then
        echo "--- as an ordinary user: $1"
        ordinary "$@"
    fi
}

rust_tests() { # rust_tests DIRECTORY [FLAG]: builds into DIRECTORY, which others can read
    RUSTFLAGS="${2:-}" cargo test --quiet --no-run -p nsiso --target-dir "$1" --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' |
        while read -r binary; do both "$binary" --quiet </dev/null || exit 1; done
}

cargo test --quiet -p nsiso --doc
cargo test --quiet -p nsiso-capi
rust_tests target
echo "--- without assembly: clone(2) and the C library's syscall()"
rust_tests target/portable "--cfg nsiso_portable"

for program in build/tests/*; do
    [ -x "$program" ] || continue
    echo "--- $program"
    both "$program"
done

both build/venv/bin/python -m pytest -q -p no:cacheprovider tests/python tests/e2e
