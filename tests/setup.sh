#!/bin/sh
# Installs the packages that a minimal Debian lacks for building and testing. Needs root only if one
# is missing. With the argument lint or bench it installs what that command needs, too.
set -eu

missing=""
need() { # need PACKAGE COMMAND
    command -v "$2" >/dev/null 2>&1 || missing="$missing $1"
}
need gcc gcc
need g++ g++
need python3 /usr/bin/python3
need strace strace
need uidmap newuidmap
need procps ps
need iproute2 ip
need util-linux unshare
need binutils objdump
need bubblewrap bwrap
need hostname hostname
need passt pasta
need curl curl
need pkg-config pkg-config
need valgrind valgrind
need man-db man
need mandoc mandoc
need cmake cmake
need qemu-user-static "qemu-$(uname -m)-static"
[ "${1:-}" != lint ] || need doxygen doxygen
if [ "${1:-}" = bench ]; then
    need crun crun
    need runc runc
fi
/usr/bin/python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"

[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ]; then
    echo "missing packages:$missing (as root: apt-get install$missing)" >&2
    exit 1
fi
echo "Installing packages, which may take a minute:$missing"
apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
