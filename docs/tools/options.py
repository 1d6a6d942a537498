"""Writes the table of all options in docs/reference/options.md, from the schema of spec documents.

With --check it only says whether the table is up to date, and exits with 1 if it is not.
"""

import json
import pathlib
import re
import sys

from generated import with_section, write_or_check

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reference/options.md"
BEGIN, END = "<!-- made by docs/tools/options.py -->\n", "<!-- end of the table -->\n"
HEADER = (ROOT / "include/nsiso.h").read_text()
SOURCES = "".join(path.read_text() for path in sorted((ROOT / "crates/nsiso/src/spec").rglob("*.rs")))
METHODS = {*re.findall(r"pub fn (\w+)", "".join(re.findall(r"^impl(?:<'\w+>)? Spec\b.*?^}", SOURCES, re.MULTILINE | re.DOTALL)))}

# Options whose C function, Python argument or Rust method has another name.
KINDS = ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup")
C = {
    **{kind: f"`ns_spec_unshare(NS_{kind.upper()})`" for kind in KINDS},
    "args": "`ns_spec_argv`", "devices": "`ns_spec_device`", "env": "`ns_spec_env_set`", "fds": "`ns_spec_fd`, `ns_spec_stdio`",
    "join": "`ns_spec_join`, `ns_spec_join_process`", "links": "`ns_spec_link`", "mounts": "`ns_spec_mount_*`", "rlimits": "`ns_spec_rlimit`",
    "root": "`ns_spec_mount_bind`", "seccomp": "`ns_spec_seccomp`, `ns_spec_seccomp_deny`, `ns_spec_seccomp_allow`, `ns_spec_seccomp_raw`",
}  # fmt: skip
PYTHON = {
    "fds": "`pass_fds`, `stdin`, `stdout`, `stderr`", "new_session": "`start_new_session`", "program": "`executable`",
}  # fmt: skip
RUST = {
    **{kind: f"`Spec::unshare(Kinds::{kind.upper()})`" for kind in KINDS},
    "args": "`Spec::argv`, `Spec::args`", "devices": "`Spec::device`", "fds": "`Spec::fd`, `Spec::stdio`", "join": "`Spec::join`, `Spec::join_process`",
    "links": "`Spec::link`", "mounts": "`Spec::mount`", "rlimits": "`Spec::rlimit`", "root": "`Mount::bind`",
}  # fmt: skip


def row(name: str, description: str) -> str:
    c = C.get(name) or (f"`ns_spec_{name}`" if f"ns_spec_{name}(" in HEADER else "`ns_spec_add_json`")
    rust = RUST.get(name) or (f"`Spec::{name}`" if name in METHODS else "`Document`")
    what = " ".join(description.split()).replace("|", "\\|")
    return f"| `{name}` | {what} | {c} | {PYTHON.get(name, f'`{name}`')} | {rust} |\n"


def main() -> int:
    properties = json.loads((ROOT / "include/nsiso-spec.schema.json").read_text())["properties"]
    table = "| spec document | what it does | C | Python | Rust |\n|---|---|---|---|---|\n"
    table += "".join(row(name, option["description"]) for name, option in properties.items())
    return write_or_check(PAGE, with_section(PAGE, BEGIN, END, table))


if __name__ == "__main__":
    sys.exit(main())
