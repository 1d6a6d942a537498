"""Tests nsiso.list: namespaces held in every possible way, trees, gaps, processes that come and go
during the listing, and agreement with lsns(8).
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading

import pytest

import nsiso

SCENE = pathlib.Path(__file__).with_name("scene.py")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to change the machine's mounts or hide processes")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Starts a program that holds namespaces in every way; returns a dict of them, by the way of
    holding.
    """
    place = tmp_path_factory.mktemp("scene")
    place.chmod(0o755)
    kinds = dict(map_root=True, mnt=True, net=True, uts=True)
    with nsiso.Popen(["/usr/bin/python3", SCENE, place], stdin=nsiso.PIPE, stdout=nsiso.PIPE, text=True, **kinds) as program:
        yield {"pid": program.pid, **json.loads(program.stdout.readline())}
        program.kill()


@pytest.fixture(scope="module")
def listing(scene):
    return nsiso.list()


def test_processes(scene, listing):
    found = listing.find(inode=scene["processes"]["inode"])
    assert found.kind == "uts" and found.processes() == sorted(scene["processes"]["pids"])
    assert (found.nprocs, found.held, found.holders) == (2, ("processes",), [])
    assert found.pid == min(scene["processes"]["pids"]) and found.ppid == scene["pid"]
    assert found.uid == os.geteuid() and "scene.py" in found.command and found.user
    assert found.owner == listing.find(pid=scene["pid"], kind="user") and found.creator == os.geteuid()
    assert found.owner.parent == listing.find(pid=os.getpid(), kind="user") or os.geteuid() != 0


@pytest.mark.parametrize(
    "way, kind, holder",
    [
        ("mounts", "uts", ("mount", "pid", None, None)),
        ("descriptors", "ipc", ("descriptor", "pid", None, "fd")),
        ("sockets", "net", ("socket", "pid", None, "fd")),
        ("threads", "uts", ("thread", "pid", "tid", None)),
        ("time_for_children", "time", ("time_for_children", "pid", "pid", None)),
        ("pid_for_children", "pid", ("pid_for_children", "pid", "pid", None)),
    ],
)
def test_a_namespace_without_a_process_is_found_and_its_holder_named(scene, listing, way, kind, holder):
    made = scene[way]
    found = listing.find(inode=made["inode"])
    assert (found.kind, found.held, found.nprocs, found.pid) == (kind, (way,), 0, None)
    expected = (holder[0], *[made[name] if name else None for name in holder[1:]])
    assert [tuple(one[:4]) for one in found.holders] == [expected]
    # The owner is known, because the listing asked the kernel about the namespace anyway.
    assert found.owner == listing.find(pid=scene["pid"], kind="user")


def test_a_mount_is_told_with_its_path_and_its_mount_namespace(scene, listing):
    found = listing.find(inode=scene["mounts"]["inode"])
    assert found.paths == [scene["mounts"]["path"]]
    elsewhere = listing.find(pid=scene["mounts"]["pid"], kind="mnt")
    assert found.holders[0].mount_namespace == elsewhere.inode


def test_a_user_namespace_between_two_others_is_found(scene, listing):
    middle = listing.find(inode=scene["descendants"]["inode"])
    below = listing.find(inode=scene["descendants"]["below"])
    assert (middle.kind, middle.held, middle.nprocs) == ("user", ("descendants",), 0)
    assert below.parent == middle and below.owner == middle and middle.depth == below.depth - 1
    assert middle.parent == listing.find(pid=scene["pid"], kind="user")


def test_each_place_can_be_left_out(scene):
    for keyword, ways in {
        "mounts": ["mounts"],
        "descriptors": ["descriptors"],
        "sockets": ["sockets"],
        "threads": ["threads"],
        "children": ["time_for_children", "pid_for_children"],
        "details": ["descendants"],
    }.items():
        listing = nsiso.list(**{keyword: False})
        for way in ("mounts", "descriptors", "sockets", "threads", "time_for_children", "pid_for_children", "descendants"):
            assert (listing.find(inode=scene[way]["inode"]) is None) == (way in ways), (keyword, way)


