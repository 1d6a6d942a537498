"""Tests examples/c/bwrap.c: bubblewrap's command line, with the same results as the installed
bwrap. Also tests the other examples of isolation.
"""

import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys

import pytest
from conftest import BUILD, ROOT, run

OURS = BUILD / "bin/bwrap"
THEIRS = shutil.which("bwrap")
SYSTEM = ["--ro-bind", "/usr", "/usr"] + [
    word
    for name in ("bin", "lib", "lib64")
    for word in (["--symlink", os.readlink(f"/{name}"), f"/{name}"] if os.path.islink(f"/{name}") else ["--ro-bind", f"/{name}", f"/{name}"])
]


def both(*words, script, **options):
    """Runs the example and the installed bwrap; their output and exit code must agree."""
    done = [
        subprocess.run([tool, *SYSTEM, *words, "sh", "-c", script], capture_output=True, text=True, timeout=60, **options)
        for tool in (OURS, THEIRS) if tool
    ]  # fmt: skip
    assert len({(one.stdout, one.returncode) for one in done}) == 1, done
    return done[0].stdout


@pytest.mark.parametrize(
    "words, script",
    [
        ([], "ls /; id -u; pwd; exit 3"),
        (["--unshare-all", "--proc", "/proc", "--dev", "/dev"], "ls / /dev | grep -v core | sort; set -- /proc/[0-9]*; echo $#; grep -c : /proc/net/dev"),
        (["--unshare-pid", "--proc", "/proc"], "echo $$; kill -TERM $$"),
        (["--unshare-pid", "--as-pid-1", "--proc", "/proc"], "echo $$; ls -d /proc/[0-9]* | head -n 1"),
        (["--unshare-user", "--uid", "1234", "--gid", "77"], "id -u; id -g"),
        (["--unshare-uts", "--hostname", "boxed"], "hostname"),
        (["--tmpfs", "/tmp", "--chdir", "/tmp"], "pwd; touch x && ls; touch /usr/x"),
        (["--clearenv", "--setenv", "PATH", "/bin:/usr/bin", "--setenv", "A", "b", "--unsetenv", "PWD"], "env | grep -v PWD | sort"),
        (["--dir", "/a/b", "--perms", "0700", "--dir", "/c", "--symlink", "/a", "/l"], "ls -d /a/b /c; stat -c %a /c; readlink /l"),
        (["--ro-bind-try", "/does/not/exist", "/x", "--bind-try", "/does/not/exist", "/y"], "ls /"),
        (["--size", "65536", "--perms", "1777", "--tmpfs", "/t"], "stat -c %a /t; head -c 100000 /dev/zero > /t/x 2>/dev/null || echo full"),
        (["--unshare-user", "--proc", "/proc"], "grep -c 'CapEff:.0000000000000000' /proc/self/status; grep NoNew /proc/self/status"),
        (["--dev-bind", "/dev", "/dev"], "head -c 3 /dev/zero | wc -c"),
        (["--unshare-user", "--disable-userns", "--assert-userns-disabled"], "unshare -U true 2>/dev/null || echo none"),
        (["--new-session"], "exit 5"),
        (["--proc", "/proc", "--unshare-user"], "test -e /proc/$PPID && grep -c . /proc/self/uid_map"),
        (["--dir", "/d", "--chmod", "1750", "/d"], "stat -c %a /d"),
        (["--chmod", "0700", "/none"], "true"),
        (["--tmpfs", "/t", "--tmpfs", "/t/u", "--remount-ro", "/t"], "touch /t/x; touch /t/u/y && echo below"),
        (["--dir", "/d", "--remount-ro", "/d"], "true"),
        (["--tmpfs", "/t", "--remount-ro", "/"], "touch /x; touch /t/y && echo below"),
        (["--proc", "/proc", "--unshare-pid", "--cap-drop", "CAP_CHOWN"], "grep -E 'CapPrm|CapEff' /proc/self/status"),
        (["--proc", "/proc", "--unshare-pid", "--cap-drop", "ALL", "--cap-add", "CAP_CHOWN"], "grep -E 'CapPrm|CapEff' /proc/self/status"),
        (["--proc", "/proc", "--unshare-pid", "--cap-add", "ALL", "--cap-drop", "CAP_SYS_RESOURCE"], "grep -E 'CapPrm|CapEff' /proc/self/status"),
        (["--size", "4096", "--dir", "/x"], "true"),
        (["--as-pid-1"], "true"),
        (["--exec-label", "x"], "true"),
        (["--file-label", "x"], "true"),
        (["--die-with-parent"], "exit 4"),
        (["--lock-file", "/usr/bin/env"], "sleep 0.1; exit 6"),
        (["--lock-file", "/none"], "sleep 5"),
        (["--hostname", "late", "--unshare-uts"], "hostname"),
        (["--chdir", "/usr", "--clearenv"], "echo $PWD; pwd"),
    ],
)
def test_the_same_as_bubblewrap(words, script):
    if "--dev" not in words and "/dev/" in script and "--dev-bind" not in words:
        words = [*words, "--dev", "/dev"]
    if "2>/dev/null" in script and "/dev" not in words:
        words = [*words, "--dev", "/dev"]
    both(*words, script=script)


