"""Tests callers with file capabilities. tests/c/hosts.c tests all other unusual callers.

A program with file capabilities runs in secure-execution mode, in which the loader ignores
LD_LIBRARY_PATH and the like. So the test program is linked with the static library.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from conftest import BUILD, ROOT, needs_root, run

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.fixture(scope="module")
def hosts():
    """Builds the test program in a directory that every user may enter."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        program = Path(directory) / "hosts"
        sources = [ROOT / "tests/c/hosts.c", BUILD / "lib/libnsiso.a"]
        options = ["-std=c11", "-O1", "-D_GNU_SOURCE", "-pthread", f"-I{ROOT / 'include'}"]
        done = run("cc", *options, "-o", program, *sources, "-lm", "-ldl", "-lgcc_s")
        assert done.returncode == 0, done
        yield program


@needs_root("give a file capabilities")
@pytest.mark.parametrize("capabilities", ["cap_sys_admin,cap_net_admin,cap_setuid,cap_setgid,cap_setpcap", "cap_sys_admin,cap_net_admin"])
def test_a_host_with_file_capabilities(hosts, capabilities):
    if not shutil.which("setcap"):
        pytest.skip("there is no setcap")
    done = run("setcap", capabilities + "+ep", hosts)
    if done.returncode:
        pytest.skip(f"the file system of {hosts.parent} takes no capabilities: {done.stderr}")
    done = run(*NOBODY, "env", "HOME=/tmp", hosts, "capabilities_without_uid_0")
    assert done.returncode == 0 and "not 0" not in done.stdout, done