def test_kinds_narrow_the_listing(scene):
    whole, narrow = nsiso.list(), nsiso.list(["net", "uts"])
    assert {namespace.kind for namespace in narrow} == {"net", "uts"}
    wanted = {namespace.inode for namespace in whole if namespace.kind in ("net", "uts")}
    assert wanted - {namespace.inode for namespace in narrow} == set()
    # The inode of the owner is known, though the owner itself is not listed.
    assert narrow[-1].owner is None and narrow[-1].owner_inode in {namespace.inode for namespace in whole}
    assert {namespace.kind for namespace in nsiso.list("mnt", own=True)} == {"mnt"}


def test_own_processes_alone():
    listing = nsiso.list(own=True)
    everybody = {pid for namespace in listing for pid in namespace.processes()}
    assert os.getpid() in everybody
    for pid in everybody:
        try:
            assert os.stat(f"/proc/{pid}").st_uid == os.geteuid()
        except FileNotFoundError:
            pass


def test_one_namespace_is_found_by_each_of_its_names(scene, listing):
    pid = scene["pid"]
    by_process = listing.find(pid=pid, kind="net")
    with open(f"/proc/{pid}/ns/net") as link:
        assert listing.find(fd=link.fileno()) == by_process
    assert listing.find(path=f"/proc/{pid}/ns/net") == by_process == listing.find(inode=by_process.inode)
    assert by_process.inode == os.stat(f"/proc/{pid}/ns/net").st_ino and by_process.device == os.stat(f"/proc/{pid}/ns/net").st_dev
    assert listing.find(inode=1) is None and listing.find(pid=2**30, kind="net") is None


def test_names_that_are_no_namespace_are_refused(listing):
    with open("/dev/null") as null, pytest.raises(nsiso.Error, match="no namespace"):
        listing.find(fd=null.fileno())
    with pytest.raises(nsiso.Error, match="/etc/passwd: it is no namespace"):
        listing.find(path="/etc/passwd")
    with pytest.raises(FileNotFoundError, match="/no/such"):
        listing.find(path="/no/such")
    with pytest.raises(ValueError, match="no kind"):
        listing.find(pid=1, kind="network")
    with pytest.raises(ValueError, match="no kind"):
        nsiso.list("network")
    with pytest.raises(TypeError, match="one of"):
        listing.find()
    with pytest.raises(IndexError):
        listing[len(listing)]


def test_trees_hold_each_namespace_once(scene, listing):
    def flat(nodes):
        for node in nodes:
            yield node.namespace.inode
            yield from flat(node.children)

    by_owner = [*flat(nsiso.tree(listing=listing))]
    assert sorted(by_owner) == [namespace.inode for namespace in listing]
    by_parent = [*flat(nsiso.tree("parent", listing))]
    assert sorted(by_parent) == [namespace.inode for namespace in listing if namespace.kind in ("user", "pid")]
    with pytest.raises(ValueError, match="owner"):
        nsiso.tree("process")


def test_a_listing_is_a_sequence_of_plain_things(listing):
    assert [namespace.inode for namespace in listing] == sorted({namespace.inode for namespace in listing})
    assert listing[-1] == listing[len(listing) - 1] and len(listing[2:4]) == 2
    assert repr(listing[0]).startswith(f"<NamespaceInfo {listing[0].kind}:[")
    json.dumps([namespace.to_dict() for namespace in listing])


def test_a_listing_as_json_is_what_the_attributes_are(listing):
    whole = listing._snapshot.to_dict()
    assert whole["gaps"] == listing.gaps._asdict() and len(whole["namespaces"]) == len(listing)
    for written, namespace in zip(whole["namespaces"], listing):
        index = lambda relative: None if relative is None else relative.index  # noqa: E731
        beside = dict(processes=namespace.processes(), parent=index(namespace.parent), owner=index(namespace.owner))
        assert written == {**namespace.to_dict(), **beside}
    assert json.loads(json.dumps(whole)) == whole


