#!/bin/sh
# Gets a kernel of Debian: `sh kernel.sh SERIES FOLDER` writes vmlinuz-SERIES and
# modules-SERIES.cpio to FOLDER.
#
# The packages come from the suites that this machine's apt knows, else from other suites of Debian,
# whose lists are kept in FOLDER too. If there is no package, it prints the reason.
set -eu
series=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
[ ! -e "$folder/vmlinuz-$series" ] || exit 0

# Prints the name of the newest package of the series.
newest() { # newest [OPTION...]
    apt-cache "$@" search --names-only "^linux-image-$(echo "$series" | sed 's/\./\\./g')[.-][0-9a-z.+-]*-amd64\$" |
        cut -d' ' -f1 | grep -v -e -rt- -e -cloud- -e -unsigned | sort -V | tail -n 1
}

package=$(newest)
if [ -z "$package" ]; then
    apt=$folder/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    # Use the mirror that this machine uses.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' | sed -n 's,/debian/$,,p' | head -n 1)
    [ -n "$mirror" ] || { echo "skipped: this machine's apt knows no mirror of Debian"; exit 1; }
    for suite in debian-security/bullseye-security debian/bullseye debian/bookworm debian/sid; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror/${suite%/*} ${suite#*/} main"
    done > "$apt/sources.list"
    set -- -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    [ -e "$apt/updated" ] || { apt-get "$@" update -qq >"$apt/log" 2>&1 && touch "$apt/updated"; } ||
        { echo "skipped: the lists of other suites of Debian cannot be had: $(tail -n 1 "$apt/log")"; exit 1; }
    package=$(newest "$@")
    [ -n "$package" ] || { echo "skipped: no package of Linux $series is in this machine's lists nor in bullseye, bookworm or sid"; exit 1; }
else
    set --
fi

work=$folder/work-$series
rm -rf "$work"
mkdir -p "$work/modules"
# Newer packages keep the kernel and the modules in packages that they depend on.
parts=$(apt-cache "$@" depends "$package" | sed -n 's/^ *Depends: \(linux-\(binary\|modules\)-.*\)/\1/p')
# shellcheck disable=SC2086
(cd "$work" && apt-get "$@" download -qq "$package" $parts 2>log) ||
    { echo "skipped: $package cannot be fetched: $(tail -n 1 "$work/log")"; exit 1; }
# Extract only the modules that the tests need: disks, overlays, networks.
for file in "$work"/*.deb; do
    dpkg-deb --fsys-tarfile "$file" | tar -x -C "$work" --wildcards '*/vmlinuz*' '*/drivers/virtio/virtio*.ko*' \
        '*/block/virtio_blk.ko*' '*/overlayfs/overlay.ko*' '*/net/veth.ko*' '*/net/bridge/bridge.ko*' '*/802/stp.ko*' '*/llc/llc.ko*' \
        '*/sched/sch_netem.ko*' '*/sched/sch_tbf.ko*' 2>/dev/null || true
done
find "$work" -name '*.ko*' -exec mv {} "$work/modules" \;
find "$work/modules" -name '*.xz' -exec busybox unxz {} \;
(cd "$work" && find modules | cpio --quiet -o -H newc) > "$folder/modules-$series.cpio"
kernel=$(find "$work" -type f -name 'vmlinuz*' | head -n 1)
[ -n "$kernel" ] || { echo "skipped: there is no kernel in $package $parts"; exit 1; }
mv "$kernel" "$folder/vmlinuz-$series"
rm -rf "$work"
