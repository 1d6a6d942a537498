"""Tests callers under valgrind and qemu-user, and the library for aarch64."""

import os
import platform
import shutil

import pytest
from conftest import BUILD, ROOT, needs_root, run

ARCH = platform.machine()
AARCH64 = "aarch64-unknown-linux-gnu"


def needs(command):
    return pytest.mark.skipif(not shutil.which(command), reason=f"{command} is not installed")


def check_hello(*command):
    done = run(*command)
    assert done.returncode == 0, done.stderr
    first, head, *processes = done.stdout.splitlines()
    assert first == "I am uid 0, pid 1, on inside" and len(processes) == 2
    return done


PROGRAM = """
#include <nsiso.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    const char *program[] = {argv[1], "-c", "echo $(hostname); exit 7", NULL};
    ns_spec *spec = ns_spec_new();
    ns_process *process = NULL;
    ns_status status;
    ns_error err;

    (void)argc;
    if (ns_spec_argv(spec, program, &err) ||
        ns_spec_unshare(spec, KINDS, &err) ||
        ns_spec_hostname(spec, "inside", &err) || ns_spawn(spec, &process, &err) ||
        ns_process_wait(process, -1, &status, sizeof status, &err)) {
        fprintf(stderr, "%s\\n", err.message);
        return 1;
    }
    return status.exit_code;
}
"""

def compiled(directory, compiler, library, kinds):
    """Compiles a program that spawns the shell given as its argument, in new namespaces of these
    kinds.
    """
    source, program = directory / "spawns.c", directory / "spawns"
    source.write_text(PROGRAM)
    options = ["-O2", f"-DKINDS={kinds}", "-I", ROOT / "include", "-o", program, source, library, "-pthread", "-static"]
    made = run(compiler, *options)
    assert made.returncode == 0, made.stderr
    return program


@needs("valgrind")
class TestValgrind:
    COMMAND = ["valgrind", "-q", "--trace-children=no", "--error-exitcode=99"]

    def test_nothing_is_complained_of(self):
        assert check_hello(*self.COMMAND, BUILD / "bin/hello").stderr == ""

    @pytest.mark.parametrize("program", ["spawn", "detached"])
    def test_every_option(self, program):
        done = run(*self.COMMAND, BUILD / "tests" / program, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_the_helper_and_the_program_run_under_it_too(self, tmp_path):
        """There is no new pid namespace, because older versions of valgrind lack pidfd_open(2),
        which the helper would need.
        """
        program = compiled(tmp_path, "gcc", BUILD / "lib/libnsiso.a", "NS_USER | NS_UTS | NS_MNT")
        done = run("valgrind", "-q", "--trace-children=yes", program, "/bin/sh", timeout=120)
        assert (done.returncode, done.stdout) == (7, "inside\n"), done.stderr


@needs(f"qemu-{ARCH}-static")
@pytest.mark.parametrize("program", ["bin/hello", "tests/spawn"])
def test_qemu_user_of_this_architecture(program):
    """The helper runs natively, because qemu-user executes it like any other program."""
    command = [f"qemu-{ARCH}-static", BUILD / program]
    done = check_hello(*command) if program == "bin/hello" else run(*command, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


# Since Linux 6.7 a registration belongs to a user namespace, so it does not affect the machine.
REGISTERED = """
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc &&
test ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 &&
cat /usr/lib/binfmt.d/qemu-aarch64.conf > /proc/sys/fs/binfmt_misc/register || exit 77
"$@"
"""


@pytest.fixture(scope="module")
def aarch64(tmp_path_factory):
    """Compiles a static program for aarch64 that spawns the shell given as its argument."""
    gcc = "aarch64-linux-gnu-gcc"
    if not shutil.which(gcc):
        pytest.skip(f"{gcc} is not installed")
    if not shutil.which("cargo") or f"{AARCH64}\n" not in run("rustup", "target", "list", "--installed").stdout:
        pytest.skip(f"Rust's standard library for {AARCH64} is not installed: rustup target add {AARCH64}")
    linker = {f"CARGO_TARGET_{AARCH64.upper().replace('-', '_')}_LINKER": gcc}
    build = ["cargo", "build", "--release", "--quiet", "-p", "nsiso-capi", "--target", AARCH64]
    built = run(*build, cwd=ROOT, env=os.environ | linker, timeout=900)
    assert built.returncode == 0, built.stderr
    library = ROOT / "target" / AARCH64 / "release/libnsiso_capi.a"
    # qemu-user runs threads of its own, and a process with threads cannot create a user namespace.
    return compiled(tmp_path_factory.mktemp("aarch64"), gcc, library, "NS_UTS | NS_MNT | NS_IPC | NS_NET")


@needs_root("build for aarch64 in target/")
@needs("qemu-aarch64-static")
class TestAarch64:
    def spawn(self, aarch64, program):
        done = run("unshare", "-Urm", "sh", "-c", REGISTERED, "sh", aarch64, program)
        if done.returncode == 77:
            pytest.skip(f"binfmt_misc takes no registration in a user namespace (Linux 6.7): {done.stderr}")
        return done

    def test_library_helper_and_program_run_under_qemu_user(self, aarch64):
        done = self.spawn(aarch64, "/bin/sh")
        assert (done.returncode, done.stdout) == (7, "inside\n"), done.stderr

    def test_an_error_of_the_helper_is_told(self, aarch64):
        done = self.spawn(aarch64, "/no/such/program")
        assert done.returncode == 1 and "execute /no/such/program: No such file or directory" in done.stderr

    def test_a_caller_alone_under_qemu_user_is_told_what_is_missing(self, aarch64):
        done = run("qemu-aarch64-static", aarch64, "/bin/sh")
        assert done.returncode == 1 and "(ENOEXEC)" in done.stderr