@pytest.mark.parametrize("caps", [[], ["--cap-add", "ALL"], ["--cap-add", "CAP_SYS_RESOURCE"]], ids=" ".join)
def test_disabled_user_namespaces_stay_so(caps):
    """With CAP_SYS_RESOURCE the program could allow user namespaces again; root has it."""
    words = ["--unshare-user", *caps, "--proc", "/proc", "--dev", "/dev", "--unshare-pid"]
    script = "echo 9 2>/dev/null > /proc/sys/user/max_user_namespaces; unshare -U true 2>/dev/null && echo made; echo done"
    assert run(OURS, *SYSTEM, *words, "--disable-userns", "sh", "-c", script).stdout == "done\n"
    assert run(OURS, *SYSTEM, *words, "sh", "-c", script).stdout == "made\ndone\n"


def test_data_from_descriptors(tmp_path):
    (tmp_path / "data").write_text("given\n")
    for option, mode in (("--file", "666"), ("--bind-data", "600"), ("--ro-bind-data", "600")):
        with open(tmp_path / "data") as data:
            words = [option, str(data.fileno()), "/etc/given"]
            done = run(OURS, *SYSTEM, *words, "sh", "-c", "cat /etc/given; stat -c %a /etc/given", pass_fds=[data.fileno()])
        assert done.stdout == f"given\n{mode}\n", done
    for tool in filter(None, (OURS, THEIRS)):
        with open(tmp_path / "data") as data:
            words = ["--ro-bind", "/etc/passwd", "/etc/p", "--perms", "0444", "--bind-data", data.fileno(), "/etc/p", "--dev", "/dev"]
            script = "cat /etc/p; stat -c %a /etc/p; ls /tmp 2>/dev/null; echo x >> /etc/p || mv /etc/p /etc/q || echo mounted"
            done = run(tool, *SYSTEM, *words, "sh", "-c", script, pass_fds=[data.fileno()], env={**os.environ, "TMPDIR": str(tmp_path)})
        assert done.stdout.startswith("given\n444\n"), done
    assert sorted(os.listdir(tmp_path)) == ["data"]
    with open(tmp_path / "args", "wb") as args:
        args.write(b"\0".join([b"--setenv", b"FROM", b"args", b""]))
    with open(tmp_path / "args") as args:
        done = run(OURS, "--args", args.fileno(), *SYSTEM, "sh", "-c", "echo $FROM", pass_fds=[args.fileno()])
    assert done.stdout == "args\n", done


def test_overlays_and_binds_by_descriptor(tmp_path):
    for name in ("lower", "upper", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "lower/old").write_text("old")
    words = ["--overlay-src", tmp_path / "lower", "--tmp-overlay", "/o"]
    assert run(OURS, *SYSTEM, *words, "sh", "-c", "touch /o/new; ls /o").stdout == "new\nold\n"
    words = ["--overlay-src", tmp_path / "lower", "--overlay", tmp_path / "upper", tmp_path / "work", "/o"]
    assert run(OURS, *SYSTEM, *words, "sh", "-c", "touch /o/new; ls /o").stdout == "new\nold\n"
    assert os.listdir(tmp_path / "upper") == ["new"]
    os.chmod(tmp_path / "work/work", 0o700)
    fd = os.open(tmp_path / "lower", os.O_PATH)
    done = run(OURS, *SYSTEM, "--ro-bind-fd", fd, "/b", "sh", "-c", "cat /b/old; touch /b/no", pass_fds=[fd])
    os.close(fd)
    assert done.stdout == "old" and done.returncode == 1


def test_overlays_of_several_trees(tmp_path):
    for name in ("bottom", "top", "upper", "work"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "all").write_text(name)
    (tmp_path / "work/all").unlink()
    sources = ["--overlay-src", tmp_path / "bottom", "--overlay-src", tmp_path / "top"]
    script = "cat /o/all; echo; touch /o/new && echo written"
    assert run(OURS, *SYSTEM, *sources, "--ro-overlay", "/o", "sh", "-c", script).stdout == "top\n"
    assert run(OURS, *SYSTEM, *sources, "--tmp-overlay", "/o", "sh", "-c", script).stdout == "top\nwritten\n"
    kept = ["--overlay", tmp_path / "upper", tmp_path / "work", "/o"]
    assert run(OURS, *SYSTEM, *sources, *kept, "sh", "-c", script).stdout == "upper\nwritten\n"
    assert sorted(os.listdir(tmp_path / "upper")) == ["all", "new"]
    os.chmod(tmp_path / "work/work", 0o700)


