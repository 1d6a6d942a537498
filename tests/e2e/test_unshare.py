"""Tests examples/c/unshare.c: every option, the exit codes, and the same results as the installed
unshare(1).
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
import time

import pytest
from conftest import BUILD, needs_root, run

OURS = BUILD / "bin/unshare"
THEIRS = shutil.which("unshare", path="/usr/bin:/bin")
KINDS = {"mount": "mnt", "uts": "uts", "ipc": "ipc", "net": "net", "pid": "pid", "user": "user", "cgroup": "cgroup", "time": "time"}
LETTERS = {"mount": "m", "uts": "u", "ipc": "i", "net": "n", "pid": "p", "user": "U", "cgroup": "C", "time": "T"}
ROOT = os.geteuid() == 0


def ours(*arguments, **options):
    return run(OURS, *arguments, **options)


def output(*arguments, **options):
    done = ours(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refused(*arguments, code=1, **options):
    """Returns the error message of a call that must fail."""
    done = ours(*arguments, **options)
    assert (done.returncode, done.stdout) == (code, ""), done
    assert done.stderr.startswith("unshare: ") or "Try 'unshare --help'" in done.stderr
    return done.stderr


def allowed(kind):
    """The options that the caller needs to create a namespace of this kind."""
    return [] if ROOT or kind == "user" else ["--map-root-user"]


def test_a_shell_sees_only_itself():
    lines = output("--user", "--pid", "--map-root-user", "--mount-proc", "--fork", "sh", "-c", "id -u; ps -ef").splitlines()
    assert lines[0] == "0"
    processes = [line.split(None, 7) for line in lines[2:]]
    assert processes[0][1] == "1"
    assert [process[7].split()[0] for process in processes] == ["sh", "ps"]


@pytest.mark.parametrize("form", ["long", "short"])
@pytest.mark.parametrize("option", KINDS)
def test_each_kind_is_new_and_alone(option, form):
    read = "for kind in " + " ".join(KINDS.values()) + "; do readlink /proc/self/ns/$kind; done"
    flag = "--" + option if form == "long" else "-" + LETTERS[option]
    # The first child in a new pid namespace is its init process. Without --fork the shell could not
    # start a second child.
    fork = ["--fork"] if option == "pid" else []
    inside = output(*allowed(option), flag, *fork, "sh", "-c", read).splitlines()
    outside = run("sh", "-c", read).stdout.splitlines()
    new = {kind for kind, a, b in zip(KINDS.values(), inside, outside, strict=True) if a != b}
    assert new == {KINDS[option]} | ({"user"} if allowed(option) else set())


def test_all_kinds_at_once():
    read = "for kind in " + " ".join(KINDS.values()) + "; do readlink /proc/self/ns/$kind; done"
    inside = output("-rmuinpCTf", "sh", "-c", read).splitlines()
    assert not set(inside) & set(run("sh", "-c", read).stdout.splitlines())


SAME = {
    "-U": "id -u; id -g; cat /proc/self/uid_map /proc/self/setgroups",
    "-r": "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups",
    "-c": "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups",
    "--map-user=7": "id -u; cat /proc/self/uid_map /proc/self/gid_map",
    "--map-user=daemon": "id -u; cat /proc/self/uid_map",
    "--map-group=8": "id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups",
    "--map-group=adm": "id -g; cat /proc/self/gid_map",
    "--map-user=7 --map-group=8": "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map",
    "--map-user=5 -r": "id -u; cat /proc/self/uid_map",
    "-r --map-user=5": "id -u; cat /proc/self/uid_map /proc/self/gid_map",
    "-U --setgroups=deny": "cat /proc/self/setgroups",
    "-U --setgroups allow": "cat /proc/self/setgroups",
    "-r -S 0": "id -u",
    "-c --keep-caps": "grep Cap /proc/self/status",
    "-r --keep-caps": "grep Cap /proc/self/status",
    "-c": "grep Cap /proc/self/status",
    "-r": "grep Cap /proc/self/status",
    "-w /usr": "pwd; echo $PWD",
    "--wd=/": "pwd",
    "-ru": "hostname; hostname changed; hostname",
    "-rn": "cut -d: -f1 /proc/net/dev; cat /sys/class/net/lo/operstate",
    "-rm": "findmnt -no PROPAGATION /",
    "-rm --propagation private": "findmnt -no PROPAGATION /",
    "-rm --propagation slave": "findmnt -no PROPAGATION /",
    "-rm --propagation shared": "findmnt -no PROPAGATION /",
    "-rm --propagation unchanged": "findmnt -no PROPAGATION / | cut -d, -f1",
    "--propagation slave": "findmnt -no PROPAGATION /",
    "-rT --monotonic 1000 --boottime -1": "cat /proc/self/timens_offsets",
    "-rT --boottime 300000000": "uptime -p | cut -d, -f1",
    "-rT --monotonic=-1": "cat /proc/self/timens_offsets",
    "-rpf --mount-proc": "echo $$; cat /proc/1/comm",
    "-rpf --mount-proc=/mnt": "ls /mnt | grep '^[0-9]' | head -n 1; findmnt -no FSTYPE /mnt",
    "-rC": "head -n 1 /proc/self/cgroup",
    "-ri": "ipcs -q | wc -l",
}


@pytest.mark.parametrize("options", SAME)
def test_it_answers_as_the_installed_one(options):
    answers = [run(tool, *options.split(), "sh", "-c", SAME[options]) for tool in (OURS, THEIRS)]
    assert answers[0].stdout == answers[1].stdout != "", answers
    assert answers[0].returncode == answers[1].returncode == 0


# The exit code of a failure that occurs when the tool is already the process of the program.
CANNOT_EXECUTE = 126
SET_UP = [
    ["-w", "/nonexistent", "true"],
    ["-r", "-G", "0", "true"],
    ["-r", "-S", "1", "true"],
    ["-rm", "--mount-proc=/nonexistent", "true"],
]


@pytest.mark.parametrize(
    "arguments",
    [
        ["sh", "-c", "exit 7"],
        ["sh", "-c", "exit 255"],
        ["/nonexistent"],
        ["no-such-program"],
        ["/etc/passwd"],
        ["/etc/passwd/below"],
        ["/"],
        ["--no-such-option"],
        ["--wd"],
        ["-w", "/nonexistent", "true"],
        ["--propagation", "sideways", "true"],
        ["--setgroups", "maybe", "true"],
        ["--map-user=no-such-user", "true"],
        ["--map-group=no-such-group", "true"],
        ["--map-users=1,2", "true"],
        ["--map-users=1,2,3,4", "true"],
        ["--map-users=,,", "true"],
        ["-r", "--setgroups=allow", "true"],
        ["--setgroups=deny", "true"],
        ["--monotonic", "5", "true"],
        ["-T", "--boottime", "1.5", "true"],
        ["-rT", "--monotonic", "-99999999999", "true"],
        ["-S", "no-such-user", "true"],
        ["-r", "-G", "0", "true"],
        ["-r", "-S", "1", "true"],
        ["-rm", "--mount-proc=/nonexistent", "true"],
        ["--help"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_it_exits_as_the_installed_one(arguments):
    done, known = run(OURS, *arguments), run(THEIRS, *arguments)
    assert done.returncode == (CANNOT_EXECUTE if arguments in SET_UP else known.returncode), (done, known)
    assert bool(done.stderr) == bool(known.stderr)


@pytest.mark.skipif(ROOT, reason="needs an ordinary user: root may have every namespace")
@pytest.mark.parametrize("option", [option for option in KINDS if option != "user"])
def test_an_ordinary_user_is_told_of_the_user_namespace(option):
    assert "user" in refused("--" + option, "true").lower()


def test_a_script_without_its_interpreter_is_not_found(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    assert "/no/such/interpreter" in refused(script, code=127)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSEGV])
def test_a_killed_program_is_seen_as_that(number):
    words = ["sh", "-c", f"ulimit -c 0; kill -{int(number)} $$"]
    assert ours(*words).returncode == -number
    assert ours("--fork", *words).returncode == 128 + number


@pytest.mark.parametrize("options", [["-r"], ["-rp"], ["-rm"]], ids=" ".join)
def test_without_fork_the_tool_becomes_the_program(options):
    """The tool and the program have one pid, so a signal kills the program at once. Only its
    children are in the new pid namespace.
    """
    script = "echo ready; sh -c 'echo $$'; exec sleep 1000"
    with subprocess.Popen([str(OURS), *options, "sh", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        child = int(process.stdout.readline())
        assert (child == 1) == ("p" in options[0])
        while os.readlink(f"/proc/{process.pid}/exe").rsplit("/", 1)[1] == "sh" or "sleep" not in open(f"/proc/{process.pid}/cmdline").read():
            time.sleep(0.01)
        process.kill()
        assert process.wait(10) == -signal.SIGKILL


def test_what_is_ignored_stays_ignored():
    done = run("sh", "-c", f"trap '' HUP; exec {OURS} -r sh -c 'kill -HUP $$; echo alive'")
    assert done.stdout == "alive\n", done


@pytest.mark.parametrize(
    "option",
    ["--kill-child=TERM", "--root=/", "-R/", "--load-interp=x", "-lx", "--mount-binfmt", "--owner=0:0"]
    + ["--map-subids", "--map-users=all", "--map-users=subids", "--map-users=auto", "--map-groups=auto"],
)
def test_what_is_not_there_yet_is_said(option):
    assert "not supported yet" in refused(option, "true")


def test_options_end_at_the_program():
    assert output("echo", "-r", "--help") == "-r --help"
    assert output("--", "echo", "-V") == "-V"


def test_without_a_program_the_shell_runs():
    assert output(env={**os.environ, "SHELL": "/bin/echo"}) == ""
    without = {name: value for name, value in os.environ.items() if name != "SHELL"}
    assert output(env=without, input="echo $0\n") == "/bin/sh"


def test_help_names_each_option():
    text = output("-h")
    for option in ["--fork", "--mount-proc", "--map-users", "--forward-signals", *("--" + kind for kind in KINDS)]:
        assert option in text
    assert text == output("--help")
    assert re.fullmatch(r"unshare from nsiso \d+\.\d+\.\d+", output("-V"))


def test_setgroups_may_be_denied_beside_the_map_that_denies_it():
    # The installed unshare (2.38) writes "deny" twice and fails.
    assert output("-r", "--setgroups=deny", "cat", "/proc/self/setgroups") == "deny"


def test_the_host_keeps_its_name():
    before = os.uname().nodename
    assert output("-ru", "sh", "-c", "hostname changed && hostname") == "changed"
    assert os.uname().nodename == before


def test_a_descriptor_is_passed_on(tmp_path):
    with open(tmp_path / "file", "w+") as file:
        assert ours("sh", "-c", f"echo text >/dev/fd/{file.fileno()}", pass_fds=[file.fileno()]).returncode == 0
        file.seek(0)
        assert file.read() == "text\n"


def started(*arguments):
    """Starts unshare(1) and returns when its program has printed that it is ready."""
    process = subprocess.Popen([str(OURS), *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_with_fork_signals_to_unshare_are_ignored(number):
    with started("--fork", "sh", "-c", "echo ready; read line </dev/null; sleep 0.3; echo end") as process:
        process.send_signal(number)
        assert process.stdout.read() == "end\n"
    assert process.returncode == 0


def test_without_fork_a_signal_is_the_programs():
    script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    with started("-r", "sh", "-c", script) as process:
        process.terminate()
        assert process.stdout.read() == "caught\n"
    assert process.returncode == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_to_unshare_are_forwarded_if_wanted(number):
    with started("--forward-signals", "sh", "-c", "echo ready; exec sleep 60") as process:
        time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(10) == 128 + number


def test_a_forwarded_signal_reaches_a_trap():
    script = "trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    with started("-rp", "--forward-signals", "sh", "-c", script) as process:
        process.terminate()
        assert process.stdout.read() == "caught\n"
    assert process.returncode == 3


def test_an_ignored_sigchld_does_not_lose_the_code():
    done = run("sh", "-c", f"trap '' CHLD; exec {OURS} sh -c 'exit 9'")
    assert done.returncode == 9


RANGES = {
    # The order of arguments before util-linux 2.39, which newer versions accept too.
    "--map-users=100000,0,10 --map-groups=100000,0,10": "cat /proc/self/uid_map /proc/self/gid_map",
    "--map-users=100000,0,10 --map-user=3": "id -u; cat /proc/self/uid_map",
    "--map-users=100000,5,10 --map-user=5": "id -u; cat /proc/self/uid_map",
    "--map-groups=100000,0,10 --map-group=3": "id -g; cat /proc/self/gid_map /proc/self/setgroups",
    "--map-auto": "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups",
    "--map-auto -r": "id -u; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; touch f; chown 1:1 f; stat -c %u:%g f",
    "--map-auto -c": "id -u; cat /proc/self/uid_map",
    "--map-users=auto --map-groups=auto": "cat /proc/self/uid_map",
    "--map-auto -S 5 -G 6": "id -u; id -g; id -G",
    "--map-auto -r -G 6": "id -G",
}


@needs_root("mount over /etc/subuid")
@pytest.mark.parametrize("as_ordinary", [False, True], ids=["root", "ordinary"])
@pytest.mark.parametrize("options", RANGES)
def test_ranges_of_ids_map_as_with_the_installed_one(options, as_ordinary, tmp_path):
    """The tools run in a mount namespace whose /etc/subuid grants ids to both users. The files are
    in a new directory.
    """
    lent = tmp_path / "lent"
    lent.write_text("root:100000:65536\nnobody:100000:65536\n")
    user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] if as_ordinary else []
    prepare = (
        f"mount --bind {lent} /etc/subuid && mount --bind {lent} /etc/subgid && "
        'mount -t tmpfs -o mode=777 none /mnt && cd /mnt && exec "$@"'
    )
    answers = [
        run(THEIRS, "-m", "sh", "-c", prepare, "sh", *user, tool, *options.split(), "sh", "-c", RANGES[options])
        for tool in (OURS, THEIRS)
    ]
    assert answers[0].stdout == answers[1].stdout != "", answers
    assert answers[0].returncode == answers[1].returncode == 0


@needs_root("map ids that are not lent")
def test_both_orders_of_a_range_mean_the_same():
    new = output("--map-users=3:100000:10", "cat", "/proc/self/uid_map")
    assert new.split() == ["3", "100000", "10"]
    assert new == output("--map-users=100000,3,10", "cat", "/proc/self/uid_map")


@needs_root("map ids that are not lent")
def test_several_ranges_are_all_mapped():
    text = output("--map-users=0:100000:10", "--map-users=20:200000:5", "cat", "/proc/self/uid_map")
    assert [line.split() for line in text.splitlines()] == [["0", "100000", "10"], ["20", "200000", "5"]]


@needs_root("map ids that are not lent")
def test_the_callers_own_id_leaves_a_hole_on_both_sides():
    text = output("--map-user=5", "--map-users=0:0:10", "cat", "/proc/self/uid_map")
    assert [line.split() for line in text.splitlines()] == [["5", "0", "1"], ["0", "1", "5"], ["6", "6", "4"]]


@needs_root("change the uid without a user namespace")
def test_root_runs_as_another_user_without_groups():
    assert output("-S", "65534", "-G", "65534", "sh", "-c", "id -u; id -g; id -G").split() == ["65534"] * 3


@pytest.mark.skipif(ROOT, reason="needs an ordinary user: root may map every id")
def test_ids_that_were_not_lent_are_refused():
    # Repeated, because the death of the child and the answer to it must not race.
    for _ in range(50):
        complaint = refused("--map-users=0:100000:10", "--map-groups=0:100000:10", "true", code=CANNOT_EXECUTE, timeout=10)
    assert "/etc/sub" in complaint and f"{pwd.getpwuid(os.geteuid()).pw_name}:100000:10" in complaint


def test_kill_child_leaves_nothing():
    mark = f"102.{os.getpid()}"
    words = [OURS, "-U", "-r", "-p", "--kill-child", "sh", "-c", f"sleep {mark} & sleep {mark}"]
    with subprocess.Popen(words) as tool:
        time.sleep(0.3)
        tool.kill()
    deadline = time.monotonic() + 10
    find = ["pgrep", "-f", f"sleep {mark}"]
    while subprocess.run(find, capture_output=True).returncode == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "needs --pid" in refused("--kill-child", "true")
