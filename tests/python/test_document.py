"""The spec document from Python: as a keyword, from a file, and on the command line."""

import gc
import json
import os
import subprocess
import sys

import nsiso
import pytest
from nsiso import _spec


def test_a_mapping_gives_the_options():
    document = {"map_root": True, "hostname": "box", "env": {"A": "1"}, "env_clear": True}
    done = nsiso.run(["/bin/sh", "-c", "id -u; uname -n; echo $A$HOME"], spec=document, capture_output=True, text=True)
    assert done.stdout == "0\nbox\n1\n"


def test_keywords_replace_what_a_document_says():
    done = nsiso.run(["uname", "-n"], spec={"map_root": True, "hostname": "one"}, hostname="two", capture_output=True, text=True)
    assert done.stdout == "two\n"


@pytest.mark.parametrize(
    "name, text",
    [
        ("judge.json", '{"hostname": "judge", "mounts": [{"type": "file", "content": "x", "target": "/tmp/a"}], "deadline": "5s"}'),
        pytest.param(
            "judge.toml", 'hostname = "judge"\ndeadline = "5s"\n[[mounts]]\ntype = "file"\ncontent = "x"\ntarget = "/tmp/a"\n',
            marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="Python before 3.11 cannot read TOML"),
        ),
    ],
)  # fmt: skip
def test_a_file_gives_a_sandbox(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    box = nsiso.Sandbox.from_file(tmp_path / name)
    done = box.run(["sh", "-c", "uname -n; cat /tmp/a; id -u; ls /home 2>/dev/null"], capture_output=True, text=True)
    assert done.stdout.startswith("judge\nx") and done.returncode != 127
    command = [sys.executable, "-m", "nsiso", "run", "--sandbox", "--spec", tmp_path / name, "--", "uname", "-n"]
    assert subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout == "judge\n"


def test_the_program_of_the_call_wins(tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"sandbox": True, "args": ["true"], "program": "/usr/bin/id"}))
    command = [sys.executable, "-m", "nsiso", "run", "--spec", path, "--share", "net"]
    done = subprocess.run([*command, "--", "echo", "hello"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.stdout == "hello\n"
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.stdout.startswith("uid=")


def test_a_terminal_of_a_document_is_read():
    program = "import sys; print(sys.stdout.isatty())"
    command = [sys.executable, "-m", "nsiso", "run", "--spec", "/dev/stdin", "--", sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, input='{"pty": true}')
    assert done.stdout == "True\n"
    with pytest.raises(TypeError, match="pty is for"):
        nsiso.run(["true"], spec={"pty": True})


def test_the_repr_shows_what_a_document_grants():
    shown = repr(nsiso.Sandbox(spec={"share": ["net"], "seccomp": False}))
    assert "network: the caller's" in shown and "seccomp: off" in shown


def test_the_repr_adds_what_keywords_and_document_grant():
    shown = repr(nsiso.Sandbox(spec={"share": ["net"], "mounts": [{"type": "dir", "target": "/y"}]}, mounts=[nsiso.Tmpfs("/x")]))
    assert "network: the caller's" in shown and "'/x'" in shown and "'/y'" in shown
    assert "network: loopback alone" in repr(nsiso.Sandbox(spec={"share": ["net"]}, share=[]))


def test_hold_makes_what_a_document_asks_for():
    with nsiso.hold(spec={"net": True, "map_root": True})["net"] as net:
        assert net.kind == "net"
    assert [*nsiso.hold(user_namespaces=False)] == ["user"]


def test_the_command_runs_the_program_of_a_document(tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"args": ["sh", "-c", {"base64": "aWQgLXU7IGV4aXQgNw=="}], "map_root": True}))
    command = [sys.executable, "-m", "nsiso", "run", "--spec", path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("0\n", 7)


@pytest.mark.parametrize(
    "document, error, text",
    [
        ({"hostnam": "box"}, nsiso.ArgumentError, "did you mean hostname"),
        ({"mounts": [{"type": "tmpfs", "target": "/t", "size": "lots"}]}, nsiso.ArgumentError, r"mounts\[0\].size"),
        ({"user": "yes"}, nsiso.ArgumentError, "user: expected true or false"),
        ({"user": object()}, TypeError, "spec: "),
        ({"deadline": float("nan")}, ValueError, "spec: "),
        ({"sandbox": None}, nsiso.ArgumentError, "sandbox: expected a value"),
        ({"fds": {"1": "pipe"}}, ValueError, "fds: a pipe"),
        ({"limits": ["1M"]}, nsiso.ArgumentError, "limits: expected an object"),
        (5, TypeError, "spec is a mapping of options or the path"),
    ],
)
def test_mistakes_are_named(document, error, text):
    with pytest.raises(error, match=text) as caught:
        nsiso.run(["true"], spec=document)
    assert error in (TypeError, ValueError) or caught.value.errno == 22


def test_a_file_that_is_no_document_is_named(tmp_path):
    path = tmp_path / "bad.json"
    for content in b"{", b"[]", b"\xff", b'{"sandbox": true, "sandbox": false}', b"[" * 100_000:
        path.write_bytes(content)
        with pytest.raises(ValueError, match="bad.json"):
            nsiso.Sandbox.from_file(path)
    with pytest.raises(FileNotFoundError):
        nsiso.Sandbox.from_file(tmp_path / "none.json")
    done = subprocess.run([sys.executable, "-m", "nsiso", "run", "--spec", path, "--", "true"], capture_output=True, text=True)
    assert done.returncode == 125 and "bad.json" in done.stderr


def test_the_version_is_told():
    done = subprocess.run([sys.executable, "-m", "nsiso", "--version"], capture_output=True, text=True)
    assert done.stdout == f"nsiso {nsiso.__version__}\n"


def test_a_sandbox_is_written_as_a_document(tmp_path):
    box = nsiso.Sandbox(mounts=[nsiso.Tmpfs("/work", size="1M")], hostname="judge", share=["net"], landlock=False, nice=3)
    document = box.to_dict()
    assert document == {
        "sandbox": True, "share": ["net"], "hostname": "judge", "landlock": False, "nice": 3,
        "mounts": [{"type": "tmpfs", "target": "/work", "mode": 0o755, "size": 1 << 20}],
    }  # fmt: skip
    path = tmp_path / "judge.json"
    path.write_text(json.dumps(document))
    again = nsiso.Sandbox.from_file(path)
    assert again.to_dict() == document
    assert again.run(["uname", "-n"], capture_output=True, text=True).stdout == "judge\n"


@pytest.mark.parametrize(
    "document, keywords, result",
    [
        ({"sandbox": True, "share": ["net"]}, {"share": []}, {"sandbox": True}),
        ({"keep_caps": True, "map_root": True}, {"keep_caps": False}, {"map_root": True, "user": True}),
        ({"net": True}, {"net": False}, {}),
        ({"sandbox": True}, {"sandbox": False}, {}),
        ({"sandbox": True}, {"nice": None}, {"sandbox": True}),
        ({"rlimits": {"nofile": 5}}, {"rlimits": {"nproc": 6}}, {"rlimits": {"nofile": [5, 5], "nproc": [6, 6]}}),
        ({"mounts": [{"type": "dir", "target": "/a"}], "mnt": True}, {"mounts": [nsiso.Mask("/b")]}, {
            "mnt": True, "mounts": [{"type": "dir", "target": "/a", "mode": 493}, {"type": "mask", "target": "/b"}]}),
        ({"limits": {"io": {"1:1": {"rbps": 1}}}}, {"limits": nsiso.Limits(io={"1:1": {"wbps": 2}}, pids=3)},
         {"limits": {"io": {"1:1": {"rbps": 1, "wbps": 2}}, "pids": 3}}),
        ({}, {"umask": -1}, {}),
    ],
)  # fmt: skip
def test_how_keywords_and_a_document_go_together(document, keywords, result):
    made = _spec.spec_of(_spec.document_of_keywords({"spec": document, **keywords})).document()
    made.pop("args", None)
    assert made == result


def test_keywords_of_a_run_add_to_those_of_a_sandbox():
    box = nsiso.Sandbox(rlimits={"nofile": 50}, deadline=60, hostname="a", spec={"domainname": "d"})
    given = box._with({"rlimits": {"nproc": 40}, "deadline": None, "spec": {"hostname": "b"}, "stdin": None})
    document = given.pop("spec")
    assert given == {} and document == {
        "sandbox": True, "rlimits": {"nofile": 50, "nproc": 40}, "deadline": 60, "hostname": "b", "domainname": "d",
    }  # fmt: skip
    rules = [nsiso.Seccomp(deny=["mkdir", "mkdirat"])]
    box = nsiso.Sandbox(seccomp=rules)
    rules.clear()
    assert box.run(["mkdir", "/tmp/a"], stderr=nsiso.DEVNULL).returncode == 1


def test_a_sandbox_does_not_close_what_a_document_names():
    with nsiso.hold(net=True, map_root=True)["net"] as net:
        del_me = nsiso.Sandbox(spec={"links": [{"inside": {}, "outside": {"netns": net}}]})
        del del_me
        gc.collect()
        assert os.fstat(net.fileno()).st_ino == net.inode


@pytest.mark.parametrize(
    "keywords, text",
    [
        (dict(spec={"sandbox": True, b"sandbox": False}), "spec: the key 'sandbox' comes twice"),
        (dict(spec={"fds": {5: 0, "5": 1}}), "spec: the key '5' comes twice"),
        (dict(nice=10**30), "nice: 1000.* is out of range"),
        (dict(deadline=2**64), "deadline: 1844.* is out of range"),
        (dict(pass_fds={5: 2**64}), "pass_fds: 1844"),
        (dict(uid=sys.stdin), "uid: .* is no value of an option"),
        (dict(share=["net"]), "share: it loosens a sandbox"),
        (dict(rlimits={b"nofile": None, "nofile": 5}), "rlimits: the key 'nofile' comes twice"),
        (dict(pass_fds={"0": 1}), "'str' object"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(keywords, text):
    with pytest.raises((ValueError, TypeError), match=text):
        nsiso.Popen(["true"], **keywords)


def test_iterators_are_used_more_than_once():
    refused = nsiso.Seccomp(deny=(name for name in ["mkdir", "mkdirat"]))
    box = nsiso.Sandbox(seccomp=iter([True, refused]), mounts=iter([nsiso.Dir("/tmp/a")]), share=iter(["net"]))
    for _ in range(2):
        assert nsiso.run(["mkdir", "/tmp/nsiso-never"], seccomp=refused, stderr=nsiso.DEVNULL).returncode == 1
        done = box.run(["sh", "-c", "ls -d /tmp/a; mkdir /tmp/b"], capture_output=True, text=True)
        assert done.stdout == "/tmp/a\n" and "not permitted" in done.stderr
    assert box.to_dict()["share"] == ["net"]


def test_paths_that_are_not_utf8():
    odd = b"/tmp/nsiso-\xff"
    box = nsiso.Sandbox(mounts=[nsiso.File(b"\xfe", odd), nsiso.File("text", "/tmp/b", mode=0o600)], hostname=b"a")
    done = box.run(["cat", odd, b"/tmp/b"], capture_output=True)
    assert done.stdout == b"\xfetext"
    assert nsiso.Sandbox(spec=box.to_dict()).run(["cat", odd], capture_output=True).stdout == b"\xfe"


def test_options_of_the_command():
    def command(*words):
        done = subprocess.run([sys.executable, "-m", "nsiso", "run", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.stdout or done.stderr

    ids = f"[[0, {os.getuid()}, 1]]"
    assert command("--umask", "077", "--", "sh", "-c", "umask") == "0077\n"
    assert command("--user", "--uid-map", ids, "--no-loopback", "--rlimits", '{"nofile": 77}', "--", "sh", "-c", "id -u; ulimit -n") == "0\n77\n"
    assert "Permission denied" in command("--landlock", '{"execute": ["/usr"], "best_effort": true}', "--", "ls", "/etc")
    assert command("--map-root", "--monotonic", "1000000s", "--nice", "5", "--", "nice") == "5\n"
    assert "a key" not in command("--map-root", "--rlimits", '{"nofile": 77}', "--caps", "", "--", "grep", "CapEff:.*0000$", "/proc/self/status")
    for words, text in [
        (["--rlimits", "null"], "null is no value"),
        (["--rlimits", '{"nofile": 1, "nofile": 2}'], "comes twice"),
        (["--mounts", "3"], "is no list"),
        (["--mounts", "[" * 100_000], "nested too deep"),
        (["--io", "/dev/vda:rbps=1", "--io", "/dev/vda:rbps=9"], "comes twice"),
        (["--publish", "8:80", "--publish", "8:81"], "comes twice"),
        (["--no-uplink", "--publish", "8:80"], "leave out --no-uplink"),
        (["--uid", "9" * 30], "uid: 999"),
    ]:
        assert text in command("--map-root", *words, "--", "true"), words
    assert "landlock.raed: unknown key" in command("--landlock", '{"raed": []}', "--", "true")


def test_a_document_joins_namespaces():
    with nsiso.Popen(["sleep", "60"], net=True, map_root=True) as process:
        with nsiso.Namespace.of(process, "net") as net, nsiso.Namespace.of(process, "user") as user:
            done = nsiso.run(["readlink", "/proc/self/ns/net"], spec={"join": [user.fileno(), net]}, capture_output=True, text=True)
        process.kill()
    assert done.stdout == f"net:[{net.inode}]\n"


def test_nothing_that_a_sandbox_was_given_changes_later():
    calls, limits = ["mkdir", "mkdirat"], {"nofile": [50, 50]}
    box = nsiso.Sandbox(seccomp=[{"deny": iter(calls)}, {"deny": calls}], rlimits=limits)
    calls.clear(), limits["nofile"].clear()
    for _ in range(2):
        done = box.run(["sh", "-c", "mkdir /tmp/a; ulimit -n"], capture_output=True, text=True)
        assert done.stdout == "50\n" and "not permitted" in done.stderr


def test_the_environment_of_the_call_lacks_what_is_unset():
    shown = nsiso.run(["env"], env={"A": "1", "B": "2"}, env_unset=["B"], capture_output=True, text=True).stdout
    assert shown == "A=1\n"


def test_a_limit_has_one_name():
    box = nsiso.Sandbox(rlimits={"nofile": 50})
    done = box.run(["sh", "-c", "ulimit -n"], rlimits={"RLIMIT_NOFILE": 10}, capture_output=True, text=True)
    assert done.stdout == "10\n"
    with pytest.raises(ValueError, match="rlimits: the key 'nofile' comes twice"):
        nsiso.run(["true"], spec={"rlimits": {"nofile": 1, "NOFILE": 2}})


def test_descriptors_of_a_document_are_those_of_the_caller():
    closed = max(map(int, os.listdir("/proc/self/fd"))) + 2
    with pytest.raises(ValueError, match="fds.9: descriptor"):
        nsiso.run(["true"], spec={"fds": {"9": closed}}, capture_output=True)
    with pytest.raises(ValueError, match="expected the number of a descriptor"):
        nsiso.run(["true"], spec={"fds": {"01": 0}})
    reading, writing = os.pipe()
    nsiso.run(["sh", "-c", "echo out; echo err >&2"], spec={"fds": {1: writing}}, stderr=nsiso.STDOUT)
    assert os.read(reading, 100) == b"out\nerr\n"
    with nsiso.Popen(["sh", "-c", "echo err >&2"], pty=True, stderr=nsiso.STDOUT) as process:
        assert os.read(process.pty, 100) == b"err\r\n"
        os.close(process.pty)
    os.close(reading), os.close(writing)


def test_popen_of_a_sandbox_leaves_out_what_is_for_run():
    with nsiso.Sandbox(capture_output=True, check=True, timeout=5).popen(["true"]) as process:
        assert process.wait() == 0


def test_documents_of_the_command(tmp_path):
    (tmp_path / "five").write_text("five"), (tmp_path / "six").write_text("six")
    (tmp_path / "fds.json").write_text('{"fds": {"5": 6}}')
    (tmp_path / "args.json").write_text('{"args": ["echo", "--", "x"]}')
    command = f"cd {tmp_path}; nsiso() {{ {sys.executable} -m nsiso \"$@\"; }};"

    def shell(text):
        done = subprocess.run(["sh", "-c", command + text], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
        return done.stdout + done.stderr

    assert shell("nsiso run --spec fds.json -- cat /proc/self/fd/5 5<five 6<six") == "six"
    assert shell("nsiso run --spec args.json --") == "-- x\n"
    assert "No such file" in shell('nsiso run --spec "" -- true')
    assert "given twice" in shell("nsiso run --spec args.json --spec fds.json -- true")
    assert "given twice" in shell("nsiso run --rlimits '{}' --rlimits '{}' -- true")
    assert "no octal number" in shell("nsiso run --umask=-1 -- true")
    assert shell("nsiso run --pty -- yes </dev/null | head -n 1").startswith("y\n")


def test_a_keyword_that_is_misspelt_gets_a_hint():
    for start in (lambda **words: nsiso.run(["true"], **words), nsiso.Sandbox, nsiso.hold):
        with pytest.raises(TypeError, match="deadlin.*did you mean deadline"):
            start(deadlin=3)
        with pytest.raises(TypeError, match=r"use limits=nsiso.Limits\(memory=...\)"):
            start(memory="1G")
    assert repr(nsiso.Limits(pids=3)) == "Limits(pids=3)"


def test_a_command_line_that_is_wrong_is_no_exit_code_of_a_program():
    done = subprocess.run([sys.executable, "-m", "nsiso", "run", "--uid", "x", "--", "true"], capture_output=True, text=True)
    assert done.returncode == 125 and done.stderr.startswith("usage: nsiso run")


def test_limits_of_the_command_join_those_of_the_document(tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"limits": {"memory": "lots"}}))
    command = [sys.executable, "-m", "nsiso", "run", "--spec", path, "--pids", "10", "--", "true"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 125 and "limits.memory" in done.stderr, "the document's limit is not dropped"


def test_a_sandbox_does_not_change_with_its_document(tmp_path):
    path = tmp_path / "spec.json"
    path.write_text('{"hostname": "one"}')
    document = {"hostname": "one"}
    boxes = [nsiso.Sandbox(spec=document), nsiso.Sandbox(spec=path)]
    document["hostname"] = "two"
    path.unlink()
    assert [box.run(["uname", "-n"], capture_output=True, text=True).stdout for box in boxes] == ["one\n"] * 2
