"""Tests that no process that may trace a spawned child can read or write the caller's memory
through that child.

A victim spawns programs while an attacker tries to read a marker in the victim's memory through
every new process. The attacker may trace the spawned programs, but not the victim. An observer
checks the underlying rule: no two processes share memory while their credentials or user namespaces
differ.

The control tests make the same attackers succeed against children that share memory on purpose.

NSISO_MEMGRAB_SECONDS is the duration of each attack, 1 by default. NSISO_INCLUDE and NSISO_LIB are
the directories of nsiso.h and libnsiso.so, to test another build than this tree's.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = os.environ.get("NSISO_INCLUDE", ROOT / "include")
LIB = os.environ.get("NSISO_LIB", ROOT / "build/lib")
SECONDS = float(os.environ.get("NSISO_MEMGRAB_SECONDS", "1"))
IS_ROOT = os.geteuid() == 0

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
SOME_CAPS = "+sys_admin,+sys_chroot,+setuid,+setgid,+setpcap,+setfcap,+net_admin,+dac_override"
NOBODY_WITH_CAPS = [*NOBODY, f"--inh-caps={SOME_CAPS}", f"--ambient-caps={SOME_CAPS}"]
ROOT_WITHOUT_CAPS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]


def needs_root(to):
    return pytest.mark.skipif(not IS_ROOT, reason=f"needs root, to {to}")


class Program:
    """A program that ends when the block ends.

    Its standard input is closed at the end of the block, or when this test is killed. All programs
    of this test end when their standard input is closed or when their parent ends.
    """

    def __init__(self, *command):
        self.command = [str(word) for word in command]
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            bufsize=0,
        )
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        process = self.process
        self.close_input()
        for end in process.terminate, process.kill:
            try:
                process.wait(5)
                break
            except subprocess.TimeoutExpired:
                end()
        process.wait()
        process.stdout.close()
        self.errors.close()

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    def line(self, timeout=20):
        """The next line of output, without the newline."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self.rest:
            left = max(0, deadline - time.monotonic())
            ready, _, _ = select.select([self.process.stdout], [], [], left)
            more = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert more, f"no line from {self.command}: {self.said()}"
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def counts(self, timeout=20):
        """The next line of the form "name=number ...", and the lines before it."""
        lines = []
        while "=" not in (line := self.line(timeout)):
            lines.append(line)
        counts = {name: int(value) for name, value in (word.split("=") for word in line.split())}
        return counts, lines

    def close_input(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()


@pytest.fixture(scope="session")
def programs():
    """The directory of the compiled programs, which other users can execute."""
    directory = Path(tempfile.mkdtemp(prefix="nsiso-security-"))
    try:
        directory.chmod(0o755)
        flags = "-std=c11 -Wall -Wextra -pedantic -Werror -O2 -D_GNU_SOURCE -pthread".split()
        for name in "memgrab", "observer", "container", "victim":
            library = [f"-I{INCLUDE}", f"-L{LIB}", "-lnsiso", f"-Wl,-rpath,{LIB}"]
            if name != "victim":
                library = []
            source, binary = Path(__file__).with_name(f"{name}.c"), directory / name
            command = ["cc", *flags, "-o", binary, source, *library]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
            binary.chmod(0o755)
        yield directory
    finally:
        shutil.rmtree(directory)


class Scene:
    """A victim, the container that it joins, and the attacker or the observer."""

    def __init__(self, programs, stack):
        self.programs, self.stack = programs, stack

    def start(self, *command):
        return self.stack.enter_context(Program(*command))

    def start_victim(self, scenario, threads, other):
        """Starts the victim. Its privileges depend on `other`, which is the attacker or the
        container.
        """
        command = [self.programs / "victim", scenario, threads, SECONDS]
        self.victim = self.start(*victim_of(other), *command)
        _, self.address, self.marker = self.victim.line().split()

    def run_victim(self, container=0):
        """Runs the victim and returns its counts."""
        self.victim.process.stdin.write(b"%d\n" % container)
        counts, _ = self.victim.counts(SECONDS + 60)
        return counts

    def container(self, kind, *command):
        """Starts a container with this command as its PID 1, and returns the pid of the command."""
        launch = [*victim_of(kind), self.programs / "container", *CONTAINERS[kind]]
        program = self.start(*launch, *command)
        word, pid = program.line().split()
        assert word == "pid"
        return program, int(pid)

    def memgrab(self):
        return self.programs / "memgrab", self.address, self.marker, SECONDS + 120


def victim_of(other):
    """The command that gives the victim and its container their privileges."""
    if other == "same uid":
        return NOBODY_WITH_CAPS
    return NOBODY if IS_ROOT and other in CONTAINERS and other.startswith("ordinary") else []


# Attackers that are processes on the host.
ATTACKERS = {
    "nobody": NOBODY,
    # The victim has capabilities and is not root; the attacker has its uid and no capabilities.
    "same uid": NOBODY,
    "uid 0 without caps": ROOT_WITHOUT_CAPS,
}

# Attackers that are root in the container that the victim joins.
CONTAINERS = {
    # No user namespace, as in Docker by default; root in it has Docker's capabilities.
    "docker": ["--docker"],
    "docker, time": ["--docker", "--time"],
    # Root in it may trace every process that it sees.
    "privileged": [],
    # A user namespace with a range of ids, as in Docker with userns-remap.
    "remapped": ["--user", "--docker"],
    "remapped, all caps": ["--user"],
    "remapped, time": ["--user", "--docker", "--time"],
    # A container of an ordinary user: root inside has the user's own uid outside.
    "ordinary": ["--user"],
    "ordinary, docker": ["--user", "--docker"],
    "ordinary, time": ["--user", "--time"],
}


def children():
    """The pids of all children of this process."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            # The name in parentheses may contain any character.
            text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == os.getpid():
            found.add(int(pid))
    return found


@contextmanager
def no_orphans():
    """Ends the children that a dead victim leaves. This process adopts them as their subreaper."""
    set_child_subreaper = 36
    prctl, before = ctypes.CDLL(None).prctl, children()
    prctl(set_child_subreaper, 1, 0, 0, 0)
    try:
        yield
    finally:
        deadline = time.monotonic() + 5
        while orphans := children() - before:
            for pid in orphans:
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.01)
        prctl(set_child_subreaper, 0, 0, 0, 0)


@pytest.fixture
def scene(programs):
    with no_orphans(), ExitStack() as stack:
        yield Scene(programs, stack)


def attack(scene, scenario, threads, attacker):
    """The counts of the victim and of the attacker, and the victim's error messages."""
    scene.start_victim(scenario, threads, attacker)
    pid = 0
    if attacker in CONTAINERS:
        grabber, pid = scene.container(attacker, *scene.memgrab())
    else:
        grabber = scene.start(*ATTACKERS[attacker], *scene.memgrab())
    assert grabber.line() == "ready"
    victim = scene.run_victim(pid)
    grabber.close_input()
    grabbed, _ = grabber.counts()
    print(f"{scenario} x{threads}, {attacker}: {victim} {grabbed}")
    return victim, grabbed, scene.victim.said()


def root_only(*values):
    return pytest.param(*values, marks=needs_root("have a victim that is root"))


ATTACKS = [
    root_only("uid", 1, "nobody"),
    root_only("uid", 4, "nobody"),
    root_only("pid_uid", 1, "nobody"),
    root_only("pid_uid", 4, "nobody"),
    root_only("pid", 4, "nobody"),
    root_only("pid", 4, "uid 0 without caps"),
    root_only("pid_caps", 1, "uid 0 without caps"),
    root_only("caps", 1, "uid 0 without caps"),
    root_only("user", 1, "uid 0 without caps"),
    root_only("user_caps", 1, "uid 0 without caps"),
    root_only("user_caps", 4, "uid 0 without caps"),
    root_only("sandbox", 1, "uid 0 without caps"),
    root_only("sandbox", 4, "uid 0 without caps"),
    root_only("sandbox", 4, "nobody"),
    root_only("caps", 1, "same uid"),
    root_only("caps", 4, "same uid"),
    root_only("user_caps", 4, "same uid"),
    root_only("sandbox", 4, "same uid"),
    *(
        root_only(scenario, threads, container)
        for container in ("docker", "remapped")
        for scenario in ("join", "join_caps", "join_user", "join_time")
        for threads in (1, 4)
    ),
    root_only("join", 4, "docker, time"),
    root_only("join_caps", 4, "docker, time"),
    root_only("join_caps", 1, "privileged"),
    root_only("join", 1, "privileged"),
    root_only("join", 4, "remapped, all caps"),
    root_only("join_user", 4, "remapped, all caps"),
    root_only("join_caps", 4, "remapped, time"),
    ("join", 1, "ordinary"),
    ("join", 4, "ordinary"),
    ("join_user", 1, "ordinary"),
    ("join_user", 4, "ordinary"),
    ("join_time", 4, "ordinary"),
    ("join_caps", 4, "ordinary, docker"),
    ("join", 4, "ordinary, time"),
]


@pytest.mark.parametrize("scenario, threads, attacker", ATTACKS)
def test_the_memory_of_the_host_is_out_of_reach(scene, scenario, threads, attacker):
    victim, grabbed, said = attack(scene, scenario, threads, attacker)
    assert grabbed["reads"] == 0 and victim["intact"] == 1, (victim, grabbed)
    # The test is valid only if programs were spawned and the attacker saw processes.
    assert victim["spawns"] > 0 and victim["failures"] == 0, said
    assert grabbed["seen"] > 0, grabbed


def yama():
    """Whether Yama restricts ptrace(2) to ancestors, owners and holders of CAP_SYS_PTRACE."""
    try:
        return Path("/proc/sys/kernel/yama/ptrace_scope").read_text().strip() != "0"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "scenario, attacker",
    [
        root_only("control_uid", "nobody"),
        root_only("control_user", "uid 0 without caps"),
        root_only("control_uid", "same uid"),
        root_only("control_join", "docker"),
        root_only("control_join", "privileged"),
        root_only("control_join", "remapped"),
        root_only("control_join", "remapped, all caps"),
        ("control_join", "ordinary"),
        ("control_join", "ordinary, docker"),
    ],
)
def test_an_attacker_reads_memory_that_is_shared_on_purpose(scene, scenario, attacker):
    if yama() and attacker in ("nobody", "same uid", "docker", "remapped", "ordinary, docker"):
        pytest.skip("Yama refuses this attacker: kernel.yama.ptrace_scope is not 0")
    victim, grabbed, said = attack(scene, scenario, 1, attacker)
    assert victim["spawns"] > 0 and victim["failures"] == 0, said
    assert grabbed["reads_vm"] > 0 and grabbed["reads_mem"] > 0, (victim, grabbed)
    assert grabbed["writes"] > 0 and victim["intact"] == 0, (victim, grabbed)


