"""The state machine that drives workspaces and the reference model through the same random histories."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from concordant import DELETED

from .world import DISMISS, OPEN, TEAM, Side, World

SCALARS = st.sampled_from(["a", "b", "c", 1, True, 1.0, None, {"x": 1}, [1, "a"], float("nan")])
WORDS = st.sampled_from(["a", "b", "c", "d"])
ELEMENTS = st.sampled_from(["a", "b", "c", 1, True])
NUMBERS = st.integers(-3, 3)
BOARDS = st.fixed_dictionaries(
    {},
    optional={
        "status": SCALARS,
        "mood": SCALARS,
        "best": NUMBERS,
        "last": SCALARS,
        "tags": st.lists(ELEMENTS, max_size=3, unique_by=repr),
        "owners": st.dictionaries(WORDS, SCALARS, max_size=3),
        "votes": NUMBERS,
    },
)
OPENS = st.dictionaries(WORDS, SCALARS, max_size=3)
KEYS = st.sampled_from(["k", "k", "k", "l"])


class Registers(RuleBasedStateMachine):
    """Scalars, sets, maps and counters, on one to three replicas; checked against the model after every step."""

    deletes = True
    skewed = True

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(replicas=st.integers(1, 3), agents=st.integers(2, 5), skew=st.booleans())
    def begin(self, replicas: int, agents: int, skew: bool) -> None:
        skews = [300.0 * (replicas - i) if skew and self.skewed else 0.0 for i in range(replicas)]
        self.world = World(skews, max(agents, replicas))

    def side(self, number: int) -> Side:
        return self.world.sides[number % len(self.world.sides)]

    @rule(who=st.integers(0, 4), key=KEYS, values=BOARDS)
    def write(self, who: int, key: str, values: dict[str, Any]) -> None:
        self.world.write(self.side(who), (TEAM, key), values)

    @rule(who=st.integers(0, 4), key=KEYS, values=BOARDS)
    def put(self, who: int, key: str, values: dict[str, Any]) -> None:
        self.world.put(self.side(who), (TEAM, key), values)

    @rule(who=st.integers(0, 4), key=KEYS, values=OPENS)
    def put_open(self, who: int, key: str, values: dict[str, Any]) -> None:
        self.world.put(self.side(who), (OPEN, key), values)

    @rule(who=st.integers(0, 4), key=KEYS, space=st.sampled_from([TEAM, OPEN]))
    def read(self, who: int, key: str, space: tuple[str, ...]) -> None:
        self.world.read(self.side(who), (space, key))

    @rule(who=st.integers(0, 4))
    def refresh(self, who: int) -> None:
        if self.side(who).draft is None:
            self.world.refresh(self.side(who))

    @precondition(lambda self: self.deletes)
    @rule(who=st.integers(0, 4), key=KEYS, space=st.sampled_from([TEAM, OPEN]))
    def delete(self, who: int, key: str, space: tuple[str, ...]) -> None:
        self.world.delete(self.side(who), (space, key))

    @rule(who=st.integers(0, 4), key=KEYS, space=st.sampled_from([TEAM, OPEN]))
    def open_edit(self, who: int, key: str, space: tuple[str, ...]) -> None:
        if self.side(who).draft is None:
            self.world.open_edit(self.side(who), (space, key))

    @rule(who=st.integers(0, 4), values=BOARDS, opens=OPENS, drop=st.sets(WORDS, max_size=2))
    def close_edit(self, who: int, values: dict[str, Any], opens: dict[str, Any], drop: set[str]) -> None:
        side = self.side(who)
        if side.draft is None:
            return
        if side.draft.place[0] == TEAM:
            self.world.close_edit(side, values)
        else:
            self.world.close_edit(side, {**opens, **{name: DELETED for name in drop if name not in opens}})

    @rule(where=st.integers(0, 2))
    def export(self, where: int) -> None:
        self.world.export(where % len(self.world.spaces))

    @precondition(lambda self: self.world.frames)
    @rule(where=st.integers(0, 2), frame=st.integers(0, 50))
    def import_(self, where: int, frame: int) -> None:
        self.world.import_(where % len(self.world.spaces), frame)

    @rule(where=st.integers(0, 2), pick=st.integers(0, 9), value=st.one_of(SCALARS, st.just(DISMISS)))
    def decide(self, where: int, pick: int, value: Any) -> None:
        home = where % len(self.world.spaces)
        found = [e for e in self.world.spaces[home].escalations() if e.path]
        if found:
            self.world.decide(home, found[pick % len(found)], value, "editor")

    @invariant()
    def agrees(self) -> None:
        self.world.compare_all()

    def teardown(self) -> None:
        self.world.converged()
