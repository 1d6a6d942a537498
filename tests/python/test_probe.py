"""Tests nsiso.probe, nsiso.unshare, and `python -m nsiso run|enter|doctor`."""

import os
import re
import pathlib
import subprocess
import sys

import nsiso
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def module(*words, **options):
    return subprocess.run([sys.executable, "-m", "nsiso", *map(str, words)], capture_output=True, text=True, timeout=60, **options)


def in_a_fresh_program(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_what_a_probe_says_is_what_happens():
    found = nsiso.probe()
    for kind in ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup"):
        for option, expected in [({}, found[kind].support == "yes"), ({"map_root": True}, bool(found[kind]))]:
            try:
                works = nsiso.run(["true"], **{kind: True}, **option).returncode == 0
            except nsiso.Error:
                works = False
            assert works == expected, (kind, found[kind])
    assert found["user"].support == "yes" or found["user"].detail
    assert found["landlock"].detail.startswith("ABI") or not found["landlock"]
    assert (found["net"].support == "yes") == (os.geteuid() == 0)
    assert bool(found["idmapped_mounts"]) == (os.geteuid() == 0), found["idmapped_mounts"]
    assert found["overlay"] and found["nested_user"] and found["proc"]


def test_a_probe_tells_a_limit_and_leaves_nothing():
    before = len(os.listdir("/proc/self/fd"))
    nsiso.probe()
    assert len(os.listdir("/proc/self/fd")) == before
    code = (
        "import nsiso; nsiso.unshare('user', map_root=True); open('/proc/sys/user/max_net_namespaces', 'w').write('0');"
        "found = nsiso.probe()['net']; print(found.support, found.detail, found.hint)"
    )
    said = in_a_fresh_program(code).stdout
    assert said.startswith("no ") and "ENOSPC" in said and "max_net_namespaces" in said, said


def test_doctor_has_a_line_for_each_feature_and_remedies_below():
    done = module("doctor")
    assert done.returncode == 0 and "\033" not in done.stdout
    features, _, remedies = done.stdout.partition("\nNot available:\n")
    found = nsiso.probe()
    words = {"yes": "yes", "in_user_namespace": "userns", "no": "no"}
    rows = [line.split(maxsplit=2) for line in features.splitlines() if "   " in line]
    assert [row[:2] for row in rows] == [[words[feature.support], name] for name, feature in found.items()]
    assert all(len(row) == 3 for row in rows), "each has a meaning"
    missing = [name for name, feature in found.items() if not feature]
    assert re.findall(r"^- (\w+)$", remedies, re.MULTILINE) == missing
    for name in missing:
        assert found[name].hint.split()[0] in remedies


def test_the_sandbox_and_limits_are_tried():
    features = nsiso.probe()
    assert nsiso.Sandbox().run(["true"]).returncode == 0 and features["sandbox"]
    if features["limits"]:
        assert nsiso.run(["true"], limits=nsiso.Limits(pids=100)).returncode == 0
    else:
        with pytest.raises(nsiso.Error):
            nsiso.run(["true"], limits=nsiso.Limits(pids=100))


def test_doctor_has_colours_and_fits_a_terminal():
    command = f"COLUMNS=60 {sys.executable} -m nsiso doctor"
    shown = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True, check=True).stdout
    assert "\033[32myes" in shown
    assert max(len(re.sub(r"\033\[\d*m", "", line).rstrip()) for line in shown.splitlines()) <= 60
    plain = subprocess.run(["script", "-qec", f"NO_COLOR=1 {command}", "/dev/null"], capture_output=True, text=True, check=True)
    assert "\033" not in plain.stdout


def test_a_program_moves_itself():
    code = (
        "import nsiso, os; nsiso.unshare('user', 'uts', 'net', map_root=True); print(os.getuid(), os.listdir('/sys/class/net') != []);"
        "print(open('/proc/net/dev').read().count(':'))"
    )
    done = in_a_fresh_program(code)
    assert done.stdout.split() == ["0", "True", "1"], done.stderr
    with_threads = (
        "import nsiso, threading; threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "try: nsiso.unshare('user')\n"
        "except nsiso.Error as error: print(error)"
    )
    assert "has 2 threads" in in_a_fresh_program(with_threads).stdout
    with pytest.raises(nsiso.ArgumentError, match="no kind"):
        nsiso.unshare()
    with pytest.raises(nsiso.ArgumentError, match="add the kind user"):
        nsiso.unshare("uts", map_root=True)


def test_run_from_the_shell():
    done = module("run", "-r", "-p", "--mount-proc", "--hostname", "inside", "sh", "-c", "echo $$ $(id -u) $(hostname); exit 4")
    assert (done.stdout, done.returncode) == ("1 0 inside\n", 4), done.stderr
    done = module("run", "-r", "--", "/does/not/exist")
    assert done.returncode == 127 and "/does/not/exist" in done.stderr
    assert module("run", "-U", "sh", "-c", "kill -9 $$").returncode == 128 + 9


def test_enter_from_the_shell():
    with nsiso.Popen(["sh", "-c", "echo; exec cat"], stdin=-1, stdout=-1, map_root=True, net=True, uts=True) as target:
        target.stdout.read(1)
        net = os.readlink(f"/proc/{target.pid}/ns/net")
        link = "/proc/self/ns/net"
        assert module("enter", "-t", target.pid, "-a", "readlink", link).stdout.strip() == net
        assert module("enter", "-t", target.pid, "-U", "-n", "--", "readlink", link).stdout.strip() == net
        files = [f"--user=/proc/{target.pid}/ns/user", f"--net=/proc/{target.pid}/ns/net"]
        assert module("enter", *files, "--", "readlink", link).stdout.strip() == net
        target.stdin.close()
    for words, said in [(["-n"], "no target"), ([], "no namespace is given"), (["-t", "4194303", "-n", "--", "true"], "No such process")]:
        done = module("enter", *words)
        assert done.returncode == 125 and said in done.stderr, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="a thread enters namespaces as root alone")
def test_the_example_with_two_servers_on_one_port():
    done = subprocess.run([sys.executable, ROOT / "examples/python/ports.py"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "port 8080 in red: hello from red\nport 8080 in blue: hello from blue\n", done.stderr
