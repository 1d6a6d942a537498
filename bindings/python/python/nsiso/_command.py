"""Defines the options of ``nsiso run``: those of a spec document, under the same names."""

import argparse
import ast
import re
from dataclasses import fields, replace
from typing import Any, Dict, List, Tuple, Union

from ._argument import listed
from ._document import bytes_of, load, parse, unique
from ._limits import Limits
from ._mount import Bind, Overlay, Tmpfs
from ._options import Options

# The options of unshare(1) and nsenter(1) for kinds of namespace.
KINDS = {
    "user": ("-U", "user"), "pid": ("-p", "pid"), "mount": ("-m", "mnt"), "net": ("-n", "net"), "ipc": ("-i", "ipc"),
    "uts": ("-u", "uts"), "time": ("-T", "time"), "cgroup": ("-C", "cgroup"),
}  # fmt: skip
# Other names for options, as unshare(1) has them.
ALIASES = {
    **{kind: (letter, f"--{word}") for word, (letter, kind) in KINDS.items()},
    "map_root": ("-r", "--map-root-user"), "map_current": ("-c", "--map-current-user"),
}  # fmt: skip


def add_run(command: Any) -> argparse.ArgumentParser:
    usage = "nsiso run [options] [--] [program [argument ...]]"
    epilog = "nsiso_spec(5) describes the options and their JSON. Example: nsiso run --sandbox --memory 64M --deadline 5 -- python3 x.py"
    run: argparse.ArgumentParser = command.add_parser("run", usage=usage, epilog=epilog, help="run a program in new namespaces")
    run.add_argument("-w", "--wd", "--cwd", dest="cwd", help="set the working directory")
    mounts: Dict[str, Any] = dict(action="append", dest="mounts", default=[])
    run.add_argument("--bind", type=bind, metavar="SOURCE[:TARGET]", help="mount a file or directory", **mounts)
    run.add_argument("--ro-bind", type=lambda text: replace(bind(text), ro=True), metavar="SOURCE[:TARGET]", help="mount a file or directory read-only", **mounts)
    run.add_argument("--tmpfs", type=Tmpfs, metavar="TARGET", help="mount an empty file system in memory", **mounts)
    run.add_argument("--overlay", type=Overlay, metavar="TREE", help="mount a writable layer over a directory; changes are discarded", **mounts)
    run.add_argument("--mounts", type=json_list, action="extend", metavar="JSON", help="a list of mounts as in a spec document")
    run.add_argument("--publish", type=ports, action="append", metavar="PORT:PORT", help="forward a TCP port of 127.0.0.1 to a port of the program; implies --uplink")
    run.add_argument("--pty", action=argparse.BooleanOptionalAction, help="give the program a new terminal; default with --sandbox on a terminal")
    run.add_argument("--spec", action=Once, metavar="FILE", help="a spec document, JSON or TOML; the other options add to it")
    add_limits(run)
    add_options(run)
    add_passing(run)
    run.add_argument("program", nargs=argparse.REMAINDER, help="the program and its arguments; your shell by default")
    return run


# Options that have arguments of their own above, or that need code on this side.
NOT_GENERATED = {"limits", "mounts", "pty", "seccomp_notify", "spec", "sync_fds"}


def add_options(run: argparse.ArgumentParser) -> None:
    described = re.findall(r"^    (\w+): .*\n\s+((?:.|\n)*?)(?:[:.]\s|\.$)", Options.__doc__ or "", re.MULTILINE)
    sentences = {name: " ".join(text.split()).replace("%", "%%") for name, text in described}
    lists = set()
    for name, annotation in Options.__annotations__.items():
        if name not in NOT_GENERATED:
            kind = str(getattr(annotation, "__forward_arg__", annotation)).removesuffix(" | None")
            form = form_of(name, kind)
            if form.get("action") == "append":
                lists.add(name)
            flags = (*ALIASES.get(name, ()), f"--{name.replace('_', '-')}")
            run.add_argument(*dict.fromkeys(flags), dest=name, help=uncapitalized(sentences.get(name, "")), **form)
        if name == "landlock":
            run.add_argument("--no-landlock", dest="landlock", action="store_const", const=False, help="remove the Landlock rules of the sandbox")
        if name == "rlimits":
            form = {"type": rlimit, "action": "append", "metavar": "NAME=LIMIT[:HARD]"}
            run.add_argument("--rlimit", help="one resource limit of the process, such as as=512M or nofile=64:128", **form)
    run.set_defaults(lists=lists)


