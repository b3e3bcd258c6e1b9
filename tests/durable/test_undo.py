"""Taking back what an agent did while the process dies, and while others write."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from concordant import Workspace
from tests.nursery import Spoken

from .taking_back import NS, SCHEMAS

FreshUrl = Callable[[str], str]
STORAGES = pytest.mark.parametrize("kind", ["sqlite", "postgres"])


def spoilt(ws: Workspace, many: int) -> dict[str, tuple[Any, Any]]:
    """Documents of ada's, each with what it was and what bob made of it; every tenth he deleted."""
    found: dict[str, tuple[Any, Any]] = {}
    for number in range(many):
        key = f"d{number:03}"
        ws.agent("ada").write(NS, key, {"title": f"T{number}", "body": "One. Two.", "tags": ["a"], "views": number})
        before = shown(ws, key)
        if number % 10 == 3:
            ws.agent("bob").delete(NS, key)
        else:
            with ws.agent("bob").edit(NS, key) as page:
                page.title, page.body, page.views = "spam", "Spam. Two. Spam.", page.views + 100
                page.tags = ["spam"]
        found[key] = (before, shown(ws, key))
    return found


def shown(ws: Workspace, key: str) -> Any:
    document = ws.get(NS, key)
    return None if document is None else document.value


@STORAGES
def test_g10_killed_in_the_middle_each_document_is_whole_and_the_rest_follows(
    kind: str, fresh_url: FreshUrl, seed: str
) -> None:
    """kill -9 while bob is taken back: each document is as he left it or as it was before him; done again, all are."""
    url = fresh_url(kind)
    draws = random.Random(seed)
    with Workspace(url, schemas=SCHEMAS) as ws:
        found = spoilt(ws, 60)
        worker = Spoken("tests.durable.taking_back", [url])
        assert worker.stdout.readline() == "open\n"
        wanted = draws.randint(1, 40)
        while worker.poll() is None and sum(row.act == "undo" for row in ws.log(NS, limit=wanted)) < wanted:
            time.sleep(0.001)
        worker.kill()
        worker.end()
        for key, (before, after) in found.items():
            undone = ws.history(NS, key)[0].act == "undo"
            assert shown(ws, key) == (before if undone else after), key
        ws.undo(agent="bob", by="maria", dry_run=False)
        assert {key: shown(ws, key) for key in found} == {key: before for key, (before, _) in found.items()}
        assert ws.undo(agent="bob", by="maria", dry_run=False).documents == ()
        assert ws.check().ok and not ws.escalations()


@STORAGES
def test_others_write_while_he_is_taken_back(kind: str, fresh_url: FreshUrl) -> None:
    """Threads that add to all documents, and another process that takes back the same: nothing of theirs is lost,
    nothing of his is left, and he is taken back once."""
    url = fresh_url(kind)
    with Workspace(url, schemas=SCHEMAS) as ws:
        found = spoilt(ws, 30)
        keys = [key for key, (_, after) in found.items() if after is not None]
        worker = Spoken("tests.durable.taking_back", [url])
        assert worker.stdout.readline() == "open\n"

        def write(name: str) -> None:
            for key in keys:
                ws.agent(name).write(NS, key, {"tags": [name], "views": 1000})

        writers = [threading.Thread(target=write, args=(name,)) for name in ("eve", "dan")]
        for writer in writers:
            writer.start()
        ws.undo(agent="bob", by="paul", dry_run=False)
        for writer in writers:
            writer.join()
        worker.end()
        for key in keys:
            before = found[key][0]
            assert shown(ws, key) | {"tags": []} == before | {"tags": [], "views": before["views"] + 2000}, key
            assert set(shown(ws, key)["tags"]) == {"a", "dan", "eve"}
            assert sum(row.act == "undo" for row in ws.history(NS, key)) == 1
        assert ws.check().ok and not ws.escalations()
