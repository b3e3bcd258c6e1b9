"""Whatever is given to a public call: our own error or a result, nothing half done, and everything else works on."""

from __future__ import annotations

import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import FrameType
from typing import Any

import pytest

from concordant import ConcordantError, InvalidWriteError, Workspace
from concordant.values import MAX_DIGITS

from .calls import OPEN, PLACE, WORKSPACE_CALLS, opened
from .zoo import zoo

STORAGES = ["memory", "sqlite", "postgres"]


class Hangs(BaseException):
    """A call did not come back."""


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    def tell(number: int, frame: FrameType | None) -> None:
        raise Hangs

    before = signal.signal(signal.SIGALRM, tell)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def shown(ws: Workspace) -> list[Any]:
    """How far a store has come, and which document stands at which version; those with a time to live end by themselves
    while a test runs."""
    return [ws.moment().n, *((d.namespace, d.key, d.version) for d in ws.list() if d.expires_at is None)]


def tried(ws: Workspace, call: Callable[[Workspace, Any], Any], value: Any, before: list[Any]) -> str | None:
    """What is wrong with the way a call takes a value; ``None``: nothing is, and if it was refused nothing was done."""
    signal.alarm(60)
    try:
        call(ws, value)
    except ConcordantError as error:
        text = str(error)
        if len(text) > 20_000:
            return f"a message of {len(text)} letters"
        if before != shown(ws):
            return f"refused, and yet something was done ({text[:100]})"
        raise
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:100]}"
    finally:
        signal.alarm(0)
    return None


def works_on(ws: Workspace, number: int) -> None:
    """Makes sure that a store reads and writes, and that a question is open in it."""
    ws.agent("zoe").write(OPEN, "after", {"n": number})
    document = ws.get(OPEN, "after")
    assert document is not None and document.value == {"n": number}
    if not ws.escalations():
        ada, bob = ws.agent("ada"), ws.agent("bob")
        ada.write(*PLACE, {"status": f"draft {number}"})
        bob.write(*PLACE, {"status": "final"})


def wrong_of(ws: Workspace, name: str, call: Any, values: list[Any], numbers: list[int]) -> list[str]:
    found, before = [], shown(ws)
    for number in numbers:
        try:
            problem = tried(ws, call, values[number], before)
        except ConcordantError:
            continue  # as it should be, and all is as it was
        if problem is not None:
            found.append(f"{name} with value {number} of the zoo: {problem}")
        works_on(ws, number)
        before = shown(ws)
    works_on(ws, len(name))
    return found


def check(url: Callable[[], str | None], chosen: Callable[[], list[int]]) -> None:
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pydantic's, of values that are not of a field's type
        ws, values = opened(url()), zoo()
        for name, call in WORKSPACE_CALLS.items():
            wrong += wrong_of(ws, name, call, values, chosen())
    assert [*ws.list()]
    ws.export()
    ws.stats()
    ws.close()
    assert wrong == []


class NotCompared:
    """A value that is compared with no other."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")


@pytest.mark.parametrize("ttl", [Decimal("sNaN"), NotCompared()])
def test_g11_a_time_to_live_that_cannot_be_compared_is_refused(ttl: Any) -> None:
    """A time to live is looked at by its type first."""
    with Workspace() as ws, pytest.raises(InvalidWriteError, match="no time to live"):
        ws.put(("notes",), "k", {"a": 1}, ttl=ttl)


@pytest.mark.parametrize("storage", STORAGES)
def test_g11_every_call_takes_any_value(storage: str, fresh_url: Callable[[str], str | None], seed: str) -> None:
    """A public call given any value raises our error with nothing applied, or works; the store works on."""
    chance = random.Random(seed)
    size = len(zoo())
    check(lambda: fresh_url(storage), lambda: chance.sample(range(size), 3 if storage == "memory" else 1))


@pytest.mark.torture
@pytest.mark.parametrize("storage", STORAGES)
def test_g11_every_call_takes_every_value(storage: str, fresh_url: Callable[[str], str | None]) -> None:
    """The same with every call and every value of the zoo."""
    check(lambda: fresh_url(storage), lambda: list(range(len(zoo()))))


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("digits", [MAX_DIGITS + 1, 4_299, 4_301, 6_000])
def test_a_huge_integer_is_refused(storage: str, digits: int, fresh_url: Callable[[str], str | None]) -> None:
    """A whole number of more digits than can be read back is refused, and says where it is; just below it is kept."""
    with opened(fresh_url(storage)) as ws:
        for given in ({"a": 10 ** (digits - 1)}, {"a": {"b": [1, -(10 ** (digits - 1))]}}):
            with pytest.raises(InvalidWriteError, match=f"{MAX_DIGITS:,} digits"):
                ws.agent("ada").write(OPEN, "k", given)
        for field in ("votes", "status", "tags", "owners"):
            with pytest.raises(InvalidWriteError):
                ws.agent("ada").write(*PLACE, {field: 10**digits})
        ws.agent("ada").write(OPEN, "k", {"a": 10 ** (MAX_DIGITS - 1), "text": "9" * 5_000})
        ws.agent("ada").write(*PLACE, {"votes": 10 ** (MAX_DIGITS - 1)})
        ws.agent("ada").write(*PLACE, {"votes": 10 ** (MAX_DIGITS - 1)})
        assert len([*ws.list()]) == 2
        ws.export()


def test_a_validator_that_fails_in_its_own_way_is_told() -> None:
    """What a model's own validator raises comes out as a refused write, with the reason."""
    from typing import Annotated

    from pydantic import BaseModel, field_validator

    from concordant import Scalar

    class Odd(BaseModel):
        a: Annotated[str | None, Scalar()] = None

        @field_validator("a")
        @classmethod
        def looked_up(cls, value: str) -> str:
            return {"known": "x"}[value]

    ws = Workspace(schemas={("odd",): Odd})
    with pytest.raises(InvalidWriteError, match="KeyError"):
        ws.agent("ada").write(("odd",), "k", {"a": "unknown"})
    assert ws.get(("odd",), "k") is None


def test_a_value_too_deep_for_python_is_refused() -> None:
    """Nesting that Python itself cannot follow is a refused write, whatever the recursion limit."""
    value: Any = 1
    for _ in range(sys.getrecursionlimit() * 3):
        value = [value]
    with pytest.raises(InvalidWriteError):
        Workspace().agent("ada").write(OPEN, "k", {"a": value})


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_an_id_that_no_database_can_be_asked_for_is_unknown(kind: str, fresh_url: Callable[[str], str | None]) -> None:
    """Half a surrogate pair, a NUL: there is no such escalation, and none can be decided."""
    with Workspace(fresh_url(kind)) as ws:
        for strange in ("\udfff", "a\0b"):
            assert ws.escalation(strange) is None
            with pytest.raises(ConcordantError, match="escalation"):
                ws.resolve(strange, "x", by="max", version="v")