def observe(scene, scenario, container):
    """The counts of the victim and of the observer, and examples of violations."""
    scene.start_victim(scenario, 2, container)
    pid = 0
    if container:
        _, pid = scene.container(container, shutil.which("cat"))
    observer = scene.start(scene.programs / "observer", scene.victim.process.pid, SECONDS + 120)
    assert observer.line() == "ready"
    victim = scene.run_victim(pid)
    observer.close_input()
    observed, found = observer.counts()
    print(f"{scenario}, {container}: {victim} {observed}", *found, sep="\n")
    return victim, observed, found


@needs_root("compare processes of other users")
@pytest.mark.parametrize(
    "scenario, container",
    [
        *((name, None) for name in ("uid", "caps", "user", "user_caps", "sandbox")),
        *((name, None) for name in ("pid", "pid_uid", "pid_caps")),
        *((name, "docker") for name in ("join", "join_caps", "join_user", "join_time")),
        *((name, "remapped") for name in ("join", "join_caps", "join_user", "join_time")),
        *((name, "ordinary") for name in ("join", "join_user", "join_time")),
        ("join", "docker, time"),
        ("join", "remapped, time"),
    ],
)
def test_processes_that_share_memory_have_the_same_credentials(scene, scenario, container):
    victim, observed, found = observe(scene, scenario, container)
    assert observed["violations"] == 0, found
    assert victim["spawns"] > 0 and victim["failures"] == 0, scene.victim.said()
    assert observed["pairs"] > 0, observed


@needs_root("compare processes of other users")
@pytest.mark.parametrize("scenario", ["control_uid", "control_user", "control_join"])
def test_the_observer_finds_shared_memory(scene, scenario):
    container = "remapped" if scenario == "control_join" else None
    victim, observed, found = observe(scene, scenario, container)
    assert observed["violations"] > 0 and found, (victim, observed)


@needs_root("compare processes of other users")
def test_the_observer_allows_a_child_of_vfork(scene):
    victim, observed, found = observe(scene, "control_vfork", None)
    assert observed["shared"] > 0 and observed["violations"] == 0, (victim, observed, found)
