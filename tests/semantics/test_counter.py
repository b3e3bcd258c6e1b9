"""``Counter``: a write adds the amount given, an edit adds its difference; concurrent writes sum."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, create_model

from concordant import Counter

from .support import AT, pair, shown, workspace


class Votes(BaseModel):
    votes: Annotated[int, Counter()] = 0


def model(annotation: Any) -> type[BaseModel]:
    return create_model("Tally", x=(Annotated[annotation, Counter()], annotation(0)))


def test_write_adds_the_amount_given() -> None:
    """Negative amounts too."""
    ws = workspace(Votes)
    for amount in (5, -2, 10):
        ws.agent("ada").write(*AT, {"votes": amount})
    assert shown(ws) == {"votes": 13}


def test_edit_adds_the_difference() -> None:
    """Between what it read and what it leaves."""
    ws = workspace(Votes)
    ws.agent("eve").write(*AT, {"votes": 10})
    ada, bob = pair(ws)
    with ada.edit(*AT) as one, bob.edit(*AT) as other:
        assert one.votes == other.votes == 10
        one.votes += 5
        other.votes = 7
    assert shown(ws) == {"votes": 12} and ws.escalations(state="all") == []


def test_equal_concurrent_amounts_are_two() -> None:
    """Two agents that add one add two."""
    ws = workspace(Votes)
    ada, bob = pair(ws)
    for agent in (ada, bob, ada):
        agent.write(*AT, {"votes": 1})
    assert shown(ws) == {"votes": 3}


def test_a_put_after_a_read_adds_the_difference() -> None:
    """Read-modify-write of a counter loses nobody's amount."""
    ws = workspace(Votes)
    ws.put(*AT, {"votes": 10})
    document = ws.read_current(*AT)
    assert document is not None
    ws.agent("ada").write(*AT, {"votes": 100})
    ws.put(*AT, {"votes": document.value["votes"] + 1})
    assert shown(ws) == {"votes": 111}


def test_a_blind_put_adds() -> None:
    """Without a read a put is a contribution."""
    ws = workspace(Votes)
    for _ in range(3):
        ws.put(*AT, {"votes": 2})
    assert shown(ws) == {"votes": 6}


def test_an_edit_that_leaves_the_counter_adds_nothing() -> None:
    """The difference is zero."""
    ws = workspace(Votes)
    ws.agent("ada").write(*AT, {"votes": 1})
    with ws.agent("bob").edit(*AT):
        ws.agent("ada").write(*AT, {"votes": 1})
    assert shown(ws) == {"votes": 2}


def test_zero_writes_the_field() -> None:
    """A counter to which nothing was added is zero, not absent."""
    ws = workspace(Votes)
    ws.agent("ada").write(*AT, {"votes": 0})
    assert shown(ws) == {"votes": 0}


@pytest.mark.parametrize("amount", [2**70, -(2**70), 2**53 + 1])
def test_integers_are_exact(amount: int) -> None:
    """However large."""
    ws = workspace(Votes)
    ada, bob = pair(ws)
    ada.write(*AT, {"votes": amount})
    bob.write(*AT, {"votes": 1})
    assert shown(ws) == {"votes": amount + 1}


def test_decimals_are_exact() -> None:
    """0.1 and 0.2 are 0.3, and places are kept."""
    ws = workspace(model(Decimal))
    ada, bob = pair(ws)
    ada.write(*AT, {"x": Decimal("0.10")})
    bob.write(*AT, {"x": Decimal("0.2")})
    bob.write(*AT, {"x": Decimal("1e-30")})
    document = ws.get(*AT)
    assert document is not None
    assert document.model.x == Decimal("0.300000000000000000000000000001")


def test_floats_are_summed_in_a_fixed_order() -> None:
    """The sum does not depend on the order in which replicas learn of the amounts."""
    amounts = [0.1, 0.2, 0.3, 1e16, -1e16, 0.7]
    one, other = (workspace(model(float), replica=name) for name in ("one", "other"))
    for number, amount in enumerate(amounts):
        (one, other)[number % 2].agent(f"agent{number}").write(*AT, {"x": amount})
    frames = one.export(), other.export()
    one.import_(frames[1])
    other.import_(frames[0])
    assert shown(one) == shown(other)


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), "many", None, [1], 1.5])
def test_what_is_no_amount_adds_nothing(amount: Any) -> None:
    """It is parked as ill-typed; the sum goes on."""
    ws = workspace(Votes)
    ws.agent("ada").write(*AT, {"votes": 1})
    ws.agent("bob").write(*AT, {"votes": amount})
    ws.agent("ada").write(*AT, {"votes": 1})
    assert shown(ws) == {"votes": 2}
    assert [e.reason for e in ws.escalations()] == ["type"]


def test_an_edit_starts_from_the_default() -> None:
    """A counter that was never written has its default in the model; what an edit leaves is read back."""
    tally = create_model("Tally", x=(Annotated[int, Counter()], 100))
    ws = workspace(tally)
    with ws.agent("ada").edit(*AT) as document:
        document.x += 1
    found = ws.get(*AT)
    assert found is not None and found.model.x == 101


def test_blame_names_each_agents_sum() -> None:
    """Each agent that added is credited with what it added."""
    ws = workspace(Votes)
    for name, amount in (("ada", 1), ("bob", 5), ("ada", 2)):
        ws.agent(name).write(*AT, {"votes": amount})
    credits = ws.blame(*AT)[("votes",)]
    assert {agent for credit in credits for agent in credit.agents} == {"ada", "bob"}
    assert sum(credit.value for credit in credits) == 8
