"""What became of writes, field by field: a team's own share of what merges."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel

from concordant import Counter, Scalar, Schema, Set, Text, Workspace
from concordant.workspace.statistics import Shares

AT = (("briefs",), "launch")


class Brief(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    notes: Annotated[str, Text()] = ""
    hits: Annotated[int, Counter()] = 0
    status: Annotated[str | None, Scalar()] = None
    owner: Annotated[str | None, Scalar()] = None
    rank: Annotated[int, Scalar(resolve="max")] = 0


def workspace() -> Workspace:
    return Workspace(schemas={("briefs",): Brief})


def test_each_field_of_each_write_is_counted_once() -> None:
    """By what became of it: merged, equal, settled by policy or escalated."""
    ws = workspace()
    ada, bob = ws.agent("ada"), ws.agent("bob")
    ada.write(*AT, {"tags": ["a"], "notes": "one", "hits": 1, "status": "draft", "owner": "eve", "rank": 1})
    bob.write(*AT, {"tags": ["b"], "notes": "two", "hits": 2, "status": "final", "owner": "eve", "rank": 2})
    found = {field: shares for (_, field), shares in ws.stats().fields.items()}
    assert found == {
        **dict.fromkeys(("tags", "notes", "hits"), Shares(ordered=1, merged=1)),
        "status": Shares(ordered=1, escalated=1),
        "owner": Shares(ordered=1, agreed=1),
        "rank": Shares(ordered=1, settled=1),
    }
    assert ws.stats().total == Shares(ordered=6, merged=3, agreed=1, settled=1, escalated=1)
    assert ws.stats().total.met == 6 and ws.stats().total.mergeable == 1 - 1 / 6


def test_what_its_writer_had_seen_is_ordered() -> None:
    """Writes one after the other meet nobody, on however many documents and in whatever namespace."""
    ws = workspace()
    for number in range(3):
        for agent in ("ada", "bob"):
            ws.agent(agent).write(("briefs",), f"k{number}", {"status": agent})
            with ws.agent(agent).edit(("other",), "k") as value:
                value["x"] = f"{agent} {number}"
    assert ws.stats().fields == {(("briefs",), "status"): Shares(ordered=6), (("other",), "x"): Shares(ordered=6)}
    assert ws.stats().total.mergeable is None


def test_only_the_fields_that_met_count_as_met() -> None:
    """A field that nobody else wrote is ordered, whatever happens beside it; without a model too."""
    ws = workspace()
    for namespace in (("briefs",), ("other",)):
        ada, bob = ws.agent("ada"), ws.agent("bob")
        ada.write(namespace, "k", {"status": "draft"})
        bob.write(namespace, "k", {"status": "final", "owner": "bob"})
        bob.delete(namespace, "unknown")
        assert ws.stats().fields[namespace, "owner"] == Shares(ordered=1)
        assert ws.stats().fields[namespace, "status"] == Shares(ordered=1, escalated=1)


def test_an_empty_store_has_nothing_to_tell() -> None:
    """No writes, no shares."""
    assert workspace().stats().total == Shares() and workspace().stats().fields == {}


def test_a_deletion_that_a_policy_settles_is_no_fields() -> None:
    """A write that meets a deletion counts by its fields alone."""
    ws = Workspace(schemas={("briefs",): Schema(Brief, on_delete="update")})
    ada, bob = ws.agent("ada"), ws.agent("bob")
    ws.agent("base").write(*AT, {"status": "draft"})
    ada.refresh()
    bob.refresh()
    bob.delete(*AT)
    ada.write(*AT, {"tags": ["a"]})
    assert ws.stats().fields[("briefs",), "tags"] == Shares(ordered=1)
