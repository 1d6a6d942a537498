"""examples/c/bwrap.c: bubblewrap's command line, and the same answers as the installed one. And the other examples of isolation."""

import json
import os
import shutil
import socket
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
    """What ours and the installed one print; they must agree on it and on the code."""
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
        (["--unshare-all", "--proc", "/proc", "--dev", "/dev"], "ls / /dev | grep -v core | sort; ls -d /proc/[0-9]* | wc -l; grep -c : /proc/net/dev"),
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
    ],
)
def test_the_same_as_bubblewrap(words, script):
    if "/proc" in words and "--unshare-pid" not in words and "--unshare-all" not in words and "--unshare-user" in words:
        words = [*words, "--unshare-pid"]
    if "--dev" not in words and "/dev/" in script and "--dev-bind" not in words:
        words = [*words, "--dev", "/dev"]
    if "2>/dev/null" in script and "/dev" not in words:
        words = [*words, "--dev", "/dev"]
    both(*words, script=script)


def test_data_from_descriptors(tmp_path):
    (tmp_path / "data").write_text("given\n")
    for option, mode in (("--file", "644"), ("--bind-data", "600"), ("--ro-bind-data", "600")):
        with open(tmp_path / "data") as data:
            words = [option, str(data.fileno()), "/etc/given"]
            done = run(OURS, *SYSTEM, *words, "sh", "-c", "cat /etc/given; stat -c %a /etc/given", pass_fds=[data.fileno()])
        assert done.stdout == f"given\n{mode}\n", done
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


def test_status_is_written_as_json():
    read, write = os.pipe()
    done = run(OURS, *SYSTEM, "--json-status-fd", write, "sh", "-c", "exit 4", pass_fds=[write])
    os.close(write)
    with os.fdopen(read) as status:
        first, last = map(json.loads, status)
    assert first["child-pid"] > 0 and last == {"exit-code": 4} and done.returncode == 4


@pytest.mark.parametrize(
    "words, said",
    [
        (["--bind", "/usr"], "--bind takes 2 arguments"),
        (["--nonsense", "true"], "--nonsense is no option"),
        (["--hostname", "x", "true"], "--hostname needs --unshare-uts"),
        (["--bind", "/does/not/exist", "/x", "true"], "/does/not/exist"),
        (["--lock-file", "/x", "true"], "--lock-file is not supported"),
        (["--seccomp", "99", "true"], "is no open descriptor"),
        (["--tmp-overlay", "/x", "true"], "needs an --overlay-src"),
        (["--cap-add", "everything", "true"], "is no capability"),
        (["--die-with-parent", "true"], "needs --unshare-pid"),
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