def uncapitalized(sentence: str) -> str:
    """Returns a sentence that begins as the other help texts do. Abbreviations stay."""
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() or sentence[1:2] == " " else sentence


def form_of(name: str, kind: str) -> Dict[str, Any]:
    """Returns how an option of this type is written on the command line."""
    if kind == "Literal[False] | Landlock":
        return {"type": from_json, "action": Once, "metavar": "JSON"}
    if kind.split(" | ")[0] == "bool":
        return {"action": argparse.BooleanOptionalAction}
    if name == "umask":
        return {"type": octal, "metavar": "OCTAL"}
    if kind == "int":
        return {"type": int, "metavar": "NUMBER"}
    if kind in ("Path", "str | bytes"):
        return {"metavar": "TEXT"}
    if kind.startswith("Seconds"):
        return {"metavar": "TIME"}
    if kind.startswith("Literal["):
        return {"choices": ast.literal_eval(kind[len("Literal") :])}
    if kind in ("Iterable[int]", "Iterable[str]", "Iterable[Path]", "str | Iterable[str]", "Kind | Iterable[Kind]"):
        return {"action": "append", "type": number if "int" in kind else str, "metavar": "VALUE"}
    return {"type": from_json, "action": Once, "metavar": "JSON"}


class Once(argparse.Action):
    """An option that may be given once: the second one would replace the first."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option: Any = None) -> None:
        if getattr(namespace, self.dest) is not None:
            parser.error(f"{option} is given twice")
        setattr(namespace, self.dest, values)


def rlimit(text: str) -> Tuple[str, Any]:
    name, _, limit = text.partition("=")
    if not limit:
        raise argparse.ArgumentTypeError(f"{text!r} is not like as=512M")
    bounds = [int(bound) if bound.isdigit() else bound for bound in limit.split(":")]
    return name, bounds if len(bounds) > 1 else bounds[0]


def octal(text: str) -> int:
    if not re.fullmatch("[0-7]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no octal number, such as 077")
    return int(text, 8)


def number(text: str) -> Union[int, str]:
    return int(text) if text else text


def from_json(text: str) -> Any:
    try:
        value = parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON: {error}") from None
    if value is None:
        raise argparse.ArgumentTypeError("null is no value: leave out an option that is not set")
    return value


def json_list(text: str) -> List[Any]:
    value = from_json(text)
    if not isinstance(value, list):
        raise argparse.ArgumentTypeError(f"{text!r} is no list")
    return value


def bind(text: str) -> Bind:
    source, _, target = text.partition(":")
    return Bind(source, target or None)


def add_limits(run: argparse.ArgumentParser) -> None:
    limits = run.add_argument_group(
        "limits", "Resource limits for the program and its descendants, enforced by a cgroup made for it. Sizes are bytes, or like 256M."
    )
    add = limits.add_argument
    add("--memory", metavar="SIZE", help="memory; beyond it a process of the cgroup is killed")
    add("--memory-high", metavar="SIZE", help="memory beyond which processes are slowed down (cgroup version 2)")
    add("--memory-low", metavar="SIZE", help="memory that is protected from being reclaimed (cgroup version 2)")
    add("--swap", metavar="SIZE", help="swap; needs --memory on cgroup version 1")
    add("--cpu", type=float, metavar="PROCESSORS", help="processor time: 0.5 is half of one processor")
    add("--cpu-weight", type=int, metavar="WEIGHT", help="share of processor time, 1 to 10000; the kernel's default is 100")
    add("--cpuset-cpus", metavar="LIST", help="processors to run on, such as 0-2,7")
    add("--pids", type=int, metavar="COUNT", help="number of processes and threads")
    add(
        "--io", type=io_limit, action="append", metavar="DEVICE:LIMITS",
        help="bytes and operations per second on the disk that is DEVICE or holds the file DEVICE: /dev/vda:rbps=10M,wbps=1M,riops=100,wiops=50",
    )  # fmt: skip
    add("--huge-pages", type=pages_limit, action="append", metavar="SIZE=BYTES", help="memory in huge pages of one size, such as 2MB=64M")
    add("--cgroup-parent", dest="parent", metavar="DIRECTORY", help="directory of a cgroup of version 2 in which to make the cgroup")


def ports(text: str) -> Tuple[int, int]:
    outside, _, inside = text.partition(":")
    try:
        return int(outside), int(inside or outside)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 8080:80") from None


def io_limit(text: str) -> Tuple[str, List[Tuple[str, str]]]:
    device, colon, rates = text.rpartition(":")
    pairs = [rate.partition("=") for rate in rates.split(",")]
    if not colon or not all(value for _, _, value in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not like /dev/vda:rbps=10M,wiops=100")
    return device, [(name, value) for name, _, value in pairs]


def pages_limit(text: str) -> Tuple[str, str]:
    size, _, most = text.partition("=")
    if not most:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 2MB=64M")
    return size, most


def add_passing(command: Any) -> None:
    command.add_argument(
        "--pass-fd", dest="pass_fds", action="append", type=int, default=[], metavar="N", help="pass a descriptor; default: all inheritable ones, or none with --sandbox"
    )


def keywords_of(options: argparse.Namespace) -> Dict[str, Any]:
    """Returns the keywords of Popen for the options of the command."""
    names = {"cwd", *Options.__annotations__} - {"limits", "pty", "spec"}
    given = {name: value for name, value in vars(options).items() if name in names and value is not None}
    # An empty word stands for an empty list, as in --caps="".
    keywords: Dict[str, Any] = {name: [] if value == [""] and name in options.lists else value for name, value in given.items()}
    limits = limits_of(options)
    if limits:
        keywords["limits"] = Limits(**limits)
    if options.rlimit:
        keywords["rlimits"] = unique([*keywords.get("rlimits", {}).items(), *options.rlimit])
    if options.publish:
        if options.uplink is False:
            raise ValueError("--publish needs an uplink: leave out --no-uplink")
        keywords["uplink"] = {"tcp": [*unique(options.publish).items()]}
    if options.spec is not None:
        document = load(options.spec)
        keywords["spec"] = document
        if document.get("seccomp_notify"):
            raise ValueError("seccomp_notify: this command does not answer for the program")
        if not options.program:
            options.program = [bytes_of(word) for word in listed("args", document.get("args", []))]
            if "program" in document:
                keywords["executable"] = bytes_of(document["program"])
        keywords.setdefault("sandbox", document.get("sandbox", False))
    if options.share and not keywords.get("sandbox"):
        raise ValueError("--share loosens a sandbox: there is none without --sandbox")
    return keywords


def limits_of(options: argparse.Namespace) -> Dict[str, Any]:
    """Returns the fields of Limits. Limits of one device are put together."""
    given = {**vars(options), "cpus": options.cpuset_cpus}
    limits = {field.name: given[field.name] for field in fields(Limits) if given[field.name] is not None}
    if "io" in limits:
        devices: Dict[str, Dict[str, str]] = {}
        for device, rates in limits["io"]:
            devices[device] = unique([*devices.get(device, {}).items(), *rates])
        limits["io"] = devices
    if "huge_pages" in limits:
        limits["huge_pages"] = unique(limits["huge_pages"])
    return limits
