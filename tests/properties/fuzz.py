"""Random histories from a seed, run through workspaces and model alike, and made small when they fail.

The state machines explore with Hypothesis; this explores by the hundred thousand steps, and gives the mutants' tests
a check that is the same in every run.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from concordant import DELETED

from .world import DISMISS, OPEN, TEAM, World

Act: TypeAlias = tuple[str, int, dict[str, Any]]
Check: TypeAlias = Callable[[Sequence[Act]], None]

SCALARS: list[Any] = ["a", "b", "c", 1, True, 1.0, None, {"x": 1}, [1, "a"], float("nan")]
WORDS = ["a", "b", "c", "d"]


def scalar(rnd: random.Random) -> Any:
    return rnd.choice(SCALARS if rnd.random() < 0.3 else SCALARS[:3])


def board(rnd: random.Random) -> dict[str, Any]:
    """Some fields of a board."""
    makers: dict[str, Callable[[], Any]] = {
        "status": lambda: scalar(rnd),
        "mood": lambda: scalar(rnd),
        "best": lambda: rnd.randint(-3, 3),
        "last": lambda: scalar(rnd),
        "tags": lambda: rnd.sample(["a", "b", "c", 1, True], rnd.randint(0, 3)),
        "owners": lambda: {word: scalar(rnd) for word in rnd.sample(WORDS, rnd.randint(0, 3))},
        "votes": lambda: rnd.randint(-3, 3),
    }
    return {name: makers[name]() for name in rnd.sample(list(makers), rnd.choice([0, 1, 1, 2, 3]))}


def history(rnd: random.Random, steps: int, *, deletes: bool = True, replicas: int = 3) -> list[Act]:
    """A random history: acts with all that they need, so that any part of it is a history too."""
    names = ["write"] * 4 + ["put"] * 4 + ["put_open"] * 4 + ["read"] * 3 + ["refresh"] * 2
    names += ["open_edit"] * 4 + ["close_edit"] * 5 + ["decide"] * 3
    names += ["export"] * 3 + ["import_"] * 5 if replicas > 1 else []
    names += ["delete"] * 3 if deletes else []
    keys = rnd.choice([["k"], ["k", "k", "l"]])
    spaces = rnd.choice([[TEAM], [OPEN], [TEAM, OPEN]])
    skew = rnd.choice([0.0, 0.0, 300.0])
    agents = rnd.randint(2, 5)
    count = rnd.randint(1, replicas)
    acts: list[Act] = [
        ("begin", 0, {"skews": [skew * (count - i) for i in range(count)], "agents": max(agents, count)})
    ]
    for _ in range(steps):
        name = rnd.choice(names)
        place = (rnd.choice(spaces), rnd.choice(keys))
        if name in ("write", "put"):
            detail: dict[str, Any] = {"place": (TEAM, place[1]), "values": board(rnd)}
            if spaces == [OPEN]:
                continue
        elif name == "put_open":
            detail = {"place": (OPEN, place[1]), "values": opened(rnd)}
            if spaces == [TEAM]:
                continue
        elif name == "close_edit":
            detail = {
                "values": board(rnd),
                "opens": opened(rnd),
                "drop": rnd.sample(WORDS, rnd.randint(0, 2)),
            }
        elif name == "decide":
            detail = {"pick": rnd.randrange(10), "value": rnd.choice([scalar(rnd), scalar(rnd), DISMISS])}
        elif name == "import_":
            detail = {"frame": rnd.randrange(100)}
        else:
            detail = {"place": place}
        acts.append((name, rnd.randrange(10), detail))
    return acts


def opened(rnd: random.Random) -> dict[str, Any]:
    """Some fields of an undeclared document."""
    return {word: scalar(rnd) for word in rnd.sample(WORDS, rnd.randint(0, 3))}


def do(world: World, act: Act) -> None:
    """Does one act in workspace and model."""
    name, number, detail = act
    side = world.sides[number % len(world.sides)]
    home = number % len(world.spaces)
    if name == "write":
        world.write(side, detail["place"], detail["values"])
    elif name in ("put", "put_open"):
        world.put(side, detail["place"], detail["values"])
    elif name == "read":
        world.read(side, detail["place"])
    elif name == "delete":
        world.delete(side, detail["place"])
    elif name == "refresh":
        if side.draft is None:
            world.refresh(side)
    elif name == "open_edit":
        if side.draft is None:
            world.open_edit(side, detail["place"])
    elif name == "close_edit":
        if side.draft is not None:
            drop = dict.fromkeys(detail["drop"], DELETED)
            world.close_edit(side, detail["values"] if side.draft.place[0] == TEAM else {**drop, **detail["opens"]})
    elif name == "export":
        world.export(home)
    elif name == "import_":
        if world.frames:
            world.import_(home, detail["frame"])
    elif name == "decide":
        found = [e for e in world.spaces[home].escalations() if e.path]
        if found:
            escalation, value = found[detail["pick"] % len(found)], detail["value"]
            world.decide(home, escalation, value, "editor")
    else:
        raise ValueError(name)


def check_registers(acts: Sequence[Act]) -> None:
    """After every act every replica shows what the model shows; in the end all converge."""
    world = World(**acts[0][2])
    for act in acts[1:]:
        do(world, act)
        world.compare_all()
    world.converged()


def failure(check: Check, acts: Sequence[Act]) -> str | None:
    """What goes wrong in a history, if anything does."""
    try:
        check(acts)
    except Exception as error:  # whatever is raised is the finding
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{place.name}:{place.lineno} {type(error).__name__}: {error}"
    return None


def smaller(check: Check, acts: Sequence[Act]) -> list[Act]:
    """A part of a failing history that still fails."""
    acts = list(acts)
    size = len(acts) // 2
    while size:
        at = 1
        while at < len(acts):
            part = acts[:at] + acts[at + size :]
            if failure(check, part):
                acts = part
            else:
                at += size
        size //= 2
    return acts


def explore(
    check: Check,
    seed: str,
    histories: int,
    steps: int,
    make: Callable[..., list[Act]] = history,
    **options: Any,
) -> None:
    """Runs many random histories; a failing one is reported as its smallest failing part."""
    rnd = random.Random(seed)
    for number in range(histories):
        acts = make(rnd, steps, **options)
        if failure(check, acts):
            small = smaller(check, acts)
            lines = "\n".join(f"  {act}" for act in small)
            raise AssertionError(f"history {number} of seed {seed!r}: {failure(check, small)}\n{lines}")
