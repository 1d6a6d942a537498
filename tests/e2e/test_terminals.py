"""Tests CVE-2017-5226: TIOCSTI pushes input into the controlling terminal. From a sandbox on the
caller's terminal, such input must not reach the caller.
"""

import os
import select

import nsiso
import pytest

LEGACY = "/proc/sys/dev/tty/legacy_tiocsti"
try:
    with open(LEGACY) as setting:
        WORKS = setting.read().strip() == "1"
except FileNotFoundError:
    WORKS = True  # before Linux 6.2
PUSH = "import ctypes; print(ctypes.CDLL(None).ioctl(0, ctypes.c_ulong(REQUEST), ctypes.c_char_p(b'x')))"
# The kernel uses 32 bits of the request. A filter that compares 64 bits lets the second one pass
# (CVE-2019-10063).
REQUESTS = {"TIOCSTI": 0x5412, "TIOCSTI and more": 0x1_0000_5412, "TIOCLINUX": 0x541C}


def pushed(request, **keywords):
    """Passes a caller's controlling terminal to a program that pushes input into it. Returns
    whether the input arrived, and the program's output.
    """
    pid, terminal = os.forkpty()
    if pid == 0:
        os.execv(os.sys.executable, [os.sys.executable, "-c", f"import nsiso; nsiso.run(['/usr/bin/python3', '-c', {PUSH.replace('REQUEST', str(request))!r}], **{keywords!r}); input()"])
    text = b""
    # The echo of the pushed input comes before or after the program's output. The caller waits in
    # input() and does not end before the newline below answers it.
    while b"\n" not in text and select.select([terminal], [], [], 20)[0]:
        text += os.read(terminal, 100)
    os.write(terminal, b"\n")
    os.waitpid(pid, 0)
    os.close(terminal)
    return "x" in text.decode(), text.decode().replace("x", "").split()[0]


@pytest.mark.skipif(not WORKS, reason=f"{LEGACY} is 0: the kernel lets nobody push")
def test_without_a_guard_input_is_pushed():
    assert pushed(REQUESTS["TIOCSTI"]) == (True, "0")
    assert pushed(REQUESTS["TIOCSTI and more"]) == (True, "0")


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("guards", [{"sandbox": True}, {"seccomp": True}, {"map_root": True, "start_new_session": True}], ids=str)
def test_each_guard_keeps_input_from_the_host(guards, request_name):
    if request_name == "TIOCLINUX" and "start_new_session" in guards:
        pytest.skip("only the kernel's own consoles know it")
    assert pushed(REQUESTS[request_name], **guards) == (False, "-1")


def test_on_a_terminal_of_its_own_the_filter_refuses_it_too():
    push = PUSH.replace("REQUEST", str(REQUESTS["TIOCSTI"]))
    for keywords, works in [(dict(pty=True, map_root=True), True), (dict(pty=True, sandbox=True), False)]:
        with nsiso.Popen(["/usr/bin/python3", "-c", push], **keywords) as process:
            text = b""
            try:
                while part := os.read(process.pty, 100):
                    text += part
            except OSError:
                pass
            process.wait()
            os.close(process.pty)
        assert (b"-1" not in text) == (works and WORKS)


def test_the_sandbox_has_no_controlling_terminal():
    done = nsiso.run(["sh", "-c", "exec 3<>/dev/tty"], sandbox=True, capture_output=True)
    assert done.returncode != 0
