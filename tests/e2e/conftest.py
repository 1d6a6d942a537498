"""Shared by the end-to-end tests: the paths of the build, the check for root, and a function that
runs commands.
"""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


def needs_root(to):
    """Marks tests that only root can run."""
    return pytest.mark.skipif(os.geteuid() != 0, reason=f"needs root, to {to}")


def run(*command, **options):
    """Returns the finished process, with its output as text."""
    options = {"capture_output": True, "text": True, "timeout": 60, **options}
    return subprocess.run([str(part) for part in command], **options)