@pytest.mark.parametrize("tool", [tool for tool in (OURS, THEIRS) if tool], ids=str)
def test_status_is_written_as_json(tool):
    read, write = os.pipe()
    kinds = ["--unshare-pid", "--unshare-net"]
    done = run(tool, *SYSTEM, *kinds, "--json-status-fd", write, "sh", "-c", "exit 4", pass_fds=[write])
    os.close(write)
    with os.fdopen(read) as status:
        first, last = map(json.loads, status)
    assert first.keys() == {"child-pid", "mnt-namespace", "net-namespace", "pid-namespace"}
    assert first["child-pid"] > 0 and last == {"exit-code": 4} and done.returncode == 4


@contextlib.contextmanager
def held_back(tool, kind, block_option, script):
    """Starts the tool with a child that waits. Yields the process, the JSON from --info-fd, and the
    descriptor that lets the child continue.
    """
    info, tell = os.pipe()
    block, let_go = os.pipe()
    argv = [str(word) for word in (tool, *SYSTEM, kind, "--info-fd", tell, block_option, block, "sh", "-c", script)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, pass_fds=[tell, block]) as process:
        os.close(tell)
        with os.fdopen(info) as told:
            known = json.load(told)
        yield process, known, let_go
    os.close(let_go)
    os.close(block)


@pytest.mark.parametrize("tool", [tool for tool in (OURS, THEIRS) if tool], ids=str)
def test_the_program_waits_for_whoever_reads_the_info(tool):
    with held_back(tool, "--unshare-net", "--block-fd", script="echo begun") as (process, known, let_go):
        inode = os.stat(f"/proc/{known['child-pid']}/ns/net").st_ino
        assert inode == known["net-namespace"] != os.stat("/proc/self/ns/net").st_ino
        assert process.poll() is None
        os.write(let_go, b"x")
        assert process.stdout.read() == "begun\n"


@pytest.mark.parametrize("tool", [tool for tool in (OURS, THEIRS) if tool], ids=str)
def test_somebody_else_maps_the_ids(tool):
    with held_back(tool, "--unshare-user", "--userns-block-fd", script="id -u") as (process, known, let_go):
        for name, text in (("setgroups", "deny"), ("gid_map", f"{os.getegid()} {os.getegid()} 1"), ("uid_map", f"{os.geteuid()} {os.geteuid()} 1")):
            with open(f"/proc/{known['child-pid']}/{name}", "w") as file:
                file.write(text)
        os.write(let_go, b"x")
        assert process.stdout.read() == f"{os.geteuid()}\n"


@pytest.mark.parametrize("tool", [tool for tool in (OURS, THEIRS) if tool], ids=str)
@pytest.mark.parametrize("words", [[], ["--unshare-pid"], ["--unshare-pid", "--as-pid-1"]], ids=" ".join)
def test_nothing_outlives_its_parent(tool, words):
    alive, inside = os.pipe()
    argv = [str(word) for word in (tool, *SYSTEM, *words, "--die-with-parent", "sh", "-c", "echo up; exec sleep 100")]
    process = subprocess.Popen(argv, stdout=inside)
    os.close(inside)
    with os.fdopen(alive, "rb") as output:
        assert output.readline() == b"up\n"
        process.kill()
        assert output.read() == b""
    process.wait()


@pytest.mark.parametrize("tool", [tool for tool in (OURS, THEIRS) if tool], ids=str)
def test_a_file_is_locked_while_the_program_runs(tool, tmp_path):
    (tmp_path / "lock").touch()
    argv = [str(word) for word in (tool, *SYSTEM, "--bind", tmp_path, "/l", "--lock-file", "/l/lock", "cat")]
    place = f":{(tmp_path / 'lock').stat().st_ino} "

    def locked():
        with open("/proc/locks") as locks:
            return any(place in line and " READ " in line for line in locks)

    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        while not locked():
            assert process.poll() is None
        process.stdin.close()
    assert not locked()


def test_named_descriptors_are_not_the_programs():
    read, write = os.pipe()
    for option in ("--sync-fd", "--info-fd", "--json-status-fd"):
        done = run(OURS, *SYSTEM, "--dev", "/dev", "--proc", "/proc", option, write, "sh", "-c", f"test -e /proc/self/fd/{write}", pass_fds=[write])
        assert done.returncode == 1, (option, done)
    os.close(read)
    os.close(write)


