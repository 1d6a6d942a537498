"""Tests the file system view, privileges, the init process, terminals and the sandbox, from Python.
"""

import contextlib
import ctypes
import errno
import os
import signal
import struct
import threading
import time

import nsiso
import pytest

ROOT = os.geteuid() == 0


def shell(script, **keywords):
    done = nsiso.run(["/bin/sh", "-c", script], capture_output=True, text=True, timeout=60, **keywords)
    return done.stdout


def test_a_view_from_nothing(tmp_path):
    (tmp_path / "data").write_text("data")
    usr = [nsiso.Bind("/usr", ro=True)]
    for name in ("bin", "lib", "lib64"):
        usr.append(nsiso.Symlink(os.readlink(f"/{name}"), f"/{name}") if os.path.islink(f"/{name}") else nsiso.Bind(f"/{name}", ro=True))
    view = [
        nsiso.Tmpfs("/", size="1M"), *usr, nsiso.Dev(), nsiso.Procfs(hidepid="invisible"), nsiso.Mqueue(), nsiso.Sysfs(),
        nsiso.Bind(tmp_path, "/srv/rw"), nsiso.Bind(tmp_path, "/srv/ro", ro=True), nsiso.File("text\n", "/etc/motd", 0o600),
        nsiso.Dir("/empty", 0o700), nsiso.Bind("/does/not/exist", if_exists=True), nsiso.Mask("/usr/share"), nsiso.ReadOnly("/etc"),
    ]  # fmt: skip
    script = "cat /etc/motd; cat /srv/ro/data; echo; echo x > /srv/rw/new; echo x > /srv/ro/no; echo x > /etc/no; ls /usr/share; stat -c %a /empty /etc/motd; ls /"
    options = dict(map_root=True, pid=True, ipc=True, net=True, mounts=view)
    lines = shell(script, **options).split()
    assert lines[:4] == ["text", "data", "700", "600"] and "home" not in lines and "empty" in lines
    assert sorted(os.listdir(tmp_path)) == ["data", "new"]


def test_a_directory_is_the_root(tmp_path):
    view = [nsiso.Bind(f"/{name}", f"/{name}", ro=True) for name in ("usr", "bin", "lib", "lib64") if os.path.isdir(f"/{name}")]
    assert shell("pwd; ls / | head -n 1", map_root=True, root=tmp_path, mounts=view) == "/\nbin\n"
    directory = os.open(tmp_path, os.O_PATH)
    assert "bin" in shell("ls /mnt", map_root=True, mounts=[nsiso.Tmpfs("/run"), nsiso.Bind(directory, "/mnt")])
    os.close(directory)


def test_overlays(tmp_path):
    (tmp_path / "lower").mkdir()
    (tmp_path / "lower" / "old").write_text("old")
    script = "cat /mnt/old; echo new > /mnt/new; ls /mnt"
    assert shell(script, map_root=True, mounts=[nsiso.Overlay(tmp_path / "lower", "/mnt")]) == "oldnew\nold\n"
    assert os.listdir(tmp_path / "lower") == ["old"]
    kept = nsiso.Overlay(tmp_path / "lower", "/mnt", changes=tmp_path / "kept")
    assert shell(script, map_root=True, mounts=[kept]) == "oldnew\nold\n"
    assert os.listdir(tmp_path / "kept" / "upper") == ["new"]
    os.chmod(tmp_path / "kept/work/work", 0o700)
    everything = [nsiso.Overlay("/"), nsiso.Procfs(), nsiso.Dev()]
    assert shell("touch /etc/nsiso-gone /nsiso-gone && ls -d /etc/nsiso-gone", map_root=True, pid=True, mounts=everything) == "/etc/nsiso-gone\n"
    assert not os.path.exists("/etc/nsiso-gone")


def test_what_is_there_is_changed():
    view = [nsiso.Tmpfs("/mnt"), nsiso.Tmpfs("/mnt/sub"), nsiso.Chmod("/mnt", 0o711), nsiso.ReadOnly("/mnt", non_recursive=True)]
    script = "stat -c %a /mnt; mkdir /mnt/x 2>&1 | grep -o Read-only; mkdir /mnt/sub/x && echo below"
    assert shell(script, map_root=True, mounts=view) == "711\nRead-only\nbelow\n"


def test_held_until_somebody_has_mapped_ids():
    told, tell = os.pipe()
    go, let_go = os.pipe()

    def outside():
        pid = int(os.read(told, 20))
        (gid_map, uid_map) = (f"/proc/{pid}/{name}_map" for name in ("gid", "uid"))
        open(f"/proc/{pid}/setgroups", "w").write("deny")
        open(gid_map, "w").write(f"7 {os.getegid()} 1")
        open(uid_map, "w").write(f"5 {os.geteuid()} 1")
        os.write(let_go, b"x")

    helper = threading.Thread(target=outside)
    helper.start()
    done = nsiso.run(["sh", "-c", "id -u; id -g"], capture_output=True, text=True, user=True, sync_fds=(tell, go))
    helper.join()
    for fd in (told, tell, go, let_go):
        os.close(fd)
    assert done.stdout == "5\n7\n"


