"""Tests ranges of ids for an ordinary user through newuidmap(1). In a mount namespace, files that
grant the ids 200000 to 265535 cover /etc/subuid and /etc/subgid.
"""

import pytest
from conftest import BUILD, needs_root, run

pytestmark = needs_root("cover /etc/subuid")

UNSHARE = BUILD / "bin/unshare"
ORDINARY = "setpriv --reuid 65534 --regid 65534 --clear-groups"
LENT = "65534:200000:65536\n"


@pytest.fixture
def as_ordinary_user(tmp_path):
    """Runs a shell command line as an ordinary user who has subordinate ids."""
    (tmp_path / "lent").write_text(LENT)
    cover = "".join(f"touch {file}; mount --bind {tmp_path}/lent {file}; " for file in ("/etc/subuid", "/etc/subgid"))

    def line(text, user=ORDINARY):
        return run("unshare", "--mount", "sh", "-ec", f'{cover}exec {user} "$@"', "sh", "sh", "-c", text, cwd="/")

    return line


def said(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_auto_lays_the_whole_block_out_from_0(as_ordinary_user):
    look = "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups"
    got = said(as_ordinary_user(f"{UNSHARE} --map-auto sh -c '{look}'"))
    assert got == ["0", "0", *["0", "200000", "65536"] * 2, "allow"]


def test_auto_goes_around_root(as_ordinary_user):
    got = said(as_ordinary_user(f"{UNSHARE} --map-root-user --map-auto sh -c 'id -u; cat /proc/self/uid_map'"))
    assert got == ["0", "0", "65534", "1", "1", "200000", "65535"]


def test_ranges_and_a_file_of_another_id(as_ordinary_user, tmp_path):
    tmp_path.chmod(0o777)
    line = f"id -u; touch {tmp_path}/mine && chown 7:8 {tmp_path}/mine && stat -c %u:%g {tmp_path}/mine"
    maps = "--map-users=0:200000:10 --map-groups=0:200000:10"
    for parent in tmp_path.parents:
        if parent.stat().st_uid == 0 and parent.name.startswith("pytest-"):
            parent.chmod(0o755)
    assert said(as_ordinary_user(f"{UNSHARE} {maps} sh -c '{line}'")) == ["0", "7:8"]
    assert ((tmp_path / "mine").stat().st_uid, (tmp_path / "mine").stat().st_gid) == (200_007, 200_008)


def test_python_gets_the_same(as_ordinary_user):
    code = (
        "import nsiso\n"
        "for auto in (dict(map_auto=True), dict(map_auto=True, map_root=True, mnt=True, hostname='a')):\n"
        "    print(nsiso.run(['sh', '-c', 'id -u; wc -l < /proc/self/uid_map'], capture_output=True, text=True, **auto).stdout)\n"
    )
    assert said(as_ordinary_user(f'{BUILD}/venv/bin/python -c "{code}"')) == ["0", "1", "0", "2"]


@pytest.mark.parametrize("errno", ["ENOSYS", "EPERM"])
def test_the_fallback_waits_for_the_helper_too(as_ordinary_user, errno):
    strace = f"strace -f -qq -u nobody -o /dev/null -e trace=clone3 -e inject=clone3:error={errno}"
    done = as_ordinary_user(f"{strace} {UNSHARE} --map-auto cat /proc/self/uid_map", user="env")
    assert said(done) == ["0", "200000", "65536"]


def test_the_missing_line_is_named(as_ordinary_user):
    done = as_ordinary_user(f"{UNSHARE} --map-users=0:300000:10 true")
    assert done.returncode == 126 and "/etc/subuid" in done.stderr and ":300000:10" in done.stderr
