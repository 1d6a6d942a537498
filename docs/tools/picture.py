"""Draws docs/images/demo.svg: what `make demo` prints on a terminal. Needs the build."""

import html
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLUMNS, ACROSS, DOWN, LEFT, TOP = 80, 8.43, 19, 16, 48
STYLES = {"1": 'fill="#ffffff" font-weight="bold"', "32": 'fill="#7ee787"', "0": ""}


def recorded() -> str:
    command = f"COLUMNS={COLUMNS} {ROOT / 'build/venv/bin/python'} {ROOT / 'examples/demo.py'}"
    done = subprocess.run(["script", "-qec", command, "/dev/null"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.replace("\r", "")


def spans(line: str) -> str:
    """Returns a line of a terminal as SVG text, with its colours."""
    found, style = [], ""
    for part in re.split(r"(\033\[\d+m)", line):
        escape = re.fullmatch(r"\033\[(\d+)m", part)
        if escape:
            style = STYLES[escape[1]]
        elif part:
            text = html.escape(part)
            found.append(f"<tspan {style}>{text}</tspan>" if style else text)
    return "".join(found)


def main() -> None:
    lines = ["\033[1m$ make demo\033[0m", *recorded().rstrip().split("\n")]
    width, height = LEFT * 2 + COLUMNS * ACROSS, TOP + DOWN * len(lines)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-family="monospace" font-size="14">',
        "<title>The same commands outside and inside namespaces</title>",
        '<rect width="100%" height="100%" rx="8" fill="#161b22"/>',
        *(f'<circle cx="{20 + 20 * place}" cy="18" r="6" fill="{colour}"/>' for place, colour in enumerate(["#ff5f57", "#febc2e", "#28c840"])),
    ]
    for place, line in enumerate(lines):
        parts.append(f'<text x="{LEFT}" y="{TOP + DOWN * place}" fill="#c9d1d9" xml:space="preserve">{spans(line)}</text>')
    (ROOT / "docs/images/demo.svg").write_text("\n".join([*parts, "</svg>\n"]))


if __name__ == "__main__":
    main()
