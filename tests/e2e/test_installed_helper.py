"""Tests callers that may not execute programs in memory (vm.memfd_noexec is 2): the library uses
the installed helper instead.

The setting belongs to a pid namespace, so each caller runs in its own. Only root of the machine can
write it, so the tests that root runs start both privileged and ordinary callers.
"""

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import nsiso
import pytest
from conftest import BUILD, ROOT, needs_root, run

SETTING = Path("/proc/sys/vm/memfd_noexec")
pytestmark = pytest.mark.skipif(not SETTING.exists(), reason="the kernel has no vm.memfd_noexec (before Linux 6.3)")

FORBIDDEN = 'echo 2 > /proc/sys/vm/memfd_noexec && exec "$@"'
ORDINARY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
sets_it = needs_root("set vm.memfd_noexec in a new pid namespace")


def forbidding(*command, user=(), **options):
    """Runs a command in a pid namespace where programs in memory may not be executed."""
    return run("unshare", "-pf", "--mount-proc", "sh", "-c", FORBIDDEN, "sh", *user, *command, cwd="/", **options)


@pytest.fixture
def place():
    """A directory that an ordinary user can search; the directories of pytest are closed to other
    users.
    """
    directory = Path(tempfile.mkdtemp(prefix="nsiso-helper-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def prefix(place):
    """A prefix filled by `make install PREFIX=...`, and the tools linked with the library in it."""
    top = place / "prefix"
    if os.access(ROOT / "target", os.W_OK):
        installed = run("make", "-C", ROOT, "install", f"PREFIX={top}", "DESTDIR=", timeout=600)
        assert installed.returncode == 0, installed.stderr
    else:
        for directory in ("lib", "libexec"):
            shutil.copytree(BUILD / directory, top / directory, symlinks=True)
    for tool in ("hello", "unshare", "nsenter"):
        source = ROOT / f"examples/c/{tool}.c"
        built = run("gcc", f"-I{ROOT / 'include'}", "-o", top / tool, source, f"-L{top / 'lib'}", "-lnsiso")
        assert built.returncode == 0, built.stderr
    return top


@pytest.fixture(params=["self", "ordinary"])
def user(request):
    """The words before a command: none to run it as this user, or those that run it as an ordinary
    user.
    """
    return ORDINARY if request.param == "ordinary" else []


def helper(top):
    return top / "libexec/nsiso/nsiso-helper"


def tool(top, *words, user=()):
    return forbidding(top / words[0], *words[1:], user=user, env={**os.environ, "LD_LIBRARY_PATH": str(top / "lib")})


@sets_it
def test_without_a_helper_the_error_says_what_to_do(prefix, user):
    helper(prefix).unlink()
    for words in (["hello"], ["unshare", "-r", "true"]):
        done = tool(prefix, *words, user=user)
        assert done.returncode == 1 and "EACCES" in done.stderr, done
        assert "vm.memfd_noexec is 2" in done.stderr and "make install" in done.stderr, done.stderr


@sets_it
def test_an_installed_helper_is_found_beside_the_library(prefix, user):
    done = tool(prefix, "hello", user=user)
    assert done.stdout.startswith("I am uid 0, pid 1, on inside"), done
    done = tool(prefix, "unshare", "-ru", "sh", "-c", "id -u; readlink /proc/$$/exe", user=user)
    assert done.stdout.split()[0] == "0", done


@sets_it
def test_below_a_directory_of_the_architecture(prefix, user):
    (prefix / "lib").rename(prefix / "both")
    (prefix / "lib/x86_64-linux-gnu").mkdir(parents=True)
    for file in (prefix / "both").glob("libnsiso.so*"):
        file.rename(prefix / "lib/x86_64-linux-gnu" / file.name)
    done = forbidding(prefix / "hello", user=user, env={**os.environ, "LD_LIBRARY_PATH": str(prefix / "lib/x86_64-linux-gnu")})
    assert done.stdout.startswith("I am uid 0, pid 1, on inside"), done


def change_a_byte(path):
    text = bytearray(path.read_bytes())
    text[-1] ^= 1
    path.write_bytes(text)


FAULTS = {
    "changed": (change_a_byte, "not the helper of this library"),
    "longer": (lambda path: path.write_bytes(path.read_bytes() + b"x"), "not the helper of this library"),
    "writable by others": (lambda path: path.chmod(0o757), "chmod go-w"),
    "writable by its group": (lambda path: path.chmod(0o775), "chmod go-w"),
    "directory writable by others": (lambda path: path.parent.chmod(0o777), "chmod go-w"),
    "link": (lambda path: path.rename(path.with_name("other")) and path.symlink_to("other"), "cannot be opened"),
    "FIFO": (lambda path: path.unlink() or os.mkfifo(path, 0o755), "not the helper of this library"),
    "not executable": (lambda path: path.chmod(0o644), "may not be executed"),
}


@pytest.mark.parametrize("fault", FAULTS)
@sets_it
def test_a_helper_that_is_not_to_be_trusted_is_refused(prefix, user, fault):
    spoil, words = FAULTS[fault]
    spoil(helper(prefix))
    done = tool(prefix, "hello", user=user)
    assert done.returncode == 1 and words in done.stderr and str(helper(prefix)) in done.stderr.replace("lib/../", ""), done
    done = tool(prefix, "unshare", "-r", "true", user=user)
    assert done.returncode == 1 and words in done.stderr, done


@sets_it
def test_a_helper_of_somebody_else_is_refused(prefix, user):
    os.chown(helper(prefix), 4321, 4321)
    done = tool(prefix, "hello", user=user)
    assert done.returncode == 1 and "belongs to uid 4321" in done.stderr, done


@sets_it
def test_a_privileged_host_that_joins_takes_the_memory_alone(prefix):
    """CVE-2019-5736: a program in the container could overwrite an installed helper through
    /proc/PID/exe.
    """
    script = f"""
{prefix}/unshare -ru sh -c 'echo $$; exec sleep 1000' | (read target
    {prefix}/nsenter -t $target -U -u true; echo code $?
    {prefix}/nsenter -t $target -U -u -p true; echo code $?
    kill $target)
"""
    done = forbidding("/bin/sh", "-c", script, env={**os.environ, "LD_LIBRARY_PATH": str(prefix / "lib")})
    assert done.stdout.split() == ["code", "1"] * 2, done
    assert done.stderr.count("CVE-2019-5736") == 2 and "vm.memfd_noexec is 2" in done.stderr, done.stderr


@sets_it
def test_an_ordinary_host_joins_with_the_installed_one(prefix):
    script = f"""
{prefix}/unshare -ru sh -c 'hostname there; echo $$; exec sleep 1000' | (read target
    {prefix}/nsenter -t $target -U -u hostname; echo code $?
    kill $target)
"""
    done = forbidding("/bin/sh", "-c", script, user=ORDINARY, env={**os.environ, "LD_LIBRARY_PATH": str(prefix / "lib")})
    assert done.stdout.split() == ["there", "code", "0"], done


def test_a_filter_that_refuses_the_memory_takes_the_installed_one(prefix):
    """A security policy may do the same: strace refuses execveat(2) and the execve(2) of the same
    file.
    """
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=execve,execveat"]
    refuse = ["-e", "inject=execveat:error=EACCES", "-e", "inject=execve:error=EACCES:when=1"]
    found = {**os.environ, "LD_LIBRARY_PATH": str(prefix / "lib")}
    done = run(*strace, *refuse, prefix / "unshare", "-r", "id", "-u", env=found)
    assert done.stdout == "0\n", done
    # Each child of a spawn is a process of its own, and its first execve(2) is refused.
    done = run(*strace, *refuse, prefix / "hello", env=found)
    assert done.returncode == 1 and "libexec/nsiso/nsiso-helper may not be executed" in done.stderr, done
    helper(prefix).unlink()
    for words in (["unshare", "-r", "id", "-u"], ["hello"]):
        done = run(*strace, *refuse, prefix / words[0], *words[1:], env=found)
        assert done.returncode == 1 and "security policy" in done.stderr and "make install" in done.stderr, done


PROGRAM = """
import nsiso, sys
print(nsiso.run(["id", "-u"], map_root=True, pid=True, capture_output=True, text=True).stdout, flush=True)
nsiso.execvp(["sh", "-c", "id -u"], map_root=True)
"""


TRACED = """
import subprocess, sys, nsiso
setting = nsiso.File("1\\n", "/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
mounts = [nsiso.Tmpfs("/proc/sys/kernel"), setting] if sys.argv[1] == "restricted" else []
words = ["strace", "-f", "-y", "-e", "trace=execveat", sys.argv[2], "-U", "true"]
done = nsiso.run(words, uid=65534, gid=65534, mounts=mounts, cwd="/", stderr=subprocess.PIPE, text=True)
print(done.returncode, done.stderr)
"""


@needs_root("install a helper that belongs to root")
def test_where_apparmor_restricts_user_namespaces_the_one_of_root_comes_first(prefix):
    """A profile of AppArmor can name its path, but not a program in memory."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(prefix / "lib")}

    def image(setting):
        done = run(BUILD / "venv/bin/python", "-c", TRACED, setting, prefix / "unshare", env=environment, cwd="/")
        assert done.stdout.startswith("0 "), done
        return done.stdout

    assert f"<{helper(prefix)}>" in image("restricted")
    assert "</memfd:nsiso" in image("free")
    # It does not matter that it may not be executed.
    helper(prefix).chmod(0o644)
    assert "</memfd:nsiso" in image("restricted")
    # The user could be made to change a helper of its own.
    helper(prefix).chmod(0o755)
    os.chown(helper(prefix), 65534, 65534)
    shown = image("restricted")
    assert "</memfd:nsiso" in shown and f"<{helper(prefix)}>" not in shown


@pytest.fixture
def package(place):
    """A copy of the installed Python package that a test may damage."""
    shutil.copytree(Path(nsiso.__file__).parent, place / "nsiso")
    return place / "nsiso"


def python(package, user):
    command = ["/usr/bin/python3", "-B", "-c", PROGRAM]
    return forbidding(*command, user=user, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(package.parent)})


def test_the_wheel_has_it_inside_and_it_may_be_executed():
    installed = Path(nsiso.__file__).with_name("nsiso-helper")
    assert installed.stat().st_mode & 0o111 == 0o111
    assert installed.read_bytes() == (BUILD / "libexec/nsiso/nsiso-helper").read_bytes()
    wheels = sorted((BUILD / "wheels").glob("*.whl"))
    for wheel in wheels[:1]:
        about = zipfile.ZipFile(wheel).getinfo("nsiso/nsiso-helper")
        assert about.external_attr >> 16 & 0o777 == 0o755, oct(about.external_attr >> 16)


@sets_it
def test_python_takes_the_one_beside_the_module(package, user):
    done = python(package, user)
    assert done.stdout.split() == ["0", "0"], done


@sets_it
def test_python_refuses_one_that_was_changed(package, user):
    change_a_byte(package / "nsiso-helper")
    done = python(package, user)
    assert "DeniedError" in done.stderr and "not the helper of this library" in done.stderr, done
    (package / "nsiso-helper").unlink()
    done = python(package, user)
    assert "vm.memfd_noexec" in done.stderr and "make install" in done.stderr, done
