"""Makes the page of the Python reference from the docstrings of the package."""

import ast
import functools
import inspect
import re
from typing import Any, Dict, Iterator, List

import package

SECTIONS: Dict[str, List[str]] = {
    "Programs": [
        "run", "Popen", "execvp", "Completed", "Usage", "Options", "PIPE", "STDOUT", "DEVNULL", "CompletedProcess",
        "CalledProcessError", "TimeoutExpired",
    ],
    "Sandbox": ["Sandbox", "Landlock", "Seccomp"],
    "Limits": ["Limits", "Resources", "Pressure", "Stall"],
    "File system view": [
        "Mount", "Bind", "Tmpfs", "Overlay", "Procfs", "Sysfs", "Mqueue", "Dev", "Dir", "File", "Symlink", "Mask",
        "ReadOnly", "Chmod", "Propagation",
    ],
    "Networks": ["Host", "Bridge", "link", "Link", "Endpoint", "Uplink", "Lab", "socket_in", "forward", "move_device", "remove_device"],
    "Existing namespaces": ["Namespace", "Pidfd", "enter", "call_in", "hold", "pin", "unpin", "unshare"],
    "Lists": ["list", "tree", "Listing", "NamespaceInfo", "Holder", "Node", "Gaps"],
    "Features": ["probe", "Feature"],
    "Errors": ["Error", "ArgumentError", "DeniedError", "NotFoundError", "NotDirectoryError", "NoProcessError"],
}  # fmt: skip


def markdown(docstring: str) -> str:
    """Returns a docstring as Markdown. A line with an indented one below it is a term."""
    lines = inspect.cleandoc(docstring).replace("``", "`").splitlines()
    found = []
    for line, after in zip(lines, [*lines[1:], ""]):
        is_term = line and not line.startswith((" ", "- ")) and re.match(r"    \S", after)
        found.append(f"\n`{line}`\n:   " if is_term else line)
    return re.sub(r"\n:   \n    ", "\n:   ", "\n".join(found))


def signature(name: str, function: Any) -> str:
    try:
        shown = str(inspect.signature(function))
    except (TypeError, ValueError):
        return name
    shown = re.sub(r"'([\w\[\], |.]+)'(?= = |,|\)|$)", r"\1", re.sub(r"(typing|subprocess|nsiso\.\w+)\.(?=[A-Z])", "", shown))
    shown = re.sub(r"<class '(?:\w+\.)*(\w+)'>|<object object at \w+>", r"\1", shown)
    if len(name + shown) > 88:
        shown = re.sub(r"^\(|, (?=\**\w+[:=,)]|\*, )", lambda found: found[0].rstrip() + "\n    ", shown)
        shown = re.sub(r"\)(?= ->|$)", ",\n)", shown)
    return name + shown


@functools.lru_cache(maxsize=None)
def classes() -> Dict[str, ast.ClassDef]:
    """Returns the definitions of all classes of the package."""
    sources = (package.ROOT / "bindings/python/python/nsiso").glob("*.py")
    found = (node for source in sources for node in ast.parse(source.read_text()).body)
    return {node.name: node for node in found if isinstance(node, ast.ClassDef)}


def attributes(name: str) -> Iterator[str]:
    """Yields the fields of a class that have a description below them."""
    body = classes()[name]
    for field, after in zip(body.body, body.body[1:]):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            yield f"`{ast.unparse(field.target)}: {ast.unparse(field.annotation)}`\n:   " + markdown(after.value.value).replace("\n", "\n    ")


def members(name: str, one: type) -> Iterator[str]:
    for member, value in vars(one).items():
        function = getattr(value, "__func__", value)
        text = inspect.getdoc(getattr(one, member)) if not member.startswith("_") else None
        if isinstance(value, property) and text:
            yield f"#### `{name}.{member}` {{#nsiso.{name}.{member}}}\n\n{markdown(text)}"
        elif inspect.isfunction(function) and text:
            yield f"#### `{name}.{member}` {{#nsiso.{name}.{member}}}\n\n```python\n{signature(f'{name}.{member}', getattr(one, member))}\n```\n\n{markdown(text)}"


def described(name: str, one: Any) -> Iterator[str]:
    yield f"### `nsiso.{name}` {{#nsiso.{name}}}"
    module = getattr(one, "__module__", "subprocess")
    if not module.startswith("nsiso"):
        yield f"`subprocess.{name}`."
        return
    if name != "Options":
        yield f"```python\n{signature(f'nsiso.{name}', one)}\n```"
    yield markdown(inspect.getdoc(one) or "")
    if inspect.isclass(one):
        yield from attributes(name)
        yield from members(name, one)


def page() -> str:
    nsiso = package.import_package()
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(nsiso.__all__)
    found = ["# Python", markdown(nsiso.__doc__)]
    for title, names in SECTIONS.items():
        found.append(f"## {title}")
        for name in names:
            found += described(name, getattr(nsiso, name))
    return "\n\n".join(found)
