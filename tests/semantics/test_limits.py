"""Limits: each is a setting, and beyond it there is a clear error, with nothing of the call applied."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import ConcordantError, CorruptFrameError, Counter, InvalidWriteError, Limits, Map, Scalar, Workspace

from .support import AT, KEY, NS, only, shown, workspace


class Sheet(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    data: Annotated[Any, Scalar()] = None
    total: Annotated[int, Counter()] = 0
    money: Annotated[Decimal, Counter()] = Decimal(0)
    owners: Annotated[dict[str, Annotated[Decimal, Counter()]], Map()] = {}


def nested(depth: int) -> Any:
    """A list in a list, so many times."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def changed(draft: Any, values: dict[str, Any]) -> None:
    """Sets fields of a draft, of a model or without one."""
    for name, value in values.items():
        if isinstance(draft, dict):
            draft[name] = value
        else:
            setattr(draft, name, value)


@pytest.mark.parametrize("model", [Sheet, None])
@pytest.mark.parametrize(
    ("limits", "fits", "too_much", "named"),
    [
        (Limits(digits=20), {"data": 10**19}, {"data": 10**20}, "20 digits (Limits.digits)"),
        (Limits(digits=20), {"data": [{"x": -(10**19)}]}, {"data": [{"x": -(10**20)}]}, "data"),
        (Limits(digits=20), {"status": "9" * 500}, {"data": 10**600}, "20 digits"),
        (Limits(), {"data": 10**999}, {"data": 10**1000}, "1,000 digits"),
        (Limits(), {"data": 1}, {"data": 10**5000}, "digits"),
        (Limits(value=1_000), {"status": "x" * 900}, {"status": "x" * 1_000}, "at most 1,000 are taken (Limits.value)"),
        (Limits(depth=5), {"data": nested(4)}, {"data": nested(5)}, "5 levels"),
        (Limits(), {"data": nested(127)}, {"data": nested(128)}, "128 levels"),
    ],
)
def test_a_write_beyond_a_limit_is_refused(
    model: Any, limits: Limits, fits: dict[str, Any], too_much: dict[str, Any], named: str
) -> None:
    """What is too long, too large or too deep is refused by each way of writing; what is just within is stored."""
    ws = workspace(model, limits=limits)
    ada = ws.agent("ada")
    for write in (
        lambda: ada.write(*AT, too_much),
        lambda: ws.put(*AT, too_much),
        lambda: ws.put_all([(NS, "other", {"status": "s"}), (*AT, too_much)]),
    ):
        with pytest.raises(InvalidWriteError) as caught:
            write()
        assert named in str(caught.value)
    assert shown(ws) is None and ws.get(NS, "other") is None
    ada.write(*AT, fits)
    assert shown(ws) == fits
    with pytest.raises(InvalidWriteError), ada.edit(*AT) as draft:
        changed(draft, too_much)
    assert shown(ws) == fits and len(list(ws.list())) == 1


@pytest.mark.parametrize("amount", [Decimal("1E+2000"), Decimal("1E-2000"), Decimal("9" * 1_001)])
def test_an_amount_of_too_many_digits_is_refused(amount: Decimal) -> None:
    """Written out a decimal counts all its digits, those of its exponent too; below a map as well."""
    ws = workspace(Sheet)
    ws.agent("ada").write(*AT, {"money": Decimal("1E+20")})
    for value in ({"money": amount}, {"owners": {"a": amount}}):
        with pytest.raises(InvalidWriteError, match="digits"):
            ws.agent("ada").write(*AT, value)
    assert Decimal((shown(ws) or {})["money"]) == Decimal("1E+20")


def test_names_and_keys_have_a_length() -> None:
    """Bytes of UTF-8 count; a key or namespace that is too long is refused before anything is stored under it."""
    ws = workspace(limits=Limits(name=10, key=10))
    ws.agent("é" * 5).write(("n" * 10,), "k" * 10, {"a": 1})
    for name in ("x" * 11, "é" * 6):
        with pytest.raises(ConcordantError, match=r"at most 10 bytes \(Limits.name\)"):
            ws.agent(name)
        with pytest.raises(ConcordantError, match=r"Limits[.]name"), ws.acting_as(name):
            pass
    for namespace, key in ((("n" * 11,), "k"), (("n" * 6, "m" * 5), "k"), (("n",), "k" * 11), (("n",), "é" * 6)):
        with pytest.raises(InvalidWriteError, match=r"Limits[.]key"):
            ws.agent("ada").write(namespace, key, {"a": 1})
        with pytest.raises(InvalidWriteError, match=r"Limits[.]key"):
            ws.put(namespace, key, {"a": 1})
    assert len(list(ws.list())) == 1


def test_a_team_of_two_hundred_meets_no_default() -> None:
    """Names, keys and values as long as people make them, and two hundred who disagree, are within the defaults."""
    ws = workspace(Sheet)
    began = ws.moment()
    for n in range(200):
        name = f"researcher {n} of the department for long names"
        ws.agent(name, began=began).write(*AT, {"status": f"{n} " + "words " * 200})
    assert (len(only(ws).contenders), only(ws).more) == (200, 0)


