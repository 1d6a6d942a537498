"""Tests that meaningless arguments are refused with a clear message before anything is done."""

import math
import os

import nsiso
import pytest


@pytest.mark.parametrize(
    "keywords, error, text",
    [
        (dict(sandbox=0), TypeError, "sandbox: expected true or false, not 0"),
        (dict(sandbox=[]), TypeError, "sandbox: expected true or false, not a list"),
        (dict(sandbox=nsiso.Sandbox(share=["net"])), TypeError, "sandbox: .* is no value of an option"),
        (dict(start_new_session="no"), TypeError, "new_session: expected true or false"),
        (dict(landlock=[]), TypeError, "landlock: expected an object, not a list"),
        (dict(landlock=True), TypeError, "landlock: true has no rules"),
        (dict(seccomp="mkdir"), TypeError, "seccomp: expected an object"),
        (dict(seccomp=nsiso.Seccomp(deny=["mkdir"], errno=0)), ValueError, "no errno"),
        (dict(landlock=nsiso.Landlock(connect_tcp=[70000])), ValueError, "landlock.connect_tcp\\[0\\]: expected a number from 0 to 65535, not 70000"),
        (dict(root=True), TypeError, "root: expected text"),
        (dict(deadline=True), TypeError, "deadline: expected seconds"),
        (dict(nice=True), TypeError, "nice: expected a number"),
        (dict(umask=True), TypeError, "umask: expected a number"),
        (dict(nice=2**31), ValueError, "nice: expected a number .* not 2147483648"),
        (dict(cpus=b"a"), TypeError, "cpus: expected a list"),
        (dict(rlimits=5), TypeError, "rlimits is a mapping"),
        (dict(rlimits={"nofile": "many"}), TypeError, "rlimits.nofile: expected a number"),
        (dict(mounts=5), TypeError, "mounts: expected a list, not 5"),
        (dict(groups="wheel"), TypeError, "groups: expected a list"),
        (dict(monotonic=math.inf), ValueError, "monotonic: inf is no number"),
        (dict(monotonic=math.nan), ValueError, "monotonic: nan is no number"),
        (dict(monotonic=()), TypeError, "monotonic: expected seconds"),
        (dict(pty=(24,)), TypeError, "pty: expected a list of two"),
        (dict(sync_fds=5), TypeError, "sync_fds: expected a list of two, not 5"),
        (dict(pin=["net"]), TypeError, "pin: expected an object, not a list"),
        (dict(links=[5]), TypeError, "links: 5 is not an nsiso.Endpoint and another one"),
        (dict(links=[(None, None)]), TypeError, "links: None is no nsiso.Endpoint"),
        (dict(devices=["eth1"]), TypeError, "devices is a mapping"),
        (dict(devices={"eth1": 5}), TypeError, "devices: 5 is no nsiso.Endpoint"),
        (dict(uplink="x"), TypeError, "uplink: expected an object"),
        (dict(uplink=nsiso.Uplink(tcp=[80])), TypeError, "tcp is a mapping"),
        (dict(uplink=nsiso.Uplink(udp={80: 70000})), ValueError, "uplink.udp\\[0\\]\\[1\\]: expected a number from 0 to 65535"),
        (dict(uplink=nsiso.Uplink(tcp={0: 80})), nsiso.ArgumentError, "0 is no port"),
        (dict(uplink=nsiso.Uplink(listen=5)), TypeError, "uplink.listen: expected IP address"),
        (dict(mounts=[nsiso.Tmpfs("/t", size=0)]), ValueError, "0 bytes are no size"),
        (dict(mounts=[nsiso.Tmpfs("/t", size="9999999999T")]), ValueError, "expected a size in bytes"),
        (dict(mounts=[nsiso.Procfs(hidepid="x")]), nsiso.ArgumentError, "is no hidepid"),
        (dict(mounts=[nsiso.Mask("/")]), nsiso.ArgumentError, "root itself"),
        (dict(mounts=[nsiso.Overlay([], "/m")]), ValueError, "an overlay has one tree"),
        (dict(mounts=[nsiso.Overlay(3, "/m")]), TypeError, "lower: expected one value, or a list"),
        (dict(mounts=[nsiso.Overlay("/usr", "/m", changes=("a",))]), TypeError, "upper, work"),
        (dict(mounts=[nsiso.Tmpfs("/t", mode="755")]), TypeError, "mode: expected a number"),
        (dict(mounts=[nsiso.Tmpfs("/t", mode=0o10000)]), ValueError, "mode: 0o10000 are no permissions"),
        (dict(mounts=[nsiso.Procfs(hidepid=2)]), TypeError, "hidepid: expected text, not 2"),
        (dict(mounts=[nsiso.File(3, "/f")]), TypeError, "content: expected text"),
        (dict(landlock=nsiso.Landlock(bind_tcp=80)), TypeError, "bind_tcp: expected a list"),
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
