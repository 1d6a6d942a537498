"""Tests that examples/c/lsns.c prints the same rows, columns and error messages as the installed
lsns(8).
"""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

OURS = pathlib.Path(__file__).parents[2] / "build/bin/lsns"
THEIRS = shutil.which("lsns")
COLUMNS = ["NS", "TYPE", "PATH", "NPROCS", "PID", "PPID", "COMMAND", "UID", "USER", "NETNSID", "NSFS", "PNS", "ONS"]
with_theirs = pytest.mark.skipif(not THEIRS, reason="lsns (util-linux) is not installed")


def run(tool, *arguments):
    return subprocess.run([str(tool), *arguments], capture_output=True, text=True)


def output(*arguments):
    done = run(OURS, *arguments)
    assert done.returncode == 0, done
    return done.stdout


@with_theirs
@pytest.mark.parametrize("columns", ["NS,TYPE", "NS,TYPE,NPROCS,PID,PPID,UID,USER,PNS,ONS,PATH", "NS,NETNSID,PID"])
def test_each_row_of_theirs_is_among_ours(columns):
    def rows(tool):
        # Rows of the tools themselves differ from run to run.
        (first, second) = (run(tool, "-n", "-r", "-o", columns).stdout.splitlines() for _ in range(2))
        return {*first} & {*second}

    for _ in range(10):
        missing = rows(THEIRS) - rows(OURS)
        if not missing:
            break
    assert not missing


def test_all_thirteen_columns_in_each_form():
    assert output("--output-all", "-r").splitlines()[0].split() == COLUMNS
    assert output("--output-all").splitlines()[0].split() == COLUMNS
    listed = json.loads(output("-J", "--output-all"))["namespaces"]
    assert all([*one] == [name.lower() for name in COLUMNS] for one in listed)
    own = [one for one in listed if one["ns"] == os.stat("/proc/self/ns/user").st_ino]
    assert own[0]["type"] == "user" and own[0]["nprocs"] > 0


def test_columns_are_chosen_and_added():
    assert output("-o", "type,NS").splitlines()[0].split() == ["TYPE", "NS"]
    assert output("-o", "+PATH").splitlines()[0].split() == ["NS", "TYPE", "NPROCS", "PID", "USER", "COMMAND", "PATH"]
    assert {line.split()[0] for line in output("-n", "-t", "net", "-t", "uts", "-o", "TYPE").splitlines()} == {"net", "uts"}
    assert "NETNSID NSFS" in " ".join(output("-t", "net").splitlines()[0].split())


@pytest.mark.parametrize("argument", ["inode", "path"])
def test_the_processes_of_one_namespace(argument):
    own = os.stat("/proc/self/ns/mnt").st_ino
    lines = output("-r", str(own) if argument == "inode" else f"/proc/{os.getpid()}/ns/mnt").splitlines()
    assert lines[0].split() == ["PID", "PPID", "USER", "COMMAND"]
    assert str(os.getpid()) in {line.split()[0] for line in lines}


def test_the_namespaces_of_one_process():
    inodes = {int(line) for line in output("-n", "-r", "-o", "NS", "-p", str(os.getpid())).splitlines()}
    assert inodes == {os.stat(f"/proc/self/ns/{kind}").st_ino for kind in "user pid mnt net ipc uts time cgroup".split()}


def test_a_namespace_held_by_a_descriptor_alone_is_persistent():
    with subprocess.Popen(["unshare", "-Ur", "--uts", "sh", "-c", "echo; read x"], stdin=-1, stdout=-1) as child:
        child.stdout.readline()
        link = open(f"/proc/{child.pid}/ns/uts")
        child.communicate()
    with link:
        line = f"{os.fstat(link.fileno()).st_ino} uts 0 /proc/{os.getpid()}/fd/{link.fileno()}"
        assert line in output("-P", "-n", "-r", "-o", "NS,TYPE,NPROCS,PATH").splitlines()


def test_an_owner_tree_nests_what_is_owned():
    with subprocess.Popen(["unshare", "-Ur", "--uts", "sh", "-c", "echo; read x"], stdin=-1, stdout=-1) as child:
        child.stdout.readline()
        inner = os.stat(f"/proc/{child.pid}/ns/user").st_ino
        owned = os.stat(f"/proc/{child.pid}/ns/uts").st_ino
        roots = json.loads(output("-J", "-T"))["namespaces"]
        drawn = output("-Towner", "-o", "NS,TYPE")
        by_parent = json.loads(output("-J", "--tree=parent", "-t", "user"))["namespaces"]
        child.communicate()

    def parents(nodes, above=None):
        for node in nodes:
            yield node["ns"], above
            yield from parents(node.get("children", []), node["ns"])

    home = os.stat("/proc/self/ns/user").st_ino
    assert dict(parents(roots))[owned] == inner and dict(parents(roots))[inner] == home
    assert dict(parents(by_parent))[inner] == home
    assert f"└─{owned}" in drawn or f"├─{owned}" in drawn


@with_theirs
@pytest.mark.parametrize("arguments", [["-t", "foo"], ["-o", "FOO"], ["99"], ["abc"], ["-p", "x"]])
def test_mistakes_are_named_in_the_same_words(arguments):
    ours, theirs = run(OURS, *arguments), run(THEIRS, *arguments)
    assert (ours.returncode, ours.stdout, ours.stderr) == (theirs.returncode, theirs.stdout, theirs.stderr)
    assert ours.returncode == 1
