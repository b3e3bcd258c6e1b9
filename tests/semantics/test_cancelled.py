"""An execution of a task that was cancelled and goes on for a while beside the next one: no put counts twice."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from concordant import TaskScope, Workspace
from concordant.workspace.scope import Scope

from .support import AT, NS, Tasks, relation, shown, workspace
from .test_reexecution import Brief

PUTS = 3
"""How many puts either execution makes."""


def interleavings() -> list[str]:
    """All orders of the puts of a cancelled execution (1) and of its successor (2), which begins no earlier."""
    places = range(2 * PUTS)
    return ["".join("2" if at in chosen else "1" for at in places) for chosen in combinations(places, PUTS)]


class Execution:
    """One execution of a node that reads once and puts back what it put last with something added."""

    def __init__(self, ws: Workspace, tasks: Tasks, number: int, *, reads: bool) -> None:
        self.ws, self.number, self.made, self.last = ws, number, 0, dict[str, Any]()
        self.run = lambda: tasks.run("node", execution=number)
        with self.run():
            found = ws.read_current(NS, AT[1] if reads else "another")
            self.last = dict(found.value) if found is not None else {}

    def put(self) -> None:
        part = f"{self.made}.{self.number}"
        last = self.last
        self.last = {
            "tags": [*last.get("tags", []), part],
            "steps": [*last.get("steps", []), part],
            "votes": last.get("votes", 0) + 1,
            "body": "\n".join([*last.get("body", "").splitlines(), part]),
            "owners": {**last.get("owners", {}), f"{self.made}": part},
        }
        with self.run():
            self.ws.put(*AT, self.last)
        self.made += 1


@pytest.mark.parametrize("order", interleavings())
@pytest.mark.parametrize("reads", [True, False])
def test_a_put_counts_once_in_whatever_order(order: str, reads: bool) -> None:
    """Of two executions that go on side by side the later one's puts are what stands."""
    play(order, reads=reads)


def play(order: str, *, reads: bool) -> None:
    ws = workspace(Brief)
    tasks = Tasks(ws)
    one = Execution(ws, tasks, 1, reads=reads)
    begun: dict[str, Execution] = {"1": one}
    for number in order:
        if number not in begun:
            begun[number] = Execution(ws, tasks, int(number), reads=reads)
        begun[number].put()
    check(ws, [f"{n}.2" for n in range(PUTS)])


@pytest.mark.parametrize("more", [1, 2])
def test_what_the_next_execution_has_not_made_yet_stands(more: int) -> None:
    """What is put after the cancellation is nothing where the next execution has made that put, and there else."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    one, two = (Execution(ws, tasks, number, reads=False) for number in (1, 2))
    one.put()
    two.put()
    two.put()
    for _ in range(1 + more):
        one.put()
    check(ws, ["0.2", "1.2", *(f"{n}.1" for n in range(2, 2 + more))])


def test_a_third_execution_beside_two_that_were_cancelled() -> None:
    """The last one's puts stand, though both others go on."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    three = [Execution(ws, tasks, number, reads=False) for number in (1, 2, 3)]
    for number in (0, 1, 2, 1, 0, 0, 1, 2, 2):
        three[number].put()
    check(ws, ["0.3", "1.3", "2.3"])


def test_a_strand_that_comes_late_begins_no_execution() -> None:
    """Threads of a cancelled execution that call first at once, with its successor in between, do not come after it."""
    scoping = workspace(Brief).core.scoping
    one, two = (TaskScope(n, "node", "o", "o", n, 5.0, relation) for n in "12")
    first = scoping._remember(one, Scope.of(one))
    second = scoping._remember(two, Scope.of(two))
    assert scoping._remember(one, Scope.of(one)) is first
    assert (first.successors(), second.successors()) == ([second], [])


def check(ws: Workspace, parts: list[str]) -> None:
    value = shown(ws)
    assert sorted(value["tags"]) == parts
    assert sorted(value["steps"]) == parts
    assert sorted(value["body"].splitlines()) == parts
    assert value["votes"] == len(parts)
    assert value["owners"] == {part.split(".")[0]: part for part in parts}
    assert ws.escalations(state="all") == []