def test_overlays_of_several_trees(tmp_path):
    trees = [tmp_path / name for name in ("top", "middle", "bottom")]
    for tree in trees:
        tree.mkdir()
        (tree / "all").write_text(tree.name)
        (tree / tree.name).touch()
    script = "cat /mnt/all; ls -x /mnt; echo new 2>/dev/null > /mnt/all && cat /mnt/all"
    seen = "topall  bottom  middle  top\n"
    assert shell(script, map_root=True, mounts=[nsiso.Overlay(trees, "/mnt")]) == seen + "new\n"
    assert shell(script, map_root=True, mounts=[nsiso.Overlay(trees, "/mnt", ro=True)]) == seen
    kept = nsiso.Overlay(trees, "/mnt", changes=tmp_path / "kept")
    assert shell(script, map_root=True, mounts=[kept]) == seen + "new\n"
    assert (tmp_path / "kept/upper/all").read_text() == "new\n" and trees[0].joinpath("all").read_text() == "top"
    os.chmod(tmp_path / "kept/work/work", 0o700)
    with pytest.raises(TypeError, match="needs a target"):
        nsiso.run(["true"], mounts=[nsiso.Overlay(trees)])


@pytest.mark.skipif(not ROOT, reason="a bind with other owners takes root")
def test_owners_are_mapped(tmp_path):
    (tmp_path / "file").write_text("x")
    with nsiso.Popen(["cat"], stdin=-1, uid_map=[(0, 5000, 10)], gid_map=[(0, 5000, 10)]) as holder:
        with nsiso.Namespace.of(holder, "user") as user:
            view = [nsiso.Bind(tmp_path, "/mnt", id_map=user)]
            assert shell("stat -c %u:%g /mnt/file", mounts=view) == "5000:5000\n"
        holder.stdin.close()


def test_privileges():
    flags = "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | cut -f2"
    zero = "0" * 16
    assert shell(flags, map_root=True, caps=[], new_privs=False).split() == [zero, zero, "1", "0"]
    assert shell(flags, map_root=True, caps=["chown"], seccomp=True).split() == ["0" * 15 + "1"] * 2 + ["1", "2"]
    limits = dict(rlimits={"nofile": 77, "core": (0, None)}, nice=3, umask=0o27, cpus=[0], oom_score_adj=300, personality=0x40000)
    line = "ulimit -n; ulimit -c; nice; umask; cat /proc/self/oom_score_adj /proc/self/personality"
    if not ROOT:
        limits["rlimits"] = {"nofile": 77, "core": 0}
    assert shell(line, **limits).split() == ["77", "0", "3", "0027", "300", "00040000"]
    assert shell("unshare -U echo no", map_root=True, user_namespaces=False) == ""


def test_the_oom_score_is_the_programs_alone():
    def own():
        with open("/proc/self/oom_score_adj") as score:
            return score.read()

    before, read = own(), "cat /proc/self/oom_score_adj"
    assert shell(read, sandbox=True, oom_score_adj=500) == "500\n"
    with nsiso.Popen(["cat"], stdin=nsiso.PIPE, map_root=True, pid=True, net=True) as first:
        assert shell(read, join=first, oom_score_adj=300) == shell(read, join=(first, ["user", "net"]), uts=True, oom_score_adj=300) == "300\n"
        first.stdin.close()
    if ROOT:
        ranges = [(0, 1000, 10)]
        assert shell(read, uid_map=ranges, gid_map=ranges, init=True, oom_score_adj=300) == "300\n"
    assert own() == before


@pytest.mark.parametrize("seconds", [1e-9, 1e-6, 1e-4, 1e-3])
def test_a_deadline_may_be_over_at_once(seconds):
    done = nsiso.Sandbox().run(["sleep", "10"], deadline=seconds)
    assert done.timed_out and done.returncode == -signal.SIGKILL


def test_restrictions(tmp_path):
    libraries = ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache"]
    rules = nsiso.Landlock(execute=[path for path in libraries if os.path.exists(path)], write=[tmp_path], best_effort=True)
    assert shell(f"cat /etc/hostname; echo x > {tmp_path}/x; cat {tmp_path}/x", landlock=rules) == "x\n"
    refused = nsiso.Seccomp(deny=["mkdir", "mkdirat"], errno=30)
    done = nsiso.run(["mkdir", tmp_path / "never"], seccomp=refused, capture_output=True, text=True)
    assert done.returncode == 1 and "Read-only file system" in done.stderr
    killed = nsiso.Seccomp(deny=["mkdir", "mkdirat"], action="kill")
    assert nsiso.run(["mkdir", tmp_path / "never"], seccomp=[refused, killed]).returncode == -signal.SIGSYS
    with pytest.raises(nsiso.ArgumentError, match="one of deny, allow"):
        shell("", seccomp=nsiso.Seccomp())
    with pytest.raises(nsiso.ArgumentError, match="no_such_call"):
        shell("", seccomp=nsiso.Seccomp(deny=["no_such_call"]))