def test_the_last_filter_counts_or_all():
    def filter_file(number):
        # A filter that makes one system call fail with EPERM.
        codes = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
        fd = os.memfd_create("filter")
        os.write(fd, b"".join(struct.pack("HBBI", *code) for code in codes))
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    numbers = {"x86_64": (83, 79), "aarch64": (34, 17)}.get(os.uname().machine)
    if not numbers:
        pytest.skip("the numbers of the system calls are not known here")
    script = "mkdir /tmp/d 2>&1 | grep -c permitted; cd /tmp; /bin/pwd >/dev/null 2>&1 && echo fine"
    said = {}
    for option in ("--seccomp", "--add-seccomp-fd"):
        for tool in filter(None, (OURS, THEIRS)):
            fds = [filter_file(number) for number in numbers]
            words = [option, fds[0], option, fds[1], "--tmpfs", "/tmp", "--dev", "/dev"]
            said.setdefault(option, set()).add(run(tool, *SYSTEM, *words, "sh", "-c", script, pass_fds=fds).stdout)
            for fd in fds:
                os.close(fd)
    assert [len(words) for words in said.values()] == [1, 1] and said["--seccomp"] != said["--add-seccomp-fd"], said


def test_a_process_in_an_existing_user_namespace():
    with subprocess.Popen(["unshare", "-Ur", "sh", "-c", "echo; read x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with open(f"/proc/{holder.pid}/ns/user") as user:
            fd = user.fileno()
            done = run(OURS, *SYSTEM, "--userns", fd, "sh", "-c", "id -u", pass_fds=[fd])
            assert done.returncode == 0, done
            done = run(OURS, *SYSTEM, "--userns", fd, "--unshare-user", "true", pass_fds=[fd])
            assert "does not go with" in done.stderr
        holder.stdin.close()


def test_messages_have_their_level():
    done = run(OURS, "--level-prefix", "--bind", "/does/not/exist", "/x", "true")
    assert done.returncode == 1 and [line[:3] for line in done.stderr.splitlines()] == ["<3>"] * len(done.stderr.splitlines()), done


@pytest.mark.parametrize(
    "words, said",
    [
        (["--bind", "/usr"], "--bind takes 2 arguments"),
        (["--nonsense", "true"], "--nonsense is no option"),
        (["--hostname", "x", "true"], "--hostname needs --unshare-uts"),
        (["--bind", "/does/not/exist", "/x", "true"], "/does/not/exist"),
        (["--userns2", "0", "true"], "--userns2 is not supported"),
        (["--overlay-src", "/usr", "--ro-overlay", "/x", "true"], "--ro-overlay needs two --overlay-src"),
        (["--overlay-src", "/usr", "--dir", "/x", "true"], "must be followed by --overlay"),
        (["--overlay-src", "/usr", "true"], "must be followed by --overlay"),
        (["--seccomp", "0", "--add-seccomp-fd", "0", "true"], "does not go with"),
        (["--seccomp", "99", "true"], "is no open descriptor"),
        (["--tmp-overlay", "/x", "true"], "needs an --overlay-src"),
        (["--cap-add", "everything", "true"], "is no capability"),
        ([], "no program is given"),
    ],
)
def test_words_for_what_is_wrong(words, said):
    done = run(OURS, *words)
    assert done.returncode == 1 and said in done.stderr and done.stderr.startswith("bwrap: "), done


def test_the_judge():
    words = run(sys.executable, ROOT / "examples/python/judge.py").stdout.splitlines()
    verdicts = {line[:16].strip(): line[17:36].strip() for line in words}
    assert verdicts == {
        "right": "accepted", "wrong": "wrong answer", "crash": "runtime error", "for ever": "time limit", "asleep": "time limit",
        "too much memory": "runtime error", "a fork bomb": verdicts["a fork bomb"], "your files": "runtime error",
        "the network": "runtime error", "out of the way": "runtime error",
    }  # fmt: skip
    assert verdicts["a fork bomb"] in ("runtime error", "time limit")


def test_a_throwaway_shell():
    script = "touch /etc/nsiso-throwaway; hostname; test -t 0 && echo term""inal; exit 3\n"
    words = [sys.executable, ROOT / "examples/python/throwaway.py", "sh"]
    done = subprocess.run(words, input=script, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and "throwaway" in done.stdout and "terminal" in done.stdout, done
    assert not os.path.exists("/etc/nsiso-throwaway") and socket.gethostname() != "throwaway"


def test_the_sandbox_from_the_shell():
    done = run(sys.executable, "-m", "nsiso", "run", "--sandbox", "--ro-bind", "/etc/passwd:/srv/p", "--", "sh", "-c", "ls / /srv; exit 6")
    assert done.returncode == 6 and "home" not in done.stdout.split() and "p" in done.stdout.split(), done
