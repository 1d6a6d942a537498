"""Shows a program that is root, is PID 1 and has a host name of its own."""

import sys

import nsiso

question = "echo I am uid $(id -u), pid $$, on $(hostname); ps -ef"
process = nsiso.run(["sh", "-c", question], user=True, pid=True, map_root=True, mount_proc=True, hostname="inside")
sys.exit(process.returncode)
