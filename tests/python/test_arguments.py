"""Tests that meaningless arguments are refused with a clear message before anything is done."""

import math
import os

import nsiso
import pytest


@pytest.mark.parametrize(
    "keywords, error, text",
    [
        (dict(sandbox=0), TypeError, "sandbox is True or False"),
        (dict(sandbox=[]), TypeError, "sandbox is True or False"),
        (dict(sandbox=nsiso.Sandbox(share=["net"])), TypeError, "sandbox is True or False"),
        (dict(start_new_session="no"), TypeError, "start_new_session is True or False"),
        (dict(landlock=[]), TypeError, "landlock takes rules"),
        (dict(landlock=True), TypeError, "landlock takes rules"),
        (dict(seccomp="mkdir"), TypeError, "seccomp takes rules"),
        (dict(seccomp=nsiso.Seccomp(deny=["mkdir"], errno=0)), ValueError, "no errno"),
        (dict(landlock=nsiso.Landlock(connect_tcp=[70000])), ValueError, "no TCP port"),
        (dict(root=True), TypeError, "root is a directory"),
        (dict(deadline=True), TypeError, "deadline is seconds"),
        (dict(nice=True), TypeError, "nice: True is no number"),
        (dict(umask=True), TypeError, "umask: True is no number"),
        (dict(nice=2**31), ValueError, "out of range"),
        (dict(cpus=b"a"), TypeError, "cpus is a list"),
        (dict(rlimits=5), TypeError, "rlimits is a mapping"),
        (dict(rlimits={"nofile": "many"}), TypeError, "rlimits: nofile"),
        (dict(mounts=5), TypeError, "mounts is a list"),
        (dict(groups="wheel"), TypeError, "groups is a list"),
        (dict(monotonic=math.inf), TypeError, "no offset of a clock"),
        (dict(monotonic=math.nan), TypeError, "no offset of a clock"),
        (dict(monotonic=()), TypeError, "no offset of a clock"),
        (dict(pty=(24,)), TypeError, "rows, columns"),
        (dict(sync_fds=5), TypeError, "sync_fds: 5 is not two descriptors"),
        (dict(pin=["net"]), TypeError, "pin is a mapping"),
        (dict(links=[5]), TypeError, "links: 5 is not an nsiso.Endpoint and another one"),
        (dict(links=[(None, None)]), TypeError, "links: None is no nsiso.Endpoint"),
        (dict(devices=["eth1"]), TypeError, "devices is a mapping"),
        (dict(devices={"eth1": 5}), TypeError, "devices: 5 is no nsiso.Endpoint"),
        (dict(uplink="x"), TypeError, "uplink is True, False or an nsiso.Uplink"),
        (dict(uplink=nsiso.Uplink(tcp=[80])), TypeError, "tcp is a mapping"),
        (dict(uplink=nsiso.Uplink(udp={80: 70000})), ValueError, "udp: 70000 is not in the range"),
        (dict(uplink=nsiso.Uplink(tcp={0: 80})), nsiso.ArgumentError, "0 is no port"),
        (dict(uplink=nsiso.Uplink(listen=5)), TypeError, "listen: 5 is no text"),
        (dict(mounts=[nsiso.Tmpfs("/t", size=0)]), ValueError, "no limit"),
        (dict(mounts=[nsiso.Tmpfs("/t", size="9999999999T")]), ValueError, "less than 8 EiB"),
        (dict(mounts=[nsiso.Procfs(hidepid="x")]), nsiso.ArgumentError, "is no hidepid"),
        (dict(mounts=[nsiso.Mask("/")]), nsiso.ArgumentError, "root itself"),
        (dict(mounts=[nsiso.Overlay([], "/m")]), ValueError, "one lower tree at least"),
        (dict(mounts=[nsiso.Overlay(3, "/m")]), TypeError, "lower is a list"),
        (dict(mounts=[nsiso.Overlay("/usr", "/m", changes=("a",))]), TypeError, "upper, work"),
        (dict(mounts=[nsiso.Tmpfs("/t", mode="755")]), TypeError, "mode: '755' is no number"),
        (dict(mounts=[nsiso.Tmpfs("/t", mode=0o10000)]), ValueError, "mode: 4096"),
        (dict(mounts=[nsiso.Procfs(hidepid=2)]), TypeError, "hidepid: 2 is no text"),
        (dict(mounts=[nsiso.File(3, "/f")]), TypeError, "content: 3 is neither"),
        (dict(landlock=nsiso.Landlock(bind_tcp=80)), TypeError, "bind_tcp is a list"),
        (dict(pass_fds=range(3, os.sysconf("SC_OPEN_MAX") + 4)), ValueError, "more than can be open"),
    ],
)
def test_what_means_nothing_is_refused(keywords, error, text):
    with pytest.raises(error, match=text):
        nsiso.Popen(["true"], **keywords)


@pytest.mark.parametrize(
    "keywords, hint",
    [
        (dict(user=True, pid=True, mounts=[nsiso.Overlay("/"), nsiso.Procfs()]), "map_root or map_current"),
        (dict(sandbox=True, root="/"), "has a root already"),
        # Two ids inside map to one outside.
        (dict(uid_map=[(7, os.geteuid(), 1)], map_current=True), "ranges overlap"),
        (dict(map_root=True, mounts=[nsiso.ReadOnly("/nope")]), "as the program sees it"),
        (dict(map_root=True, mounts=[nsiso.Overlay("/usr", "/usr", changes=("/nope", "/nope"))]), "all three directories"),
        (dict(sandbox=True, landlock=nsiso.Landlock(write=["/"], best_effort=True)), "Landlock"),
    ],
)
def test_what_fails_is_told_with_a_remedy(keywords, hint):
    with pytest.raises(nsiso.Error) as caught:
        nsiso.Popen(["true"], **keywords)
    assert hint in caught.value.hint, caught.value


def test_filters_may_be_listed_and_names_repeated():
    several = [True, nsiso.Seccomp(deny=["mkdir", "mkdirat"] * 3000, errno=30)]
    done = nsiso.run(["mkdir", "/tmp/nsiso-never"], seccomp=several, capture_output=True, text=True)
    assert "Read-only file system" in done.stderr
    assert nsiso.run(["true"], seccomp=nsiso.Seccomp(deny="mkdir")).returncode == 0
    everything = nsiso.Landlock(execute="/", best_effort=True)
    assert nsiso.run(["true"], landlock=everything).returncode == 0
