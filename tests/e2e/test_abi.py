"""Tests the C interface with other compilers, linkers and a disassembler."""

import os
import re
from pathlib import Path

import pytest
from closed_room import Code
from conftest import BUILD, ROOT, run

HEADER = ROOT / "include/nsiso.h"
LIBRARY = BUILD / "lib/libnsiso.so.0"
VERSION = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
# The libraries that `cargo rustc -p nsiso-capi -- --print native-static-libs` prints, but for
# -lgcc_s: a compiler adds its own, or with -static another one.
STATIC_LIBS = ["-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"]

PROGRAM = """
#include <nsiso.h>
#include <stdio.h>
int main(void)
{
    const char *argv[] = {"sh", "-c", "exit 42", NULL};
    ns_spec *spec = ns_spec_new();
    ns_process *process = NULL;
    ns_status status;
    ns_error err;
    if (ns_spec_argv(spec, argv, &err) || ns_spawn(spec, &process, &err) ||
        ns_process_wait(process, -1, &status, sizeof status, &err)) {
        fprintf(stderr, "%s\\n", err.message);
        return 1;
    }
    ns_process_free(process);
    ns_spec_free(spec);
    return status.exit_code;
}
"""


@pytest.mark.parametrize(
    "compiler", [("gcc", "-std=c99"), ("gcc", "-std=c11"), ("g++", "-std=c++11", "-x", "c++")], ids=" ".join
)
@pytest.mark.parametrize("first", ["header", "system"])
def test_the_header_compiles_twice_and_beside_others(compiler, first, tmp_path):
    ours = "#include <nsiso.h>\n#include <nsiso.h>\n"
    theirs = "#include <arpa/nameser.h>\n#include <resolv.h>\n#include <linux/nsfs.h>\n"
    source = tmp_path / "header.c"
    source.write_text((ours + theirs if first == "header" else theirs + ours) + "int main(void) { return NS_STEP_NONE; }\n")
    # The system's headers need the C library's extensions, which -std=c99 hides; nsiso.h must not.
    flags = ["-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", f"-I{HEADER.parent}"]
    built = run(*compiler, *flags, source)
    assert built.returncode == 0, built.stderr


@pytest.mark.parametrize("compiler", [("gcc", "-std=c99"), ("g++", "-std=c++11", "-x", "c++")], ids=" ".join)
def test_the_header_needs_no_other(compiler, tmp_path):
    source = tmp_path / "alone.c"
    source.write_text("#include <nsiso.h>\nns_status status;\nns_error err;\nuint64_t kinds = NS_ALL;\n")
    built = run(*compiler, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", f"-I{HEADER.parent}", source)
    assert built.returncode == 0, built.stderr


def exported():
    listing = run("nm", "-D", "--defined-only", LIBRARY)
    assert listing.returncode == 0, listing.stderr
    return sorted(line.split()[-1].split("@")[0] for line in listing.stdout.splitlines())


def test_the_exported_symbols_are_those_of_the_header():
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    assert exported() == sorted(re.findall(r"\b(ns_\w+)\(", text))


def test_the_soname():
    assert "Library soname: [libnsiso.so.0]" in run("readelf", "-d", LIBRARY).stdout


@pytest.mark.parametrize(
    "libraries",
    [["-L" + str(BUILD / "lib"), "-lnsiso", f"-Wl,-rpath,{BUILD / 'lib'}"], [BUILD / "lib/libnsiso.a", *STATIC_LIBS]],
    ids=["shared", "static"],
)
@pytest.mark.parametrize("whole", [[], ["-static"]], ids=["", "all"])
def test_a_program_links(libraries, whole, tmp_path):
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(PROGRAM)
    built = run("gcc", "-Wall", "-Werror", f"-I{HEADER.parent}", "-o", program, source, *whole, *libraries)
    assert built.returncode == 0, built.stderr
    assert run(program).returncode == 42
    needs = "libnsiso" in run("readelf", "-d", program).stdout
    assert needs == (not whole and libraries[-1] not in STATIC_LIBS)


@pytest.mark.skipif(not os.access(ROOT / "target", os.W_OK), reason="only who has built the library can install it")
def test_an_installed_library_is_found_by_pkg_config(tmp_path):
    installed = run("make", "-C", ROOT, "install", "PREFIX=/opt/nsiso", f"DESTDIR={tmp_path}", timeout=300)
    assert installed.returncode == 0, installed.stderr
    top = tmp_path / "opt/nsiso"
    files = {str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir()}
    pages = {file for file in files if file.startswith("share/man/")}
    assert {"share/man/man1/nsiso.1", "share/man/man3/ns_spawn.3", "share/man/man5/nsiso_spec.5"} <= pages
    assert sorted(files - pages) == [
        "include/nsiso.h",
        "lib/libnsiso.a",
        "lib/libnsiso.so",
        "lib/libnsiso.so.0",
        f"lib/libnsiso.so.{VERSION}",
        "lib/pkgconfig/nsiso.pc",
        "libexec/nsiso/nsiso-helper",
        "share/nsiso/nsiso-spec.schema.json",
    ]
    assert (top / "libexec/nsiso/nsiso-helper").stat().st_mode & 0o7777 == 0o755
    place = {**os.environ, "PKG_CONFIG_PATH": str(top / "lib/pkgconfig"), "PKG_CONFIG_SYSROOT_DIR": str(tmp_path)}
    assert run("pkg-config", "--modversion", "nsiso", env=place).stdout.strip() == VERSION
    for linking in [], ["--static"]:
        flags = run("pkg-config", "--cflags", "--libs", *linking, "nsiso", env=place).stdout.split()
        program = tmp_path / "hello"
        built = run("gcc", "-o", program, ROOT / "examples/c/hello.c", *flags)
        assert built.returncode == 0, built.stderr
        done = run(program, env={**os.environ, "LD_LIBRARY_PATH": str(top / "lib")})
        assert done.stdout.startswith("I am uid 0, pid 1, on inside"), done


@pytest.fixture(scope="module")
def code():
    return Code(LIBRARY)


def test_the_child_calls_nothing_before_it_is_the_helper(code):
    """Until then the child shares the caller's memory, and other threads of the caller go on
    running.
    """
    room = code.walk("nsiso::spawn::helper::become_helper")
    assert not room.faults
    assert room.system_calls, "the walk found no system call: it went through something else"
    assert room.names == {"nsiso::spawn::helper::become_helper"}


def test_the_walk_would_find_an_allocator(code):
    room = code.walk("ns_spawn")
    assert room.faults or any(re.search(r"alloc|free", name) for name in room.names)
    assert any("become_helper" not in name for name in room.names if name != "ns_spawn")
