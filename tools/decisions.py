"""Writes the index of the decisions: ``python -m tools.decisions``."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "docs" / "decisions"
INDEX = FOLDER / "README.md"
HEAD = re.compile(r"# (?P<number>\d{4})\. (?P<title>.+)\n\n(?P<date>\d{4}-\d\d-\d\d) · (?P<status>.+)\n\n")

INTRODUCTION = """# Decisions

What was decided, why, what was measured for it, and what follows from it. A decision is not rewritten: one that no
longer holds gets the status of the one that took its place. A new one takes the next free number, and begins with its
title, date and status as those here do; `python -m tools.decisions` writes this list.

| | decision | date | status |
|---|---|---|---|
"""


def index() -> str:
    """Returns the list of all decisions.

    Raises:
        ValueError: one does not begin with its number, title, date and status.
    """
    rows = []
    for path in sorted(FOLDER.glob("0*.md")):
        head = HEAD.match(path.read_text(encoding="utf-8"))
        if head is None or head["number"] != path.name[:4]:
            raise ValueError(f"{path.name} begins with '# NNNN. Title', an empty line, 'YYYY-MM-DD · accepted'")
        rows.append(f"| [{head['number']}]({path.name}) | {head['title']} | {head['date']} | {head['status']} |\n")
    return INTRODUCTION + "".join(rows)


if __name__ == "__main__":
    INDEX.write_text(index(), encoding="utf-8")
