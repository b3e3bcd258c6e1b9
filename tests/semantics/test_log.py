"""The journal of all documents."""

from __future__ import annotations

import pytest

from concordant import ConcordantError, Workspace

PLANS, USERS = ("plans",), ("plans", "users")


def test_log_is_every_change_newest_first() -> None:
    """It is what the documents' histories tell, in the order of commits, narrowed by namespace, agent and page."""
    with Workspace() as ws:
        ada, bob = ws.agent("ada"), ws.agent("bob")
        for n in range(6):
            (ada, bob)[n % 2].write((PLANS, USERS)[n // 3], f"key{n % 3}", {"field": n, "other": 0})
            ada.write(PLANS, "key0", {f"more{n}": n})
        ws.agent("eve").delete(PLANS, "key1")
        entries = ws.log()
        by_document = [
            entry
            for namespace in (PLANS, USERS)
            for key in ("key0", "key1", "key2")
            for entry in ws.history(namespace, key)
        ]
        assert entries == sorted(by_document, key=lambda entry: -entry.version)
        assert len(entries) == 13
        assert ws.log(USERS) == [entry for entry in entries if entry.namespace == USERS]
        assert ws.log(agent="bob") == [entry for entry in entries if entry.agent == "bob"]
        pages, before = [], None
        while page := ws.log(PLANS, agent="ada", before=before, limit=2):
            pages += page
            before = page[-1].version
        assert pages == [entry for entry in entries if entry.agent == "ada"]
        assert {entry.to_dict()["key"] for entry in entries} == {"key0", "key1", "key2"}
        assert ws.log(("other",)) == [] == ws.log(limit=0)


async def test_log_has_a_twin_and_refuses_what_it_cannot_read() -> None:
    """Coroutines have ``alog``; arguments that are none raise an error that says what was meant."""
    ws = Workspace()
    ws.agent("ada").write(PLANS, "launch", {"status": "new"})
    assert await ws.alog() == ws.log()
    for wrong in (
        {"agent": ""},
        {"before": "x"},
        {"limit": 1.5},
        {"limit": None},
        {"limit": 2**80},
        {"prefix": "plans"},
    ):
        with pytest.raises(ConcordantError, match=r"not|no tuple"):
            ws.log(**wrong)  # type: ignore[arg-type]
