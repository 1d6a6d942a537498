"""Imports the Python package from its sources, without the compiled module that its documentation
does not need.
"""

import pathlib
import sys
import types

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Compiled(types.ModuleType):
    """Stands for the compiled module: any name in it is a class that does nothing."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return object


def import_package() -> types.ModuleType:
    """Returns the package nsiso."""
    if "nsiso" not in sys.modules:
        compiled = Compiled("nsiso._nsiso")
        compiled.__version__ = version()
        sys.modules["nsiso._nsiso"] = compiled
        sys.path.insert(0, str(ROOT / "bindings/python/python"))
    import nsiso

    return nsiso


def version() -> str:
    """Returns the version of the project, from Cargo.toml."""
    lines = (ROOT / "Cargo.toml").read_text().splitlines()
    return next(line.split('"')[1] for line in lines if line.startswith("version = "))