def test_the_host_answers_for_system_calls():
    asked = ["mkdir", "mkdirat"]
    with nsiso.Popen(["mkdir", "/tmp/nsiso-never"], seccomp_notify=asked, stderr=-1, text=True) as process:
        libc = ctypes.CDLL(None, use_errno=True)
        notification = ctypes.create_string_buffer(80)
        assert libc.ioctl(process.notify, ctypes.c_ulong(0xC0502100), notification) == 0
        number = struct.unpack_from("Q", notification)[0]
        answer = ctypes.create_string_buffer(struct.pack("QqiI", number, 0, -errno.EDOM, 0))
        assert libc.ioctl(process.notify, ctypes.c_ulong(0xC0182101), answer) == 0
        assert "argument out of domain" in process.stderr.read() and process.wait() == 1
        os.close(process.notify)
    with pytest.raises(nsiso.ArgumentError, match="needed to start"):
        nsiso.Popen(["true"], seccomp_notify=["execve"])
    with pytest.raises(TypeError, match="run does not answer"):
        shell("", seccomp_notify=asked)


def test_the_init_process():
    # The init process takes its name a moment after the program has started.
    named = "until grep -q nsiso-ini /proc/1/comm; do :; done"
    words = shell(f"echo $$; {named}; cat /proc/1/comm", map_root=True, init=True, mount_proc=True).split()
    assert words[0] == "2" and "nsiso-ini" in words[1]
    assert nsiso.run(["sh", "-c", "exit 9"], map_root=True, init=True).returncode == 9
    with nsiso.Popen(["sleep", "100"], map_root=True, init=True) as process:
        process.terminate()
        assert process.wait() == -signal.SIGTERM and process.usage is not None
    start = time.monotonic()
    assert nsiso.run(["sh", "-c", "sleep 0.5 & exit 4"], map_root=True, wait_for_all=True).returncode == 4
    assert time.monotonic() - start >= 0.5
    with nsiso.Popen(["sleep", "100"], map_root=True, deadline=0.2) as process:
        assert process.wait() == -signal.SIGKILL and process.timed_out
    # The status is known even if the caller has reaped the process itself.
    with nsiso.Popen(["sh", "-c", "exit 6"], map_root=True, init=True) as process:
        os.waitpid(process.pid, 0x40000000)
        assert process.wait() == 6


def test_a_host_that_ignores_its_children_is_told_the_status():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        for keywords in (dict(map_root=True, init=True), dict(sandbox=True), dict(sandbox=True, deadline=20)):
            with nsiso.Popen(["sh", "-c", "exit 6"], **keywords) as process:
                assert process.wait(timeout=60) == 6 and not process.timed_out, keywords
        with nsiso.Popen(["sleep", "100"], sandbox=True, deadline=0.2) as process:
            assert process.wait(timeout=60) == -signal.SIGKILL and process.timed_out
    finally:
        signal.signal(signal.SIGCHLD, before)


def written(process):
    """The program's output on its terminal until it ends; then read(2) fails with EIO."""
    text = b""
    with contextlib.suppress(OSError):
        while part := os.read(process.pty, 4096):
            text += part
    os.close(process.pty)
    return text


def test_a_terminal():
    process = nsiso.Popen(["sh", "-c", "stty size; read word; echo got $word"], map_root=True, pty=(11, 22))
    os.write(process.pty, b"it\n")
    text = written(process)
    assert process.wait() == 0 and b"11 22" in text and b"got it" in text


def test_the_sandbox(tmp_path):
    (tmp_path / "in").write_text("in")
    # The sandbox of root runs the program as nobody, which must be able to search the directory.
    os.chmod(tmp_path, 0o755)
    box = nsiso.Sandbox(mounts=[nsiso.Bind(tmp_path, "/srv", ro=True)], rlimits={"nofile": 50})
    done = box.run(["sh", "-c", "cat /srv/in; ulimit -n; echo $HOME; ls /proc | grep -c '^[0-9]'"], capture_output=True, text=True)
    assert done.stdout.split()[:2] == ["in50", "/tmp"], done
    assert "loopback alone" in repr(box) and "capabilities: none" in repr(box) and "nofile" in repr(box)
    loose = nsiso.Sandbox(share=["net"], landlock=False, seccomp=False)
    assert loose.run(["readlink", "/proc/self/ns/net"], capture_output=True, text=True).stdout.strip() == os.readlink("/proc/self/ns/net")
    assert "the caller's" in repr(loose) and "seccomp: off" in repr(loose)
    assert box.run(["sh", "-c", "echo $COLOUR"], env={"COLOUR": "blue"}, capture_output=True, text=True).stdout == "blue\n"
    with box.popen(["sleep", "100"], deadline=0.2) as process:
        assert process.wait() == -signal.SIGKILL and process.timed_out


