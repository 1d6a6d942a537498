"""What the end-to-end tests share: where the build is, and who runs them."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


def needs_root(to):
    """For tests that do something which only root may."""
    return pytest.mark.skipif(os.geteuid() != 0, reason=f"needs root, to {to}")


def run(*command, **options):
    """The finished process, with its output as text."""
    options = {"capture_output": True, "text": True, "timeout": 60, **options}
    return subprocess.run([str(part) for part in command], **options)
