#!/bin/sh
# Runs every test (in Rust, C and Python) as the calling user and, if that is root, once more as an
# ordinary user.
set -eu
cd "$(dirname "$0")/.."

ordinary() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp TMPDIR=/tmp \
        setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

# Runs a command as the calling user and, if that is root, as an ordinary user.
both() {
    "$@" || return # explicit, because `set -e` has no effect before an ||
    if [ "$(id -u)" = 0 ]; then
        echo "--- as an ordinary user: $1"
        ordinary "$@"
    fi
}

cargo test --quiet -p nsiso --features schema --doc
cargo test --quiet -p nsiso-capi
cargo test --quiet --no-run -p nsiso --features schema --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' |
    while read -r binary; do both "$binary" --quiet </dev/null || exit 1; done

for program in build/tests/*; do
    [ -x "$program" ] || continue
    echo "--- $program"
    both "$program"
done

both build/venv/bin/python -m pytest -q -p no:cacheprovider tests/python tests/e2e tests/security
