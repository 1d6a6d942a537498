"""Hosts with file capabilities. All other unusual hosts are in tests/c/hosts.c.

A program with file capabilities is loaded securely: the loader takes no path of ours, so the test program is linked with the static library."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from conftest import BUILD, ROOT, needs_root, run

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.fixture(scope="module")
def hosts():
    """The test program in a directory that everybody may enter."""
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
