"""Environments of their own for what cannot live in ours."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Environment"]

CACHE = Path(__file__).parent / ".cache"


class Environment:
    """A virtual environment with pinned packages, made when it is first needed.

    Args:
        name: of its folder.
        pins: what is installed, as requirements.
    """

    def __init__(self, name: str, pins: Sequence[str]) -> None:
        self._home = CACHE / name
        self._pins = list(pins)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self._home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    @property
    def ready(self) -> bool:
        """Whether it is there, with these very packages."""
        stamp = self._home / "ready"
        return stamp.exists() and stamp.read_text(encoding="utf-8").split() == self._pins

    def install(self) -> None:
        """Makes it."""
        if importlib.util.find_spec("uv") is not None:
            _run(sys.executable, "-m", "uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(self._home))
            _run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(self._home), *self._pins)
        else:
            _run(sys.executable, "-m", "venv", "--clear", str(self._home))
            _run(str(self.python), "-m", "pip", "install", "--quiet", *self._pins)
        (self._home / "ready").write_text("\n".join(self._pins), encoding="utf-8")


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
