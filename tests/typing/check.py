"""Checks the types of the Python package by mypy and pyright.

Both must accept the package and right.py, and refuse exactly the lines of wrong.py that end with
"# error". Needs the Python packages mypy and pyright.
"""

import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGES = ROOT / "bindings/python/python"
WRONG = HERE / "wrong.py"
FILES = ["nsiso", str(HERE / "right.py"), str(WRONG)]


def output(*command):
    # mypy looks for nsiso in its working directory. pyright imports it as an installed package, by
    # PYTHONPATH, and so sees of it what users see.
    env = {**os.environ, "PYTHONPATH": str(PACKAGES)}
    done = subprocess.run([sys.executable, "-m", *command, *FILES], cwd=PACKAGES, env=env, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"{command[0]} has failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def mypy():
    """Yields (path, line, message) for each error."""
    lines = output("mypy", "--strict", "--output=json", f"--cache-dir={ROOT / 'build/mypy'}").splitlines()
    for error in map(json.loads, lines):
        if error["severity"] == "error":
            yield PACKAGES / error["file"], error["line"], error["message"]


def pyright():
    """Yields (path, line, message) for each error."""
    for error in json.loads(output("pyright", "--outputjson"))["generalDiagnostics"]:
        if error["severity"] == "error":
            yield pathlib.Path(error["file"]), error["range"]["start"]["line"] + 1, error["message"].partition("\n")[0]


def main():
    expected = {number for number, line in enumerate(WRONG.read_text().splitlines(), 1) if line.endswith("# error")}
    faults = []
    for checker in (mypy, pyright):
        errors = [(pathlib.Path(os.path.relpath(path, ROOT)), line, message) for path, line, message in checker()]
        wrong = WRONG.relative_to(ROOT)
        found = {line for path, line, _ in errors if path == wrong}
        faults += [f"{path}:{line}: {checker.__name__}: {text}" for path, line, text in errors if path != wrong or line not in expected]
        faults += [f"{wrong}:{line}: {checker.__name__} finds no error" for line in sorted(expected - found)]
    print("\n".join(faults) or f"mypy and pyright agree: the package is right, {len(expected)} wrong lines are found")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
