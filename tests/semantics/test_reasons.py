"""Why questions were decided, on record in every store that hears of it."""

from __future__ import annotations

import json
import random
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import InvalidWriteError, Map, Scalar, Workspace, judges
from concordant.escalation import Remark
from concordant.merge.record.record import MOST_OWN
from concordant.workspace.frames import opened, seal
from tests.patience import PATIENCE

from .support import only

AT = ("briefs",), "launch"
WHY = "The contract says so."
LONG = {"path": [], "by": "a", "state": "b", "why": "c" * 2_001}


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    owners: Annotated[dict[str, str], Map()] = {}


def store() -> Workspace:
    return Workspace(schemas={("briefs",): Brief})


def ask(ws: Workspace, one: Any, other: Any, field: str = "status") -> None:
    """Makes a question about a field, between what two agents wrote."""
    began = ws.moment()
    for name, value in (("ada", one), ("bob", other)):
        ws.agent(name, began=began).write(*AT, {field: value})


def told(ws: Workspace) -> Any:
    """What the history of the newest import says of decisions."""
    entry = next(entry for entry in ws.history(*AT) if entry.act == "import")
    return [(one["by"], one["state"], one["why"]) for one in (entry.value or {}).get("decisions", ())]


def test_the_reason_travels_with_the_decision() -> None:
    """A store that knew the question has the reason on it; one that hears of it by way of that store has it in the
    history; it comes once."""
    here, there, third = store(), store(), store()
    ask(here, "x", "y")
    here.exchange(there)
    here.resolve(only(here), "x", by="editor", why=WHY)
    there.import_(here.export(since=there.version_vector()))
    assert only(there, "all").remarks == (Remark("editor", WHY),)
    assert told(there) == [("editor", "resolved", WHY)]
    third.import_(there.export())
    assert told(third) == [("editor", "resolved", WHY)]
    before = [len(ws.history(*AT)) for ws in (here, there, third)]
    for ws in (here, there, third):
        for other in (here, there, third):
            if ws is not other:
                ws.exchange(other)
    assert [len(ws.history(*AT)) for ws in (here, there, third)] == before
    assert here.check().ok and there.check().ok and third.check().ok


def test_a_judge_that_decides_is_heard_elsewhere() -> None:
    """What a model gave as its reason is on record in the other store too."""
    answer = '{"take": 2, "confidence": 0.9, "reason": "The contract says so."}'
    judge = judges.llm(lambda prompt: answer, name="editor")

    class Judged(BaseModel):
        status: Annotated[str | None, Scalar(resolve=judge)] = None

    here = Workspace(schemas={("briefs",): Judged})
    began = here.moment()
    for name, value in (("ada", "x"), ("bob", "y")):
        here.agent(name, began=began).write(*AT, {"status": value})
    assert here.join_judges(timeout=PATIENCE)
    there = store()
    there.import_(here.export())
    assert told(there) == [("resolver:editor", "resolved", "The contract says so. (confidence 0.9)")]


def test_a_decision_without_a_reason_has_not_that_of_an_earlier_one() -> None:
    """What was asked again and dismissed without a word is not explained by the first decision."""
    here, there = store(), store()
    ask(here, "x", "y")
    here.exchange(there)
    here.resolve(only(here), "x", by="editor", why=WHY)
    here.reopen(only(here, "resolved"), by="maria")
    here.dismiss(only(here), by="maria")
    there.import_(here.export())
    assert only(there, "all").remarks == () and told(there) == []


def test_the_newest_reasons_are_kept_in_whatever_order_they_come() -> None:
    """Of very many decisions on one document the newest have their reasons with them, the same on all replicas."""
    here = store()
    frames, whys = [], []
    for number in range(MOST_OWN + 5):
        ask(here, {f"k{number}": "x"}, {f"k{number}": "y"}, field="owners")
        whys.append(f"reason {number}")
        here.resolve(only(here), "x", by="editor", why=whys[-1])
        frames.append(here.export())
    known = []
    for seed in range(2):
        there = store()
        order = [*frames, *frames]
        random.Random(seed).shuffle(order)
        for frame in order:
            there.import_(frame)
        found = {one["why"] for e in there.history(*AT) for one in (e.value or {}).get("decisions", ())}
        assert found <= set(whys)
        with there.storage.reading():
            known.append(there.storage.load(*AT).settings)  # type: ignore[union-attr]
    with here.storage.reading():
        assert all(settings == here.storage.load(*AT).settings for settings in known)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "odd",
    ["1", "[]", "{}", "x", '{"path": 1, "by": "a", "state": "b", "why": "c"}', json.dumps(LONG)],
)
def test_what_is_no_reason_is_none(odd: str) -> None:
    """A frame from elsewhere may hold anything under that name: it is joined, and says nothing."""
    here, there = store(), store()
    ask(here, "x", "y")
    here.resolve(only(here), "x", by="editor", why=WHY)
    content = json.loads(opened(here.export(), None, 10**8))
    record = json.loads(content["documents"][0][2])
    [name] = record["settings"]
    record["settings"][name][3] = odd
    content["documents"][0][2] = json.dumps(record)
    there.import_(seal(json.dumps(content).encode(), None))
    assert told(there) == []


def test_nobody_sets_a_reason_as_a_setting() -> None:
    """The name is not to be had; ``put(settings=)`` says so."""
    ws = store()
    with pytest.raises(InvalidWriteError, match="settings="):
        ws.put(*AT, {"status": "x"}, settings={"\0why:1": "because"})


def test_a_purge_takes_reasons_along() -> None:
    """Privacy: nothing of what was said in a document is left, reasons included."""
    ws = store()
    ask(ws, "x", "y")
    ws.resolve(only(ws), "x", by="editor", why=WHY)
    ws.purge(*AT)
    assert WHY.encode() not in ws.export() and WHY not in opened(ws.export(), None, 10**8).decode()
