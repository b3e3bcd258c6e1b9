"""Documents of many fields cost about as many times more as they have fields, whatever is done to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any

import pytest
from pydantic import create_model

from benchmarks.writers import calls
from concordant import Scalar, Set, Workspace

from ..semantics.support import AT, workspace

FEW, MANY, RATIO = 30, 300, 12.0
Work = Callable[[], Any]


@cache
def wide(count: int) -> Any:
    """A model of scalars and sets."""
    fields: Any = {
        f"f{n}": (Annotated[str | None, Scalar()], None) if n % 3 else (Annotated[set[str], Set()], set())
        for n in range(count)
    }
    return create_model("Wide", **fields)


def values(count: int, word: str) -> dict[str, Any]:
    return {f"f{n}": f"{word}{n}" if n % 3 else [f"{word}{n}"] for n in range(count)}


def contested(model: Any, count: int) -> Workspace:
    """Two agents have given every field another value."""
    ws = workspace(model)
    began = ws.moment()
    for name in ("ada", "bob"):
        ws.agent(name, began=began).write(*AT, values(count, name))
    return ws


def puts(model: Any, count: int) -> Iterator[Work]:
    ws = workspace(model)
    yield lambda: ws.put(*AT, values(count, "x"))
    yield lambda: (ws.put(*AT, values(count, "y")), ws.get(*AT).value)  # type: ignore[union-attr]


def contests(model: Any, count: int) -> Iterator[Work]:
    yield lambda: contested(model, count).escalations()
    ws = contested(model, count)
    cyd = ws.agent("cyd", began=None)
    yield lambda: (cyd.write(*AT, values(count, "z")), ws.get(*AT).value)  # type: ignore[union-attr]


def decisions(model: Any, count: int) -> Iterator[Work]:
    ws = contested(model, count)
    found = ws.escalations()
    assert len(found) == sum(bool(n % 3) for n in range(count)) or model is None
    yield lambda: [ws.resolve(one, "q", by="judge") for one in found]


def ends(model: Any, count: int) -> Iterator[Work]:
    ws = workspace(model)
    first = ws.put(*AT, values(count, "x"))
    began = ws.moment()
    ada, bob = (ws.agent(name, began=began) for name in ("ada", "bob"))
    yield lambda: (ada.delete(*AT), bob.write(*AT, values(count, "y")), ws.get(*AT))
    yield lambda: (ws.history(*AT), ws.get(*AT, at=first.version), ws.blame(*AT))


def frames(model: Any, count: int) -> Iterator[Work]:
    one, other = workspace(model, replica="one"), workspace(model, replica="other")
    for ws, word in ((one, "x"), (other, "y")):
        ws.put(*AT, values(count, word))
    yield lambda: (other.import_(one.export()), other.get(*AT).value)  # type: ignore[union-attr]


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("case", [puts, contests, decisions, ends, frames])
def test_ten_times_the_fields_cost_twelve_times_as_much_at_most(
    case: Callable[[Any, int], Iterator[Work]], declared: bool
) -> None:
    """Writing, contesting, deciding, deleting, looking back and exchanging are linear in the fields."""
    [*_] = (work() for work in case(wide(3) if declared else None, 3))
    few = [calls(work) for work in case(wide(FEW) if declared else None, FEW)]
    many = [calls(work) for work in case(wide(MANY) if declared else None, MANY)]
    assert all(more <= RATIO * less for less, more in zip(few, many, strict=True)), (few, many)