def test_many_threads_make_sandboxes():
    failures = []

    def work():
        for _ in range(8):
            done = nsiso.run(["sh", "-c", "echo $$; exit 3"], sandbox=True, capture_output=True)
            if (done.returncode, done.stdout) != (3, b"2\n"):
                failures.append(done)

    before = len(os.listdir("/proc/self/fd"))
    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    "keywords, kind, text",
    [
        (dict(mounts=[nsiso.Tmpfs("relative")]), nsiso.ArgumentError, "not absolute"),
        (dict(mounts=["/tmp"]), TypeError, r"mounts\[0\]: expected an object"),
        (dict(mounts=[nsiso.Tmpfs("/x", size="much")]), ValueError, "size: expected a size"),
        (dict(map_root=True, mounts=[nsiso.Bind("/does/not/exist", "/mnt")]), FileNotFoundError, "if_exists"),
        (dict(map_root=True, mounts=[nsiso.Sysfs()]), PermissionError, "network namespace"),
        (dict(caps=["everything"]), nsiso.ArgumentError, "is no capability"),
        (dict(rlimits={"files": 1}), nsiso.ArgumentError, "is no resource limit"),
        (dict(nice=50), nsiso.ArgumentError, "nice value"),
        (dict(umask=0o1000), nsiso.ArgumentError, "is no umask"),
        (dict(cpus=[99999]), nsiso.ArgumentError, "no processor"),
        (dict(deadline=-1), nsiso.ArgumentError, "deadline"),
        (dict(init="maybe"), TypeError, "init: expected true or false"),
        (dict(seccomp=nsiso.Seccomp(deny=["mkdir"], action="scold")), ValueError, "unknown value \"scold\""),
        (dict(landlock=nsiso.Landlock(read=["/does/not/exist"], best_effort=True)), FileNotFoundError, "view of the file system"),
    ],
)
def test_bad_wishes_are_told_apart(keywords, kind, text):
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(kind, match=text):
        nsiso.Popen(["true"], **keywords)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_the_terminal_has_a_name_in_a_dev_of_its_own():
    view = [nsiso.Procfs(), nsiso.Dev()]
    with nsiso.Popen(["sh", "-c", "tty; test -c /dev/console && tty < /dev/tty | wc -l"], pty=True, map_root=True, pid=True, mounts=view) as process:
        said = written(process)
    assert said.split() == [b"/dev/console", b"1"], said


def test_the_repr_tells_every_keyword():
    grants = {
        "share": ("net", "network: the caller's"), "caps": ("net_admin", "capabilities: net_admin"), "landlock": (False, "landlock: off"), "seccomp": (False, "seccomp: off"),
        "mounts": ([nsiso.Bind("/srv")], "/srv"), "root": ("/srv", "root: '/srv'"), "rlimits": ({"nofile": 7}, "'nofile': 7"), "pass_fds": ([5], "pass_fds: [5]"),
        "limits": (nsiso.Limits(pids=9), "9"), "env": ({"A": "b"}, "'A': 'b'"), "map_root": (True, "map_root: True"), "keep_caps": (True, "keep_caps: True"), "deadline": (3, "deadline: 3"),
    }  # fmt: skip
    for name, (value, told) in grants.items():
        assert told in repr(nsiso.Sandbox(**{name: value})), name
        assert told not in repr(nsiso.Sandbox()), name
    assert "shared with the caller: ipc" in repr(nsiso.Sandbox(share="ipc")) and "connect_tcp=[80]" in repr(nsiso.Sandbox(landlock=nsiso.Landlock(connect_tcp=[80])))
    assert "deny=['mkdir']" in repr(nsiso.Sandbox(seccomp=nsiso.Seccomp(deny=["mkdir"])))


@pytest.mark.parametrize("keywords", [dict(pid=True, map_root=True), dict(init=True, map_root=True), dict(sandbox=True)], ids=str)
def test_a_timeout_takes_everything_inside_with_it(keywords):
    alive, inside = os.pipe()
    script = f"(setsid sleep 100 >/dev/null 2>&1 &); exec sleep 100"
    with pytest.raises(nsiso.TimeoutExpired):
        nsiso.run(["sh", "-c", script], timeout=0.5, capture_output=True, pass_fds=[inside], **keywords)
    os.close(inside)
    with os.fdopen(alive, "rb") as file:
        assert file.read() == b""