def test_the_64_bit_id_is_the_kernels(listing):
    own = listing.find(pid=os.getpid(), kind="mnt")
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 8):
        pytest.skip("NS_GET_MNTNS_ID needs Linux 6.8")
    assert own.id and len({namespace.id for namespace in listing}) == len(listing)


def test_the_nsid_is_the_one_that_ip_gave():
    program = """
import subprocess, nsiso
with nsiso.Popen(["sleep", "1000"], net=True) as child:
    try:
        there = str(child.pid)
        subprocess.run(["ip", "link", "add", "here0", "type", "veth", "peer", "name", "there0", "netns", there], check=True)
        subprocess.run(["ip", "link", "show", "here0"], check=True)
        print(nsiso.list("net").find(pid=child.pid, kind="net").nsid)
    finally:
        child.kill()
"""
    done = nsiso.run([sys.executable, "-c", program], map_root=True, net=True, capture_output=True, text=True)
    assert done.stdout.split()[-1] == "0" and "link-netnsid 0" in done.stdout, done


def test_an_ordinary_user_is_told_what_was_hidden():
    program = "import nsiso; gaps = nsiso.list().gaps; print(gaps.complete, gaps.unreadable > 0)"
    user = dict(user=65533, group=65533, extra_groups=[]) if os.geteuid() == 0 else {}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, **user)
    assert done.stdout.split() == ["False", "True"], done


def test_inside_a_pid_namespace_the_outside_is_told_to_be_hidden():
    program = "import nsiso; l = nsiso.list(); print(l.gaps.inner_pid_namespace, l.gaps.foreign_proc, l.gaps.complete, len(l))"
    command = [sys.executable, "-c", program]
    inside = nsiso.run(command, map_root=True, pid=True, mount_proc=True, capture_output=True, text=True)
    assert inside.stdout.split()[:3] == ["True", "False", "False"] and int(inside.stdout.split()[3]) >= 8
    # Without a fresh procfs, the mounted one shows the pids of another pid namespace.
    foreign = nsiso.run(command, map_root=True, pid=True, capture_output=True, text=True)
    assert foreign.stdout.split()[1:3] == ["True", "False"], foreign


def test_without_a_proc_the_remedy_is_named():
    program = "import nsiso\ntry:\n    nsiso.list()\nexcept nsiso.Error as error:\n    print(error.step, error.errno, error)"
    line = f"mount -t tmpfs t /proc; exec {sys.executable} -c '{program}'"
    done = nsiso.run(["sh", "-c", line], map_root=True, mnt=True, capture_output=True, text=True)
    assert done.stdout.startswith("list 2 look at /proc") and "mount a proc" in done.stdout, done


@root_only
def test_hidepid_is_told():
    program = "import nsiso; gaps = nsiso.list().gaps; print(gaps.hidden_processes, gaps.complete)"
    line = f"mount -o remount,hidepid=2 /proc; exec setpriv --reuid 65534 --clear-groups --regid 65534 {sys.executable} -c '{program}'"
    keywords = dict(uid_map=[(0, 0, 65536)], gid_map=[(0, 0, 65536)])
    done = nsiso.run(["sh", "-c", line], pid=True, mount_proc=True, capture_output=True, text=True, **keywords)
    assert done.stdout.split() == ["True", "False"], done


@root_only
def test_a_named_network_namespace():
    name = f"nsiso-{os.getpid()}"
    # The program runs in its own mount namespace, where it mounts its own /run.
    program = f"""
import subprocess, nsiso
subprocess.run("mount -t tmpfs t /run && ip netns add {name}", shell=True, check=True)
(found,) = [one for one in nsiso.list("net") if one.paths[:1] == ["/run/netns/{name}"]]
print(found.held, found.nprocs, nsiso.list("net").find(path="/run/netns/{name}") == found)
"""
    done = nsiso.run([sys.executable, "-c", program], mnt=True, capture_output=True, text=True)
    assert done.stdout == "('mounts',) 0 True\n", done


COLUMNS = "NS,TYPE,NPROCS,PID,UID,PNS,ONS"


