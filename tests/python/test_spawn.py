"""Tests nsiso.run and nsiso.Popen: every keyword, and the behavior they share with subprocess."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

import nsiso

KINDS = ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: no user namespace is asked for")


def sh(line, **keywords):
    return nsiso.run(["sh", "-c", line], capture_output=True, text=True, check=True, **keywords).stdout


def inside(kind, **keywords):
    return sh(f"readlink /proc/self/ns/{kind}", **keywords).strip()


def outside(kind):
    return os.readlink(f"/proc/self/ns/{kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_new_under_a_user_namespace(kind):
    assert inside(kind, user=True, map_root=True, **({kind: True} if kind != "user" else {})) != outside(kind)


@root_only
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alone_is_new_and_the_others_are_not(kind):
    seen = sh("cd /proc/self/ns && readlink " + " ".join(KINDS), **{kind: True}).split()
    for name, link in zip(KINDS, seen):
        assert (link != outside(name)) == (name == kind)


def test_all_eight_at_once():
    seen = sh("cd /proc/self/ns && readlink " + " ".join(KINDS), map_root=True, **dict.fromkeys(KINDS, True)).split()
    assert all(link != outside(name) for name, link in zip(KINDS, seen))


def test_the_plain_scenario():
    lines = sh("id -u; ps -e -o pid=,comm=", user=True, pid=True, map_root=True, mount_proc=True).split("\n")
    assert lines[0] == "0" and lines[1].split() == ["1", "sh"] and len(lines) == 4


def test_the_caller_keeps_its_ids():
    assert sh("id -u; id -g", map_current=True).split() == [str(os.geteuid()), str(os.getegid())]


def test_a_single_id_may_be_any_id():
    got = sh("id -u; id -g", uid_map=[(3_000_000_000, os.geteuid(), 1)], gid_map=[(5, os.getegid(), 1)], setgroups=False)
    assert got.split() == ["3000000000", "5"]


@root_only
def test_ranges_are_mapped_and_their_first_id_is_taken():
    maps = {"uid_map": [(0, 100_000, 1000), (5000, 300_000, 10)], "gid_map": [(0, 200_000, 1000)]}
    got = sh("id -u; id -g; id -G; cat /proc/self/uid_map /proc/self/setgroups", **maps).split()
    assert got == ["0", "0", "0", "0", "100000", "1000", "5000", "300000", "10", "allow"]


@root_only
def test_uid_gid_and_groups_inside_ranges():
    maps = {"uid_map": [(0, 100_000, 1000)], "gid_map": [(0, 200_000, 1000)]}
    assert sh("id -u; id -g; id -G", uid=7, gid=8, groups=[9, 10], **maps).split() == ["7", "8", "8", "9", "10"]


@root_only
def test_another_user_without_namespaces_keeps_no_groups():
    assert sh("id -u; id -g; id -G", uid=65534, gid=65534, cwd="/").split() == ["65534"] * 3


def test_an_ordinary_user_is_told_the_missing_line():
    if os.geteuid() == 0:
        pytest.skip("root may map any range")
    with pytest.raises(nsiso.Error) as caught:
        nsiso.run(["true"], uid_map=[(0, 100_000, 65_536)])
    assert caught.value.step == "uid_map" and "/etc/subuid" in caught.value.hint and ":100000:65536" in caught.value.hint


def test_capabilities_are_kept_for_an_ordinary_user_inside():
    line = "grep CapAmb /proc/self/status"
    assert int(sh(line, map_current=True, keep_caps=True).split()[1], 16) != 0
    assert int(sh(line, map_current=True).split()[1], 16) == 0


def test_host_and_domain_name():
    assert sh("hostname; cat /proc/sys/kernel/domainname", user=True, hostname="a", domainname="b").split() == ["a", "b"]


@pytest.mark.parametrize("offset", [86400, 86400.25, timedelta(days=1), (86400, 500_000_000)])
def test_boottime_goes_ahead(offset):
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert 86399 <= float(sh("cat /proc/uptime", user=True, boottime=offset).split()[0]) - before < 86500


def test_monotonic_goes_back_by_a_fraction():
    code = "import time; print(time.clock_gettime(time.CLOCK_MONOTONIC))"
    before = time.monotonic()
    got = nsiso.run(["/usr/bin/python3", "-c", code], user=True, monotonic=-50.5, capture_output=True, text=True, check=True)
    assert -50.5 <= float(got.stdout) - before < -20


def test_the_loopback_device_is_up_unless_it_is_not_wanted():
    flags = "cat /sys/class/net/lo/flags; ip -o link show lo"
    assert "LOOPBACK,UP" in sh(flags, map_root=True, net=True)
    assert "LOOPBACK,UP" not in sh(flags, map_root=True, net=True, loopback=False)


def test_proc_at_another_place(tmp_path):
    tmp_path.chmod(0o755)
    line = f"ls {tmp_path} | grep -c '^[0-9]*$'"
    assert 1 <= int(sh(line, user=True, pid=True, map_root=True, mount_proc=tmp_path)) <= 4


@pytest.mark.parametrize("name", ["private", "slave", "shared", "unchanged"])
def test_propagation_is_taken(name):
    fields = sh("head -n 1 /proc/self/mountinfo", map_root=True, mnt=True, propagation=name)
    assert ("shared:" in fields) == (name == "shared")


def test_environment_directory_and_argv0(tmp_path):
    got = sh("echo $A $HOME; pwd", env={"A": "1", "PATH": os.environ["PATH"]}, cwd="/usr")
    assert got == "1\n/usr\n"
    named = nsiso.run(["-x", "-c", "echo $0"], executable="/bin/sh", capture_output=True, text=True)
    assert named.stdout == "-x\n"


def test_input_output_and_text():
    assert nsiso.run(["cat"], input="äb", capture_output=True, encoding="utf-8").stdout == "äb"
    assert nsiso.run("echo $((1+1))", shell=True, stdout=nsiso.PIPE).stdout == b"2\n"
    both = nsiso.run(["sh", "-c", "echo a; echo b >&2"], stdout=nsiso.PIPE, stderr=nsiso.STDOUT, text=True)
    assert both.stdout == "a\nb\n"
    assert nsiso.run(["cat"], stdin=nsiso.DEVNULL, capture_output=True).stdout == b""
    big = "x" * 1_000_000
    assert nsiso.run(["cat"], input=big, capture_output=True, text=True).stdout == big


def test_the_odd_forms_that_subprocess_takes():
    run = lambda *args, **keywords: nsiso.run(*args, capture_output=True, text=True, **keywords).stdout
    assert run(word for word in ["echo", "x"]) == "x\n"
    assert run("echo $0", shell=True, executable="/bin/bash") == "/bin/bash\n"
    assert run([b"echo", "x"], umask=-1, creationflags=0, group=None, pass_fds=[0, 1]) == "x\n"
    assert run(["hostname"], user=True, hostname=b"x") == "x\n"
    assert run(["echo"], user=True, pid=True, mount_proc=b"/proc", map_root=True) == "\n"
    positional = nsiso.Popen(["cat"], -1, None, nsiso.PIPE, nsiso.PIPE)
    assert positional.communicate(b"a") == (b"a", None)


def test_ids_of_the_hosts_own_users_are_not_proposed_for_lending():
    if os.geteuid() == 0:
        pytest.skip("root may map any range")
    with pytest.raises(nsiso.Error) as caught:
        nsiso.run(["true"], uid_map=[(0, 0, 1)])
    assert "map_root" in caught.value.hint and "add this line" not in caught.value.hint


def test_a_map_that_the_kernel_cannot_take_is_refused():
    ranges = [(n * 2, 1_000_000 + n * 2, 1) for n in range(340)]
    with pytest.raises(ValueError, match="use fewer ranges"):
        nsiso.run(["true"], uid_map=ranges)


def test_check_and_timeout():
    with pytest.raises(subprocess.CalledProcessError) as caught:
        nsiso.run(["sh", "-c", "echo no; exit 3"], check=True, capture_output=True, user=True)
    assert caught.value.returncode == 3 and caught.value.stdout == b"no\n"
    with pytest.raises(subprocess.TimeoutExpired):
        nsiso.run(["sleep", "1000"], timeout=0.1, user=True)


def test_a_process_is_signalled_and_its_pidfd_polled():
    with nsiso.Popen(["sleep", "1000"], start_new_session=True) as process:
        assert process.poll() is None and os.getsid(process.pid) == process.pid
        assert not select.select([process], [], [], 0)[0]
        process.terminate()
        assert select.select([process], [], [], 10)[0]
        assert process.wait() == -signal.SIGTERM
    assert process.usage.peak_memory > 0
    process.send_signal(signal.SIGTERM)


def test_descriptors_are_permuted_and_all_others_closed():
    pipes = [os.pipe(), os.pipe()]
    for (_, write), text in zip(pipes, (b"a\n", b"b\n")):
        os.write(write, text)
    (a, _), (b, _) = pipes
    with open("/dev/null") as extra:
        os.set_inheritable(extra.fileno(), True)
        got = sh("head -n1 <&8; head -n1 <&9; ls /proc/self/fd | xargs", pass_fds={8: b, 9: a})
    assert got == "b\na\n0 1 2 3 8 9\n"
    assert str(a) in sh("ls /proc/self/fd", pass_fds=[a]).split()
    for pipe in pipes:
        os.close(pipe[0]), os.close(pipe[1])


@pytest.mark.parametrize(
    "arguments, keywords, kind, step, text",
    [
        (["/no/such"], {}, FileNotFoundError, "exec", "/no/such"),
        (["no-such-program"], {}, FileNotFoundError, "exec", "PATH"),
        (["/etc/passwd"], {}, PermissionError, "exec", "execute permission"),
        (["true"], {"cwd": "/no/such"}, FileNotFoundError, "cwd", "directory"),
        (["true"], {"user": True, "mount_proc": True}, PermissionError, "mount_proc", "add the kind pid"),
        (["true"], {"user": True, "pid": True, "mount_proc": "/no/such"}, FileNotFoundError, "mount_proc", "mount point"),
        (["true"], {"uid_map": [(0, 0, 0)]}, ValueError, "argument", "empty"),
        (["true"], {"uid_map": [(0, 0, 2), (1, 5, 1)]}, ValueError, "argument", "overlaps"),
        (["true"], {"hostname": "x" * 65}, ValueError, "argument", "65 bytes"),
        (["true"], {"monotonic": -(10**9) * 3}, ValueError, "argument", "before 0"),
        (["true"], {"map_root": True, "groups": [1]}, PermissionError, "groups", "setgroups is denied"),
        (["true"], {"map_root": True, "uid": 5}, nsiso.Error, "uid", "add it to the map"),
        (["a\0b"], {}, ValueError, "argument", "NUL"),
    ],
)
def test_failures_are_told_apart_and_leave_nothing(arguments, keywords, kind, step, text):
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(nsiso.Error) as caught:
        nsiso.Popen(arguments, stdout=nsiso.PIPE, **keywords)
    assert isinstance(caught.value, kind) and caught.value.step == step and text in str(caught.value)
    assert set(os.listdir("/proc/self/fd")) <= set(before)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_missing_interpreter_is_told_from_a_missing_program(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter -x\n")
    script.chmod(0o755)
    with pytest.raises(FileNotFoundError, match="whose interpreter /no/such/interpreter is missing"):
        nsiso.run([script])


def test_a_missing_loader_is_told_from_a_missing_program(tmp_path):
    program = tmp_path / "program"
    command = ["gcc", "-x", "c", "-", "-o", program, "-Wl,--dynamic-linker=/no/such/loader.so"]
    subprocess.run(command, input=b"int main(void) { return 0; }", check=True)
    with pytest.raises(FileNotFoundError, match="whose interpreter /no/such/loader.so is missing"):
        nsiso.run([program])


def test_words_that_are_not_ours_are_refused():
    with pytest.raises(TypeError, match="preexec_fn"):
        nsiso.run(["true"], preexec_fn=print)
    with pytest.raises(TypeError, match="to run as somebody use uid"):
        nsiso.run(["true"], user="nobody")
    with pytest.raises(TypeError, match="map_root: expected true or false"):
        nsiso.run(["true"], map_root="no")
    with pytest.raises(TypeError, match="positional"):
        nsiso.run(["true"], -1, None, None, None, None, print)
    with pytest.raises(ValueError, match="map_root: it excludes map_current"):
        nsiso.run(["true"], map_root=True, map_current=True)
    with pytest.raises(ValueError, match="uid: expected a number from 0 to 4294967295, not -1"):
        nsiso.run(["true"], map_root=True, uid=-1)
    with pytest.raises(ValueError, match="standard descriptor"):
        nsiso.run(["true"], pass_fds={1: 2})
    with pytest.raises(NotADirectoryError):
        nsiso.run(["true"], cwd="/etc/passwd")
    assert str(nsiso.Error(1, "x")) == "x"
    with pytest.raises(TypeError, match="nonsense"):
        nsiso.run(["true"], nonsense=1)
    with pytest.raises(TypeError, match=r"uid_map\[0\]: expected a list of three"):
        nsiso.run(["true"], uid_map=[1])
    with pytest.raises(ValueError, match="propagation: unknown value"):
        nsiso.run(["true"], propagation="sideways")


def test_other_threads_run_on_while_one_waits():
    process = nsiso.Popen(["sleep", "0.3"])
    waiter = threading.Thread(target=process.wait)
    waiter.start()
    count = 0
    while waiter.is_alive():
        count += 1
    assert count > 1000 and process.returncode == 0


def test_many_threads_spawn_at_a_time():
    failures = []

    def work():
        try:
            for _ in range(20):
                assert sh("echo $$", user=True, pid=True, map_root=True) == "1\n"
        except BaseException as error:
            failures.append(error)

    before = len(os.listdir("/proc/self/fd"))
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("habit", ["signal.signal(signal.SIGCHLD, signal.SIG_IGN)", "reaper()"])
def test_the_status_survives_a_host_that_takes_all_children(habit):
    program = f"""
import os, signal, threading, time, nsiso
def reaper():
    def reap():
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                time.sleep(0.001)
    for _ in range(4):
        threading.Thread(target=reap, daemon=True).start()
{habit}
for n in range(200):
    try:
        assert nsiso.run(["sh", "-c", f"exit {{n}}"]).returncode == n
    except nsiso.Error as lost:
        assert lost.step == "wait" and "lost" in lost.hint
        assert tuple(map(int, os.uname().release.split(".")[:2])) < (6, 15)
print("fine")
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "fine\n"


def test_standard_error_may_be_standard_output():
    program = "import nsiso; nsiso.run(['sh', '-c', 'echo out; echo err >&2'], stderr=nsiso.STDOUT)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("out\nerr\n", "")
