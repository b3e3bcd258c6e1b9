"""What a row of the journal says comes back from every storage, whatever columns there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from concordant import Workspace
from concordant.storage.base import Row
from concordant.storage.encoding import JOURNAL
from concordant.storage.sql.tables import COLUMNS
from concordant.workspace.commit import Commit

AT = ("t",), "k"
# Of each column with a default something that is not the default.
SAID: dict[str, Callable[[Row], Any]] = {
    "settled": lambda row: ((("x",), "max"),),
    "effect": lambda row: row.changes,
    "met": lambda row: {"x": "settled"},
    "upto": lambda row: row.previous,
}


@pytest.mark.parametrize("storage", ["memory", "sqlite", "postgres", "folder"])
def test_every_column_is_kept(
    storage: str, fresh_url: Callable[[str], str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``Commit.close`` says in a row is read again, after a reopening too where the storage lasts."""
    written: list[Row] = []

    def close(commit: Commit, *args: Any, **options: Any) -> Row:
        row = ends(commit, *args, **options)
        written.append(row._replace(**{name: say(row) for name, say in SAID.items()}))
        return written[-1]

    ends = Commit.close
    monkeypatch.setattr(Commit, "close", close)
    url = fresh_url(storage)
    with Workspace(url) as ws:
        began = ws.moment()
        for name in ("ada", "bob"):
            ws.agent(name, began=began).write(*AT, {"x": name})
        found = [*ws.storage.rows(*AT)]
    if url is not None:
        with Workspace(url) as ws:
            assert [*ws.storage.rows(*AT)] == found
    kept = {row.n: row for row in found}
    assert written
    for row in written:
        assert {name: say(row) for name, say in SAID.items()} == {name: getattr(kept[row.n], name) for name in SAID}


def test_every_column_is_tested_and_has_a_type() -> None:
    """A new column of the journal says something in the test above, and databases know of what type it is."""
    assert SAID.keys() == Row._field_defaults.keys()
    assert set(JOURNAL.split(", ")) <= COLUMNS.keys()
