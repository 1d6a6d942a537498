"""Runs the same commands outside and inside namespaces that nsiso creates, side by side.

If root starts it, it goes on as an ordinary user, because no privilege is needed.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import nsiso

BUILD = pathlib.Path(__file__).resolve().parent.parent / "build"
QUESTIONS = r"""
echo "user=$(id -un 2>/dev/null || echo user) (uid $(id -u))"
echo "host name=$(uname -n)"
echo "its pid=$$"
echo "processes=$(set -- /proc/[0-9]*; echo $#)"
echo "network=$(tail -n +3 /proc/net/dev | cut -d: -f1 | xargs)"
echo "up for=$(($(cut -d. -f1 /proc/uptime) / 3600)) hours"
"""
INSIDE = dict(
    user=True, pid=True, mnt=True, net=True, ipc=True, uts=True, time=True, cgroup=True,
    map_root=True, mount_proc=True, hostname="inside", boottime=1_000_000,
)  # fmt: skip
UNSHARE = ["unshare", "--user", "--pid", "--map-root-user", "--mount-proc", "--fork", "bash"]
NEXT = {
    "nsiso run --sandbox -- sh": "a shell in a sandbox",
    "nsiso list --tree": "who is in which namespace",
    "nsiso doctor": "what this machine supports",
}


def painted(code, text):
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def answers(run, **options):
    done = run(["sh", "-c", QUESTIONS], stdout=subprocess.PIPE, text=True, check=True, **options)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def compare():
    outside, inside = answers(subprocess.run), answers(nsiso.run, **INSIDE)
    width = max(map(len, outside.values())) + 3
    print(f"{'':11}{painted('1', 'outside'.ljust(width))}{painted('1', 'inside')}")
    for name, value in outside.items():
        print(f"{name:11}{value:{width}}{painted('32', inside[name])}")


def scenario():
    """Runs unshare(1), ps and lsns as one would by hand, with the examples in C."""
    commands = ["ps -ef", "lsns --output-all --type user --type pid --type mnt"]
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    environment = {**os.environ, "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}"}
    typed = "\necho\n".join(commands)
    done = subprocess.run(UNSHARE, input=typed, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    print(f"$ {painted('1', ' '.join(UNSHARE))}")
    for command, output in zip(commands, done.stdout.split("\n\n")):
        print(f"# {painted('1', command)}")
        for line in output.splitlines():
            print(line[:columns].rstrip())


def main():
    ordinary = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    # Below a home directory of root, another user cannot read these files.
    if os.geteuid() == 0 and subprocess.run([*ordinary, "test", "-r", __file__]).returncode == 0:
        os.execvp(ordinary[0], [*ordinary, sys.executable, *sys.argv])
    privileges = "No root is needed." if os.geteuid() == 0 else "This user is not root."
    print(f"One program, outside and inside all eight namespaces. {privileges}")
    compare()
    print("\nThree of them with unshare and lsns, two examples in C that use nsiso:")
    scenario()
    print()
    place, title = os.path.relpath(BUILD / "venv/bin"), "Try next:"
    for command, text in NEXT.items():
        print(f"{title:9}  {painted('1', f'{place}/{command}'.ljust(40))}  {text}")
        title = ""


if __name__ == "__main__":
    main()
