#!/bin/sh
# Builds the contenders of `make bench` into build/bench, with the library in build/lib and the
# header in include.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/bench
flags="-std=gnu11 -O2 -Wall -Wextra -pthread"
${CC:-gcc} -O2 -static -nostdlib -o build/bench/nothing tests/bench/nothing.c
# shellcheck disable=SC2086
${CC:-gcc} -std=gnu11 -Wall -Wextra -O2 -static -nostdlib -ffreestanding -fno-stack-protector \
    -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns \
    -Wl,-z,noseparate-code -Wl,--build-id=none -s -o build/bench/safe_helper tests/bench/safe_helper.c
for name in limit safe fork tool scan crowd; do
    # shellcheck disable=SC2086
    ${CC:-gcc} $flags -o build/bench/$name tests/bench/$name.c
done
for name in ours_c list enter; do
    # shellcheck disable=SC2086
    ${CC:-gcc} $flags -Iinclude -o build/bench/$name tests/bench/$name.c -Lbuild/lib -lnsiso -Wl,-rpath,'$ORIGIN/../lib'
done
cargo build --release --quiet -p nsiso-bench
install -m 755 target/release/bench-rust build/bench/rust