def test_contenders_beyond_the_limit_are_kept_and_counted() -> None:
    """The oldest are shown, ``more`` tells of the others, each new one is told of, and a decision settles all."""
    ws = workspace(Sheet, limits=Limits(contenders=2))
    told: list[Any] = []
    ws.on_escalation(told.append)
    began = ws.moment()
    for n in range(5):
        ws.agent(f"a{n}", began=began).write(*AT, {"status": f"v{n}"})
    question = only(ws)
    assert [c.value for c in question.contenders] == ["v0", "v1"] and question.more == 3
    assert [event.kind for event in told] == ["opened", "grew", "grew", "grew"]
    document = ws.get(*AT)
    assert document is not None and document.contested[("status",)].more == 3
    credits = ws.blame(*AT)[("status",)]
    assert [credit.value for credit in credits] == [f"v{n}" for n in range(5)]
    ws.agent("a1", began=began).write(*AT, {"status": "v0"})
    assert only(ws).more == 3 and only(ws).contenders[0].agents == ("a0", "a1")
    ws.resolve(only(ws), "v4", by="judge")
    assert shown(ws) == {"status": "v4"} and ws.escalations() == []


def test_a_decision_on_what_was_shown_is_stale_once_a_hidden_contender_changed() -> None:
    """Decisions are pinned to all contenders, shown or not."""
    ws = workspace(Sheet, limits=Limits(contenders=2))
    began = ws.moment()
    for n in range(4):
        ws.agent(f"a{n}", began=began).write(*AT, {"status": f"v{n}"})
    question = only(ws)
    ws.agent("late", began=began).write(*AT, {"status": "late"})
    with pytest.raises(ConcordantError, match="contenders changed"):
        ws.resolve(question, "v0", by="judge")


def test_a_frame_has_a_size_and_a_document_in_it_a_number_of_entries() -> None:
    """A frame that is larger, as it comes or unpacked, or holds more entries in one document, is refused as a whole."""
    source = Workspace(schemas={NS: Sheet}, replica="source")
    began = source.moment()
    for n in range(50):
        source.agent(f"a{n}", began=began).write(*AT, {"status": f"v{n}"})
    frame = source.export()
    for limits, named in (
        (Limits(frame=len(frame) - 1), "Limits.frame"),
        (Limits(frame=len(frame) + 1), "unpacked"),
        (Limits(entries=49), "more than 49 entries"),
    ):
        target = workspace(Sheet, limits=limits, replica="target")
        with pytest.raises(CorruptFrameError) as caught:
            target.import_(frame)
        assert named in str(caught.value) and target.get(NS, KEY) is None
    assert workspace(Sheet, limits=Limits(entries=50), replica="target").import_(frame) == 1


@pytest.mark.parametrize("given", [{"key": 0}, {"digits": "many"}, {"depth": 129}, {"digits": 1_001}, {"name": True}])
def test_a_limit_is_a_number_within_reach(given: dict[str, Any]) -> None:
    """Others are refused where they are given."""
    with pytest.raises(ConcordantError, match=r"Limits\("):
        Limits(**given)
    with pytest.raises(ConcordantError, match="limits= is"):
        Workspace(limits={"key": 5})  # type: ignore[arg-type]


def test_an_entry_names_so_many_who_confirmed_it() -> None:
    """Of many who say the same the first are named with the value, and whoever said it last; the journal has all."""
    ws = workspace(Sheet)
    for n in range(300):
        ws.agent(f"a{n}").write(*AT, {"status": "same"})
    (credit,) = ws.blame(*AT)[("status",)]
    assert credit.agents == (*(f"a{n}" for n in range(256)), "a299")
    assert {entry.agent for entry in ws.history(*AT)} == {f"a{n}" for n in range(300)}


def test_events_wait_for_a_subscriber_up_to_a_number(caplog: pytest.LogCaptureFixture) -> None:
    """Who fetches nothing for long misses the oldest, goes on with the next, and the log says so."""
    ws = workspace(Sheet, limits=Limits(backlog=3))
    with ws.subscribe("desk") as desk:
        began = ws.moment()
        for n in range(6):
            ws.agent(f"a{n}", began=began).write(*AT, {"status": f"v{n}"})
        ws.vacuum()
        found = []
        while (event := desk.receive(timeout=0)) is not None:
            found.append(event.escalation.contenders[-1].value)
            desk.acknowledge()
    assert found == ["v3", "v4", "v5"]
    assert "desk has not fetched" in caplog.text


def test_settings_count() -> None:
    """What is remembered beside a value is limited as a value is; beyond that nothing of the put is applied."""
    ws = Workspace(limits=Limits(value=1_000))
    ws.put(*AT, {"a": 1}, settings={"note": "x" * 900})
    with pytest.raises(InvalidWriteError, match=r"Limits\.value"):
        ws.put(*AT, {"a": 2}, settings={"note": "x" * 1_100})
    assert shown(ws) == {"a": 1}
    with pytest.raises(InvalidWriteError, match=r"Limits\.value"):
        ws.put(*AT, {"a": 3}, settings={f"n{n}": "x" * 90 for n in range(12)})
    assert shown(ws) == {"a": 1}
