#!/bin/sh
# Runs the tests of spawning, listing, joining, networks, file system views, sandboxes and limits
# under other kernels, each in a virtual machine without hardware acceleration. There, cgroup v2
# enforces the limits, which many build machines do not offer.
#
#   sh tests/matrix/run.sh [SERIES...]     kernels of Debian: by default 5.10 6.1 6.12 and newest 7
set -eu
cd "$(dirname "$0")/../.."
work=build/matrix
rm -rf "$work/root"
mkdir -p "$work/root/bin" "$work/root/tests" "$work/root/etc" "$work/root/lib" "$work/root/lib64"

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

# Static programs, because the virtual machine has no libraries.
RUSTFLAGS="-C target-feature=+crt-static" cargo test --quiet --no-run -p nsiso --tests --target x86_64-unknown-linux-gnu \
    --target-dir target/matrix --message-format=json |
    sed -n 's/.*"name":"\(spawn\|list\|join\|net\|rootfs\|sandbox\|limits\)".*"executable":"\([^"]*\)".*/\1 \2/p' |
    while read -r name binary; do cp "$binary" "$work/root/tests/$name" && strip "$work/root/tests/$name"; done
cp "$(command -v busybox)" "$work/root/bin/busybox"
for applet in $("$work/root/bin/busybox" --list); do
    [ "$applet" = busybox ] || ln -sf busybox "$work/root/bin/$applet"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n' > "$work/root/etc/passwd"
printf 'root:x:0:\nnobody:x:65534:\n' > "$work/root/etc/group"
install -m 755 tests/matrix/init "$work/root/init"
(cd "$work/root" && find . | cpio --quiet -o -H newc) > "$work/root.cpio"

failed=""
[ $# -gt 0 ] || set -- 5.10 6.1 6.12 7
for series in "$@"; do
    echo "--- Linux $series"
    sh tests/matrix/kernel.sh "$series" "$work/kernels" || continue
    cat "$work/root.cpio" "$work/kernels/modules-$series.cpio" | gzip -1 > "$work/initrd-$series"
    started=$(date +%s)
    # Two emulated processors may crash when the kernel patches its own code: then try again.
    for attempt in 1 2; do
        # One disk for the tests to overwrite, one for swap.
        truncate -s 64M "$work/disk-$series"
        truncate -s 512M "$work/swap-$series"
        timeout 900 qemu-system-x86_64 -accel tcg -cpu max -smp 2 -m 1500 -nic none -nographic -no-reboot \
            -kernel "$work/kernels/vmlinuz-$series" -initrd "$work/initrd-$series" -append "console=ttyS0 quiet panic=-1" \
            -drive "file=$work/disk-$series,if=virtio,format=raw" -drive "file=$work/swap-$series,if=virtio,format=raw" \
            </dev/null | sed -u 's/\r//' | tee "$work/log-$series"
        grep -q 'Kernel panic' "$work/log-$series" || break
    done
    rm "$work/initrd-$series" "$work/disk-$series" "$work/swap-$series"
    grep -q '^MATRIX ok' "$work/log-$series" && outcome=ok || { outcome="not ok" && failed="$failed $series"; }
    echo "--- Linux $series: $outcome after $(($(date +%s) - started)) s"
done
[ -z "$failed" ] || {
    # Repeat the failures, because often only the end of a log is kept.
    for series in $failed; do
        echo "--- failed under Linux $series:"
        sed -n '/^FAILED/,/^ok/p; /^MATRIX/p' "$work/log-$series" | grep . || tail -n 40 "$work/log-$series"
    done
    exit 1
}
