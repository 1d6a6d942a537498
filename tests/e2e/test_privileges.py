"""Tests that a program cannot gain or regain privileges through the options that it is started
with.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile

import nsiso
import pytest
from conftest import needs_root

PYTHON = "/usr/bin/python3"


@needs_root("be somebody in a group")
@pytest.mark.parametrize("keywords", ["map_root=True", "map_current=True", "sandbox=True", "map_root=True, groups=[]", "map_root=True, setgroups=True"])
def test_whom_a_group_keeps_out_stays_out(keywords):
    """CVE-2014-8989: a file may be closed to a group and open to all others. A program must not
    gain access by leaving the group.
    """
    place = tempfile.mkdtemp()
    try:
        path = os.path.join(place, "file")
        with open(path, "w") as file:
            file.write("secret")
        os.chmod(place, 0o755)
        os.chown(path, 0, 4321)
        os.chmod(path, 0o604)
        read = f"import os\\ntry: os.setgroups([])\\nexcept OSError: pass\\nprint(open('{path}').read())"
        view = f", mounts=[nsiso.Bind('{place}', '{place}')]" if "sandbox" in keywords else ""
        program = f"import nsiso; nsiso.run(['{PYTHON}', '-c', \"\"\"{read}\"\"\"], {keywords}{view})"
        user = ["setpriv", "--reuid", "65534", "--regid", "65534"]
        outside = subprocess.run([*user, "--clear-groups", "cat", path], capture_output=True, text=True)
        assert outside.stdout == "secret"
        done = subprocess.run([*user, "--groups", "4321", sys.executable, "-c", program], capture_output=True, text=True)
        assert done.stdout == "" and ("Permission denied" in done.stderr or "EPERM" in done.stderr), done
    finally:
        shutil.rmtree(place)


AGAIN = {
    "mount_setattr": "call(442, -100, b'/usr', 0, struct.pack('4Q', 0, 1, 0, 0), 32)",
    "remount": "call(165, b'none', b'/usr', b'none', 0x1020, 0)",
    "unmount": "call(166, b'/usr', 2)",
    "bind": "call(165, b'/usr', b'/tmp', b'none', 0x1000, 0) or call(165, b'none', b'/tmp', b'none', 0x1020, 0)",
}
CALL = "import ctypes, struct\ncall = lambda *words: ctypes.CDLL(None).syscall(*words)\nprint("


@pytest.mark.parametrize("way", AGAIN)
def test_a_read_only_path_stays_so_without_capabilities(way):
    view = [nsiso.Bind("/", "/"), nsiso.ReadOnly("/usr")]
    options = dict(map_root=True, mounts=view, capture_output=True, text=True)
    program = [PYTHON, "-c", f"{CALL}{AGAIN[way]})"]
    assert nsiso.run(program, **options).stdout.strip() == "0", "with CAP_SYS_ADMIN in there it can be undone"
    assert nsiso.run(program, caps=[], **options).stdout.strip() == "-1"



@pytest.mark.parametrize("guard", [{"user_namespaces": False}, {"seccomp": True}], ids=str)
def test_each_guard_keeps_from_a_user_namespace(guard):
    program = [PYTHON, "-c", f"{CALL}call(272, 0x10000000))"]
    options = dict(map_root=True, caps=[], capture_output=True, text=True)
    assert nsiso.run(program, **options).stdout.strip() == "0"
    assert nsiso.run(program, **options, **guard).stdout.strip() == "-1"



def test_with_the_hosts_network_its_abstract_sockets_stay_closed():
    """A network namespace would close abstract sockets; without one, Landlock does (Linux 6.12)."""
    name = f"nsiso-{os.getpid()}"
    program = [PYTHON, "-c", f"import socket; socket.socket(socket.AF_UNIX).connect('\\0{name}'); print('reached')"]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + name)
        server.listen()
        reached = nsiso.run(program, sandbox=True, share=["net"], landlock=False, capture_output=True, text=True)
        assert reached.stdout == "reached\n", reached
        refused = nsiso.run(program, sandbox=True, share=["net"], capture_output=True, text=True)
        version = tuple(map(int, os.uname().release.split(".")[:2]))
        assert refused.stdout == ("" if version >= (6, 12) else "reached\n"), refused
