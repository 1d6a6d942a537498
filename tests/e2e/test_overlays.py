"""Tests overlays with a throw-away writable layer over trees that contain mounts: nothing on the
host changes.
"""

import json
import subprocess
import sys

import nsiso
import pytest

HOST = """
import json, os, subprocess, sys
os.chdir(sys.argv[1])
os.makedirs("tree/mnt"), os.makedirs("tree/plain"), os.makedirs("target")
open("tree/own", "w").write("orig"), open("tree/plain/file", "w").write("orig"), open("bound", "w").write("orig")
os.link("tree/own", "tree/mounted")
with open("tree/big", "wb") as big:
    big.truncate(2 << 20)
os.mkfifo("tree/fifo")
subprocess.run(["mount", "-t", "tmpfs", "none", "tree/mnt"], check=True)
open("tree/mnt/file", "w").write("orig")
subprocess.run(["mount", "--bind", "bound", "tree/mounted"], check=True)
import nsiso
script = '''
cd "$1"
for file in own plain/file mnt/file mounted; do echo changed > $file && cat $file; done
echo changed >> big || echo big is refused
rm own; chmod 700 mounted; touch new plain/new mnt/new; ls; stat -c %s big
'''
for target in json.loads(sys.argv[2]):
    done = nsiso.run(["sh", "-c", script, "sh", target], mounts=[nsiso.Overlay("tree", target)], map_root=True, capture_output=True, text=True)
    print(json.dumps([done.stdout, done.stderr]))
for file in ["tree/own", "tree/plain/file", "tree/mnt/file", "tree/mounted"]:
    assert open(file).read() == "orig", file
assert sorted(os.listdir("tree")) == ["big", "fifo", "mnt", "mounted", "own", "plain"], os.listdir("tree")
assert os.listdir("tree/plain") == os.listdir("tree/mnt") == ["file"]
assert os.listdir("target") == [], os.listdir("target")
assert os.stat("bound").st_mode & 0o777 == 0o644 and os.stat("tree/big").st_size == 2 << 20
"""


def test_what_lies_beside_a_mount_is_not_the_hosts(tmp_path):
    # The caller has its own mounts, which an ordinary user may have too.
    words = [sys.executable, "-c", HOST, str(tmp_path), f'["{tmp_path}/tree", "{tmp_path}/target"]']
    host = nsiso.run(words, map_root=True, mnt=True, umask=0o22, capture_output=True, text=True)
    assert host.returncode == 0, host.stderr
    for line in host.stdout.splitlines():
        text, errors = json.loads(line)
        assert text.splitlines() == ["changed"] * 4 + ["big is refused", "big", "fifo", "mnt", "mounted", "new", "plain", str(2 << 20)]
        assert "Read-only file system" in errors


def test_what_is_no_store_is_read_only():
    script = "echo > /dev/null && touch /dev/shm/nsiso-overlay && ! touch /proc/self/comm && ! mkdir /sys/fs/cgroup/nsiso-overlay"
    done = nsiso.run(["sh", "-c", script], mounts=[nsiso.Overlay("/")], map_root=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert subprocess.run(["find", "/dev/shm", "/sys/fs/cgroup", "-maxdepth", "1", "-name", "nsiso-overlay"], capture_output=True).stdout == b""


@pytest.mark.parametrize("kind, errno", [("file", "ENOTDIR"), ("missing", "ENOENT")])
def test_an_overlay_is_of_a_directory(tmp_path, kind, errno):
    (tmp_path / "file").write_text("orig")
    with pytest.raises(nsiso.Error, match=f"an overlay of {tmp_path}/{kind}.*{errno}"):
        nsiso.run(["true"], map_root=True, mounts=[nsiso.Overlay(tmp_path / kind, "/mnt")])


VANISHING = """
import os, shutil, subprocess, sys, threading, nsiso
os.chdir(sys.argv[1])
os.makedirs("tree/mnt"), os.makedirs("tree/gone"), os.makedirs("tree/stays")
subprocess.run(["mount", "-t", "tmpfs", "none", "tree/mnt"], check=True)
info, block = os.pipe(), os.pipe()

def remove():
    os.read(info[0], 100)
    shutil.rmtree("tree/gone")
    os.write(block[1], b"go")

threading.Thread(target=remove, daemon=True).start()
done = nsiso.Popen(["ls", sys.argv[1] + "/tree"], mounts=[nsiso.Overlay(sys.argv[1] + "/tree")], map_root=True, sync_fds=(info[1], block[0]), stdout=-1, text=True)
print(*done.communicate()[0].split())
"""


def test_a_directory_that_vanishes_meanwhile_is_left_out(tmp_path):
    words = [sys.executable, "-c", VANISHING, str(tmp_path)]
    host = nsiso.run(words, map_root=True, mnt=True, capture_output=True, text=True, timeout=60)
    assert host.stdout == "mnt stays\n", host.stderr


IN_A_CONTAINER = """
import nsiso
done = nsiso.run(["cat", "/proc/interrupts"], map_root=True, mounts=[nsiso.Overlay("/")], capture_output=True, text=True)
print(done.stdout + done.stderr)
"""


def test_a_file_that_hides_one_of_proc_stays_as_it_is():
    """A container mounts such files."""
    hidden = [nsiso.Procfs(), nsiso.File("hidden", "/proc/interrupts")]
    words = [sys.executable, "-c", IN_A_CONTAINER]
    host = nsiso.run(words, map_root=True, pid=True, mounts=hidden, capture_output=True, text=True, timeout=60)
    assert host.stdout == "hidden\n", host
