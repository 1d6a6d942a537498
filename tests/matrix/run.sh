#!/bin/sh
# The tests of spawning, listing, joining and limits under other kernels, each in a virtual machine without hardware help: with limits
# by version 2 of cgroups, which many a build machine cannot show.
#
#   sh tests/matrix/run.sh [SERIES...]     kernels of Debian's, such as 6.1 6.12 (the default)
set -eu
cd "$(dirname "$0")/../.."
work=build/matrix
mkdir -p "$work/root/bin" "$work/root/tests" "$work/root/etc" "$work/root/lib" "$work/root/lib64" "$work/kernels"

need() { # need PACKAGE COMMAND
    command -v "$2" >/dev/null 2>&1 || missing="${missing:-} $1"
}
need qemu-system-x86 qemu-system-x86_64
need busybox-static busybox
need cpio cpio
if [ -n "${missing:-}" ]; then
    apt-get update -qq || true
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        { echo "skipped: no virtual machine, since$missing cannot be installed here"; exit 0; }
fi

# Programs without libraries: the machine has none.
RUSTFLAGS="-C target-feature=+crt-static" cargo test --quiet --no-run -p nsiso --tests --target x86_64-unknown-linux-gnu \
    --target-dir target/matrix --message-format=json |
    sed -n 's/.*"name":"\(spawn\|list\|join\|limits\)".*"executable":"\([^"]*\)".*/\1 \2/p' |
    while read -r name binary; do cp "$binary" "$work/root/tests/$name"; done
cp "$(command -v busybox)" "$work/root/bin/busybox"
for applet in $("$work/root/bin/busybox" --list); do
    [ "$applet" = busybox ] || ln -sf busybox "$work/root/bin/$applet"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n' > "$work/root/etc/passwd"
printf 'root:x:0:\nnobody:x:65534:\n' > "$work/root/etc/group"
install -m 755 tests/matrix/init "$work/root/init"
(cd "$work/root" && find . | cpio --quiet -o -H newc | gzip -1) > "$work/root.cpio.gz"

failed=""
for series in "${@:-6.1 6.12}"; do
    for version in $series; do
        kernel=$(ls "$work"/kernels/vmlinuz-"$version".* "$work"/kernels/vmlinuz-"$version"-* 2>/dev/null | head -n 1 || true)
        if [ -z "$kernel" ]; then
            # The newest of the series.
            package=$(apt-cache search --names-only "^linux-image-$(echo "$version" | sed 's/\./\\./')[.-][0-9a-z.+-]*-amd64\$" | cut -d' ' -f1 | grep -v -e -rt- -e -cloud- | sort -V | tail -n 1)
            [ -n "$package" ] || { echo "skipped: no package of Linux $version is to be had"; continue; }
            (cd "$work/kernels" && apt-get download -qq "$package" 2>/dev/null && dpkg-deb --fsys-tarfile "$package"_*.deb | tar -x --wildcards --strip-components=2 './boot/vmlinuz-*' && rm -f "$package"_*.deb) ||
                { echo "skipped: $package cannot be fetched"; continue; }
            kernel=$(ls "$work"/kernels/vmlinuz-"$version".* "$work"/kernels/vmlinuz-"$version"-* 2>/dev/null | head -n 1)
        fi
        echo "--- $kernel"
        timeout 600 qemu-system-x86_64 -accel tcg -cpu max -smp 2 -m 1500 -nographic -no-reboot -kernel "$kernel" -initrd "$work/root.cpio.gz" \
            -append "console=ttyS0 quiet panic=-1" </dev/null | tr -d '\r' | tee "$work/log-$version"
        grep -q '^MATRIX ok' "$work/log-$version" || failed="$failed $version"
    done
done
[ -z "$failed" ] || { echo "failed under Linux$failed"; exit 1; }
