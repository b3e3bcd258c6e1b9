"""The package as a whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

import concordant_crewai
from tests.patience import PATIENCE


def test_importing_the_package_does_not_import_crewai() -> None:
    """CrewAI takes seconds to import, so that only the use of a name imports it."""
    code = "import sys, concordant_crewai; dir(concordant_crewai); sys.exit('crewai' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)


def test_every_public_name_is_there() -> None:
    """What ``__all__`` lists can be imported, and what it does not list cannot."""
    assert [
        getattr(concordant_crewai, name).__name__ for name in concordant_crewai.__all__
    ] == concordant_crewai.__all__
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        concordant_crewai.Nothing  # noqa: B018
