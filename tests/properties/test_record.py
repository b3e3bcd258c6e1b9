"""The pure heart: joins of records are a semilattice, their bytes are exact, and a commit can be undone."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from concordant import Workspace
from concordant.merge.record import Record, dump_record, join, load_record, view
from concordant.merge.record.join import joined_vector
from concordant.merge.registers import leaves
from concordant.merge.sequence.pieces import Sequence
from concordant.schema import OPEN_SCHEMA, compile_schema
from concordant.workspace.states import expanded

from .team import SCHEMAS, SPACES, Team, team_history
from .world import exact

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab\x00"\\é', max_size=3), inner, max_size=3),
    max_leaves=6,
)


def records(seed: str, steps: int) -> tuple[Any, list[Record]]:
    """The records of one document on three replicas, after a random history with partial exchange."""
    rnd = random.Random(seed)
    space = rnd.choice(SPACES)
    team = Team(3, 5, rnd.choice([0.0, 60.0]))
    for name, number, _ in team_history(rnd, steps)[1:]:
        team.act(name, str(number), space)
    schema = compile_schema(SCHEMAS[space]) if space in SCHEMAS else OPEN_SCHEMA
    found = []
    for workspace in team.spaces:
        state = workspace.storage.load(space, "k")
        found.append(load_record(dump_record(expanded(state, schema, workspace.storage.replica))))
    return schema, found


def joined(*parts: Record) -> Record:
    result = parts[0].copy()
    for part in parts[1:]:
        changes = join(result, part)
        vector = joined_vector(result, part)
        result.commit(changes)
        result.vector = vector
    return result


def shape(record: Record) -> Any:
    """A record's content, the order of dicts apart, and without the pieces of sequences that nobody shows."""

    def plain(leaf: Any) -> Any:
        if isinstance(leaf, Sequence):
            return [tuple(piece) for piece in leaf if piece.live], sorted(leaf.strikes.values())
        return [
            (*entry._replace(covered=()), sorted(((below, plain(part)) for below, part in entry.covered), key=repr))
            for entry in leaf
        ]

    content = sorted(((path, plain(leaf)) for path, leaf in leaves(record.tree)), key=repr)
    return sorted(record.vector.items()), repr(content)


def shown(schema: Any, record: Record) -> Any:
    seen = view(record, schema.root, on_delete=schema.on_delete, fits=schema.fits if schema.checked else None)
    value = exact(json.loads(seen.body)) if seen.body is not None else None

    def plain(body: Any) -> Any:
        return exact(json.loads(body)) if isinstance(body, bytes) else body

    contests = [
        (c.path, c.reason, c.anchor, plain(c.base), [(plain(o.value), o.stamps) for o in c.options])
        for c in seen.contests
    ]
    return value, sorted(map(repr, contests))


def check_joins(seed: str, steps: int) -> None:
    schema, (a, b, c) = records(seed, steps)
    assert shape(joined(a, a)) == shape(a), "idempotent"
    assert join(a, a) == ()
    assert shape(joined(a, b)) == shape(joined(b, a)), "commutative"
    assert shape(joined(joined(a, b), c)) == shape(joined(a, joined(b, c))), "associative"
    every = [joined(*order) for order in itertools.permutations((a, b, c))]
    assert len({repr(shape(one)) for one in every}) == 1, "any order of three"
    assert len({repr(shown(schema, one)) for one in every}) == 1, "any order of three shows the same"
    assert join(every[0], a) == (), "what is joined knows its parts"


@given(st.integers(0, 10**9), st.integers(1, 30))
@settings(max_examples=60)
def test_g4_joins_are_commutative_associative_and_idempotent(seed: int, steps: int) -> None:
    """Three records of random histories join to the same record in whatever order and grouping."""
    check_joins(str(seed), steps)


@pytest.mark.torture
def test_g4_joins_are_a_semilattice_thousands_of_times(seed: str) -> None:
    """The same for three thousand histories."""
    for number in range(3_000):
        check_joins(f"{seed}.{number}", 5 + number % 40)


@given(st.integers(0, 10**9), st.integers(1, 30))
@settings(max_examples=100)
def test_g10_records_survive_their_bytes(seed: int, steps: int) -> None:
    """A record made of its bytes shows and dumps the same as the one they were made of."""
    schema, found = records(str(seed), steps)
    for record in found:
        again = load_record(dump_record(record))
        assert dump_record(again) == dump_record(record)
        assert shape(again) == shape(record)
        assert shown(schema, again) == shown(schema, record)
        assert again.suspects == record.suspects
        assert again.covering == record.covering


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), VALUES, max_size=4))
def test_g7_values_come_back_exactly(value: dict[str, Any]) -> None:
    """Any JSON value, NaN and integers beyond 64 bits included, reads back as written, here and on another replica."""
    workspace, other = Workspace(replica="l"), Workspace(replica="r")
    workspace.agent("ada").write(("notes",), "n", value)
    other.import_(workspace.export())
    for one in (workspace, other):
        document = one.get(("notes",), "n")
        assert document is not None
        assert exact(document.value) == exact(value)


def check_past(seed: str, steps: int) -> None:
    """What was read at each version is what time travel to that version gives."""
    rnd = random.Random(seed)
    space = rnd.choice(SPACES)
    team = Team(2, 4, 0.0)
    past: list[dict[int, Any]] = [{}, {}]
    for name, number, _ in team_history(rnd, steps)[1:]:
        team.act(name, str(number), space)
        for home, workspace in enumerate(team.spaces):
            document = workspace.get(space, "k")
            if document is not None:
                past[home][document.version] = exact(document.value)
    for workspace, versions in zip(team.spaces, past, strict=True):
        for version, value in versions.items():
            document = workspace.get(space, "k", at=version)
            assert document is not None, f"nothing at version {version}, {value} was read"
            assert exact(document.value) == value, f"version {version}: {document.value}, {value} was read"


@given(st.integers(0, 10**9), st.integers(1, 25))
@settings(max_examples=100)
def test_g1_time_travel_shows_what_was_read_then(seed: int, steps: int) -> None:
    """``at=version`` gives the value that a read gave when the document was at that version."""
    check_past(str(seed), steps)


@pytest.mark.torture
def test_g1_time_travel_shows_what_was_read_then_thousands_of_times(seed: str) -> None:
    """The same for two thousand histories."""
    for number in range(2_000):
        check_past(f"{seed}.{number}", 5 + number % 40)