def lsns():
    """The rows of lsns(8), which may fail when a process ends while it looks at it."""
    for _ in range(20):
        done = subprocess.run(["lsns", "-n", "-r", "-o", COLUMNS], capture_output=True, text=True)
        if done.returncode == 0:
            break
    done.check_returncode()
    return {tuple(line.split()) for line in done.stdout.splitlines()}


@pytest.mark.skipif(not shutil.which("lsns"), reason="lsns (util-linux) is not installed")
def test_every_stable_row_of_lsns_is_ours_too(scene):
    def row(namespace):
        parent = namespace.parent_inode if namespace.kind in ("user", "pid") else None
        cells = (namespace.inode, namespace.kind, namespace.nprocs, namespace.pid, namespace.uid, parent or 0)
        return tuple(map(str, (*cells, namespace.owner_inode or 0)))

    for _ in range(10):
        # The tools themselves are part of some rows, and those rows change from run to run.
        stable = lsns() & lsns()
        ours = {row(namespace) for namespace in nsiso.list()} | {row(namespace) for namespace in nsiso.list()}
        listers = {pid for pid in map(str, nsiso.list().find(pid=os.getpid(), kind="mnt").processes())}
        different = {theirs for theirs in stable - ours if str(os.getpid()) not in listers or not near(theirs, ours)}
        if not different:
            break
    assert not different and len(stable) >= 8
    missed = {scene[way]["inode"] for way in scene if way not in ("pid", "processes")}
    assert not missed & {int(theirs[0]) for theirs in lsns()} and missed <= {namespace.inode for namespace in nsiso.list()}


def near(theirs, ours):
    """Whether a row differs only in its count of processes: lsns counts itself, nsiso does not."""
    return any(one[:2] == theirs[:2] and one[3:] == theirs[3:] and int(one[2]) + 1 == int(theirs[2]) for one in ours)


def test_listing_while_namespaces_come_and_go(scene):
    stop = threading.Event()
    failures = []

    def churn():
        while not stop.is_set():
            try:
                nsiso.run(["/bin/true"], map_root=True, pid=True, net=True, uts=True)
            except nsiso.Error as error:
                failures.append(error)

    threads = [threading.Thread(target=churn) for _ in range(4)]
    for thread in threads:
        thread.start()
    lasting = {scene[way]["inode"] for way in scene if way != "pid"}
    try:
        for _ in range(200):
            listing = nsiso.list()
            inodes = [namespace.inode for namespace in listing]
            assert len(set(inodes)) == len(inodes) and lasting <= set(inodes)
            assert all(namespace.held for namespace in listing)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures


def test_many_threads_read_one_listing(listing):
    expected = [namespace.to_dict() for namespace in listing]
    results = []
    threads = [
        threading.Thread(target=lambda: results.append([namespace.to_dict() for namespace in listing] == expected))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


@pytest.mark.parametrize("arguments", [[], ["net"], ["--tree"], ["--tree", "net"], ["--tree=parent"], ["--json"], ["--own", "user"]])
def test_the_command(arguments, scene):
    done = subprocess.run([sys.executable, "-m", "nsiso", "list", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done
    own = str(os.stat("/proc/self/ns/net" if arguments == ["net"] else "/proc/self/ns/user").st_ino)
    if arguments == ["--json"]:
        listed = json.loads(done.stdout)
        assert own in {str(one["inode"]) for one in listed["namespaces"]} and "complete" in listed["gaps"]
        found = next(one for one in listed["namespaces"] if str(one["inode"]) == own)
        assert os.getpid() in found["processes"] and found["nprocs"] == len(found["processes"])
    else:
        assert done.stdout.startswith("NS ") and own in done.stdout


def test_the_command_refuses_what_it_does_not_know():
    done = subprocess.run([sys.executable, "-m", "nsiso", "list", "network"], capture_output=True, text=True)
    assert done.returncode == 1 and "'network' is no kind" in done.stderr.replace('"', "'")


def test_a_reader_may_stop():
    """As head(1) does: nothing is written to standard error."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "nsiso", "list", "--json"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
