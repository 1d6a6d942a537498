#!/bin/sh
# Runs the same commands outside and inside namespaces that libnsiso creates.
set -eu
cd "$(dirname "$0")/.."

questions='
echo "id:        $(id -un 2>/dev/null || id -u) (uid $(id -u), gid $(id -g))"
echo "host name: $(hostname)"
echo "uptime:    $(cut -d. -f1 /proc/uptime) s"
echo "network:   $(tail -n +3 /proc/net/dev | cut -d: -f1 | xargs)"
echo "processes: $(ls /proc | grep -c "^[0-9]*$")"
'
isolated() {
    $1 build/venv/bin/python - "$questions
echo; ps -ef" <<'PYTHON'
import sys, nsiso
nsiso.run(["sh", "-s"], input=sys.argv[1], text=True, check=True,
          user=True, pid=True, mnt=True, net=True, ipc=True, uts=True, time=True, cgroup=True,
          map_root=True, mount_proc=True, hostname="inside", boottime=1_000_000)
PYTHON
}

echo "=== outside"
sh -c "$questions"
echo
echo "=== inside, through libnsiso from Python: all eight namespaces, the clock a million seconds ahead"
isolated ""
echo
if [ "$(id -u)" = 0 ]; then
    echo "=== the same, started by an ordinary user"
    isolated "setpriv --reuid 65534 --regid 65534 --clear-groups"
    echo
fi
echo "=== from C: unshare --user --pid --map-root-user --mount-proc --fork"
build/bin/unshare --user --pid --map-root-user --mount-proc --fork sh -c 'id -u; ps -ef'
