"""The command ``concordant`` (extra ``concordant[cli]``)."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Runs the command; says what to install where the extra is missing."""
    try:
        from concordant.cli.app import app
    except ImportError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit("The command line needs two libraries: pip install 'concordant[cli]'")
    app()
