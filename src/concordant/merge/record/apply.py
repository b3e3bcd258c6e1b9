"""``apply``: the change that a write makes to a record, computed, not made; ``begin``: the record of a first write."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence as Items, Set
from dataclasses import dataclass, field as dataclass_field, replace
from typing import Any, Literal, NamedTuple, TypeAlias

from concordant.merge.causality import (
    ASKED,
    Dots,
    Entry,
    Register,
    SeenBy,
    Stamp,
    VersionVector,
    dot_of,
    image_name,
    place_name,
    seen_everything,
)
from concordant.merge.kinds import Contest, Field, at_once
from concordant.merge.kinds.base import reading
from concordant.merge.kinds.nested import OpenRecord, field_at, split_slot, stored_path
from concordant.merge.kinds.tree import CONTENTS
from concordant.merge.record.defaults import with_defaults
from concordant.merge.record.drift import Fit, adapted
from concordant.merge.record.leases import living, with_dead
from concordant.merge.record.parked import spot_of
from concordant.merge.record.record import Record
from concordant.merge.registers import (
    PARKED,
    PRESENT,
    Change,
    Leaf,
    LeafChange,
    Path,
    Tree,
    leaf_at,
    leaves,
    place_leaf,
    restored,
)
from concordant.merge.registers.bulk import Bulk
from concordant.merge.registers.crowds import Exchanged
from concordant.merge.registers.leaf import as_register, as_sequence, is_sequence
from concordant.merge.sequence.diff import Hunk
from concordant.merge.sequence.edit import withdraw
from concordant.values import ABSENT, REMOVED

__all__ = ["Applied", "Earlier", "Places", "Write", "apply", "begin", "stand_anew", "without"]

Identity: TypeAlias = tuple[float, str]
"""Time and origin of a write: those of its entries that were put back have another dot."""

Places: TypeAlias = Mapping[tuple[str, ...], Items[Hunk]]
"""Of texts and lists, by public path, what was done there: hunks, in order."""

Mode = Literal["write", "add", "edit", "put", "delete", "decide", "reopen"]


class Earlier(NamedTuple):
    """What an earlier execution of the same put did: its stamp and its changes."""

    stamp: Stamp
    changes: Items[LeafChange]


@dataclass(slots=True)
class Write:
    """One write, ready to be applied.

    Attributes:
        stamp: its dot, time, agent, origin and act.
        mode: ``write`` contributes; ``add`` does too, but a text or list is always all new, never what the writer read
            with more at its end; ``edit`` carries over the difference to ``base``; ``put`` does so for the fields
            that ``base`` has and contributes the others; ``delete``; ``decide`` settles ``contest``; ``reopen`` has
            ``anew`` stand again.
        values: the fields given, as JSON values.
        seen: which writes its writer had seen.
        base: what the writer had read, as JSON values by field; ``None`` if it read nothing.
        leave: fields that were contested when the writer read them; leaving one out touches nothing.
        replaces_all: in a document without a model: what is seen and left out goes away.
        parked: values of the wrong type, by public path.
        anew: entries that are to stand beside each other, by the place of their register.
        contest, decision: what is decided, and the value (``REMOVED`` for a deletion, ``ABSENT`` for no value).
        earlier: what earlier executions of the same put did that is to be taken back, newest first.
        own: the origin of the writer's own writes, where ``base`` is what it put without having read.
        existed: whether the document was there in the eyes of the writer of a deletion.
        apart: of fields, which writes its writer had seen of them, where that is not ``seen``.
        joins: whether its writer settles nothing by writing: a scalar that is contested gets one more contender.
        places: of texts and lists that an edit changes, by public path, what was done there, where that is known.
    """

    stamp: Stamp
    mode: Mode
    values: dict[str, Any]
    seen: SeenBy
    base: dict[str, Any] | None = None
    leave: frozenset[str] = frozenset()
    replaces_all: bool = False
    parked: dict[tuple[str, ...], bytes] = dataclass_field(default_factory=dict)
    contest: Contest | None = None
    decision: Any = ABSENT
    anew: tuple[Path, Register] | None = None
    earlier: Items[Earlier] = ()
    own: str | None = None
    existed: bool = False
    apart: Mapping[str, SeenBy] = dataclass_field(default_factory=dict)
    joins: bool = False
    places: Places = dataclass_field(default_factory=dict)

    @property
    def is_edit(self) -> bool:
        """Whether its writer had read what it changes; of a document's only write its act alone tells."""
        read = self.mode == "put" and self.base is not None and self.own is None
        return read or self.mode == "edit" or self.stamp.act == "edit"


_NOTHING: VersionVector = {}
_WHOLE: frozenset[Path] = frozenset([(None,)])


class Applied(NamedTuple):
    """What a write does: all changes, and those that are its own effect. They differ where it takes the place of an
    earlier put, whose own effect is taken back first. ``known`` are the writes of others that it made images of."""

    changes: tuple[LeafChange, ...]
    effect: tuple[LeafChange, ...]
    known: VersionVector = _NOTHING


def apply(
    record: Record,
    write: Write,
    root: Field,
    *,
    on_delete: str = "escalate",
    gone: SeenBy | None = None,
    fit: Fit | None = None,
) -> Applied:
    """Returns the changes that a write makes to a record, for ``record.commit``.

    Args:
        root: the compiled schema's root field.
        on_delete: the namespace's policy for updates concurrent with a deletion.
        gone: what of the record is over when the write is made (``concordant.merge.record.leases.over``): it goes
            away, and the write meets none of it.
        fit: gives parts of a value in the model's form; for a record that was not written under it
            (``concordant.merge.record.drift``).
    """
    if gone is None and fit is None:
        return _apply(record, record.tree, write, root, on_delete)
    if gone is seen_everything:
        write = _anew(write)
    tree, known = record.tree if gone is None else living(record.tree, gone), {}
    if fit is not None:
        found = adapted(tree, root, fit)
        tree, known = found.tree, found.known(record.vector)
    changes, effect, more = _apply(record, tree, write, root, on_delete)
    if not changes:
        return Applied((), ())
    whole = with_dead(record.tree, tree, changes)
    return Applied(whole, effect if write.earlier else whole, {**known, **more})


def _anew(write: Write) -> Write:
    """A write to a document that has expired: all it gives is given anew, whatever its writer had read of it."""
    values = write.values
    if write.mode == "edit" and not write.replaces_all:
        values = {**(write.base or {}), **values}
    mode: Mode = "write" if write.mode == "edit" else write.mode
    return replace(write, mode=mode, values=values, base=None, leave=frozenset(), earlier=())


def _apply(record: Record, tree: Tree, write: Write, root: Field, on_delete: str) -> Applied:
    change = Change(
        tree,
        write.stamp,
        write.seen,
        deciding=write.mode == "decide",
        on_delete=on_delete,
        covering=_may_hold_deletions(record, tree),
        own=write.own,
        adding=write.mode == "add",
        replacing=write.replaces_all,
        joining=write.joins,
        apart=write.apart,
        crowd_at=record.crowd_at,
        standing=record.standing if tree is record.tree else None,
        editing=write.is_edit,
    )
    if write.places:
        change.places = _stored(root, write.places)
    again = take_back(change, root, write.earlier)
    taken_back = dict(change.after) if write.earlier else {}
    made = _NOTHING
    if write.mode == "delete":
        change.delete((), existed=write.existed)
    elif write.mode == "decide":
        _decide(change, write, root)
    elif write.anew is not None:
        made = stand_anew(change, *write.anew)
    else:
        change.enter(())
        if write.mode == "edit":
            made = _edit(change, root, write, record.vector)
        elif write.base:
            _put(change, root, write)
        else:
            root.kind.contribute(change, root, (), write.values)
        if write.replaces_all:
            _remove_left_out(change, write)
        for path, value in write.parked.items():
            change.replace((PARKED, json.dumps(path)), value)
        _close_parked(change, write)
    if write.mode == "edit" and change.after.keys() <= _WHOLE and not write.parked:
        return Applied((), ())  # nothing was changed, so nothing that was deleted begins anew
    changes = change.changes()
    applied = (changes, change.since(taken_back) if write.earlier else changes, again | made)
    return tuple.__new__(Applied, applied)  # the class's own is slower, being Python


def _may_hold_deletions(record: Record, tree: Tree) -> bool:
    """Whether there may be a deletion in a record's tree, or what one removed: in what was converted anyway."""
    return record.covering or bool(record.tombs) or tree is not record.tree


def _stored(root: Field, places: Places) -> dict[Path, Items[Hunk]]:
    """What was done at places, by their paths in the tree."""
    return {stored_path(root, path): hunks for path, hunks in places.items()}


def without(record: Record, root: Field, earlier: Items[Earlier], stamp: Stamp) -> Record:
    """Returns the record as it would be had those writes (the newest given first) not been made; for reading only."""
    twin = record.copy()
    change = Change(twin.tree, stamp, lambda _: False)
    take_back(change, root, earlier)
    twin.commit(change.changes())
    return twin


def _edit(change: Change, root: Field, write: Write, vector: VersionVector) -> VersionVector:
    """Carries over an edit; returns the writes made beside it, of defaults that nobody had written."""
    known = dict(vector)
    shown = with_defaults(change, root, (), write.base or {}, write.values, known)
    root.kind.edit(change, root, (), shown, write.values)
    return {name: n for name, n in known.items() if n != vector.get(name)}


def _put(change: Change, root: Field, write: Write) -> None:
    base = write.base or {}
    known = {name: value for name, value in write.values.items() if name in base}
    fresh = {name: value for name, value in write.values.items() if name not in base}
    if known:
        root.kind.edit(change, root, (), base, known)
    if fresh:
        root.kind.contribute(change, root, (), fresh)
    elif not known and not write.values:
        change.touch(())


def _remove_left_out(change: Change, write: Write) -> None:
    """What a put of an undeclared document leaves out goes away, as far as its writer has seen it."""
    gone = False
    for slot in change.keys(()):
        if slot == PARKED or slot.startswith(CONTENTS):
            continue
        tag, name = split_slot(slot)
        if name in write.values or name in write.leave or (write.base is not None and name not in write.base):
            continue
        place = (slot,)
        if tag != "scalar":
            gone = change.delete(place) or gone
            continue
        if _was_there(change.register(place), write):
            change.replace(place, None)
            gone = True
    if gone:
        change.touch(())


def _was_there(register: Register, write: Write) -> bool:
    """Whether there is what the writer of a put had read, or what has replaced it; where it had read nothing, a value
    that it had seen."""
    if write.base is not None:
        return bool(register)
    return any(entry.value is not None and write.seen(entry.stamp) for entry in register)


def _close_parked(change: Change, write: Write) -> None:
    """A valid write by the same agent answers the value of the wrong type that it had parked there."""
    held = change.tree.get(PARKED)
    if not held:
        return
    for text in list(held):
        path = tuple(json.loads(text))
        if path in write.parked or path[0] not in write.values:
            continue
        value: Any = write.values
        for part in path:
            value = value.get(part, ABSENT) if isinstance(value, dict) else ABSENT
        if value is ABSENT:
            continue
        place = (PARKED, text)
        register = change.register(place)
        change.set(place, tuple(entry for entry in register if entry.stamp.agent != write.stamp.agent))


def _decide(change: Change, write: Write, root: Field) -> None:
    contest = write.contest
    assert contest is not None
    value = write.decision
    if contest.reason == "delete" and contest.field is not None and not contest.field.kind.is_leaf:
        if value is REMOVED or value is ABSENT:
            change.delete(contest.place)
            return
        change.restore(contest.place)
        current = _current(change, contest)
        if isinstance(contest.field.kind, OpenRecord):
            _assign_open(change, contest, current, value)
        else:
            contest.field.kind.edit(change, contest.field, contest.place, current, value)
        return
    assert contest.field is not None
    if contest.reason in ("scalar", "text", "delete") or contest.field.kind.asks_type:
        contest.field.kind.decide(change, contest, ABSENT if value is REMOVED else value)
    else:
        _decide_stored(change, contest, contest.field, value, root)


def _decide_stored(change: Change, contest: Contest, field: Field, value: Any, root: Field) -> None:
    """Decides about values that are not such as the model makes."""
    if contest.reason == "type":
        _clear_parked(change, root, contest.path)
    elif contest.reason == "schema":
        _clear_strangers(change, contest.place[:-1], field)
        if value is ABSENT:
            _clear(change, contest.place)
    elif contest.reason == "invalid":
        _clear_held(change, contest, field)
    if value is ABSENT:
        return
    current = _current(change, contest)
    if current is ABSENT or field.kind.is_leaf:
        field.kind.contribute(change, field, contest.place, value)
    else:
        field.kind.edit(change, field, contest.place, current, value)


def _clear_held(change: Change, contest: Contest, field: Field) -> None:
    """Takes away what a decision about a broken constraint puts its value in the place of. Sums, texts and lists are
    made of their writes one by one: of those that were decided about none is to be held back again."""
    if field.kind.adds_up or contest.base is ABSENT:
        _clear(change, contest.place)
        change.touch(contest.place[:-1])


def _clear_parked(change: Change, root: Field, public: Path) -> None:
    for text in change.keys((PARKED,)):
        spot = spot_of(root, tuple(json.loads(text)))
        if spot is not None and spot.public == public:
            change.set((PARKED, text), ())


def _clear_strangers(change: Change, holder: Path, field: Field) -> None:
    """Takes away what is stored under another kind or name than a field of a record has."""
    names = {field.name, *field.former} - {""}
    for slot in change.keys(holder):
        if slot != field.slot and split_slot(slot)[1] in names:
            _clear(change, (*holder, slot))


def _clear(change: Change, place: Path) -> None:
    change.let_go(place)
    for path, leaf in [*leaves(leaf_at(change.tree, place) or {}, place)]:
        change.set(path, None if is_sequence(leaf) else ())


def _current(change: Change, contest: Contest) -> Any:
    """What stands at a contest's place once the change so far is made."""
    twin = Record()
    twin.tree = {}
    for path, leaf in leaves(change.tree):
        place_leaf(twin.tree, path, leaf)
    for path, after in change.after.items():
        place_leaf(twin.tree, path, after)
    cell = leaf_at(restored(twin.tree), contest.place)
    assert contest.field is not None
    if cell is None:
        return ABSENT
    return reading(contest.field, cell)


def _assign_open(change: Change, contest: Contest, current: Any, value: Any) -> None:
    field = contest.field
    assert field is not None
    field.kind.edit(change, field, contest.place, current, value)
    for name in current:
        if name not in value:
            change.replace((*contest.place, f"scalar:{name}"), None)


def take_back(change: Change, root: Field, earlier: Items[Earlier]) -> VersionVector:
    """Removes what writes did, the newest given first, where it still stands, and puts back what they had replaced.

    Returns:
        The images that are known now, of several entries that are put back in one place.
    """
    if not earlier:
        return _NOTHING
    to_go = {(c.path, _identity(one.stamp)) for one in earlier for c in one.changes} if earlier[1:] else set()
    back = _PutBack(change.stamp, to_go)
    for one in earlier:
        _take_back(change, root, one, back)
    change.covering = change.covering or any(path[-1] is None for path in change.after)  # a deletion stands again
    return back.dots.known


class _PutBack:
    """Puts entries back under new dots (their own are known as gone elsewhere), with their agents and times.

    Args:
        stamp: of the write that puts them back.
        to_go: what is to be taken back as well: it keeps its dot until then.
    """

    def __init__(self, stamp: Stamp, to_go: Set[tuple[Path, Identity]]) -> None:
        self.dots = Dots(stamp)
        self._to_go = to_go

    def again(self, path: Path, before: tuple[Entry, ...], after: Leaf | None) -> tuple[Entry, ...]:
        """Gives the entries that stand in a place again."""
        still = {entry.stamp for entry in as_register(after)}
        return tuple(
            entry
            if (path, _identity(entry.stamp)) in self._to_go
            else entry._replace(stamp=self.dots.under(path, entry.stamp))
            for entry in before
            if entry.stamp not in still
        )


def _take_back(change: Change, root: Field, earlier: Earlier, back: _PutBack) -> None:
    identity = _identity(earlier.stamp)
    dot = dot_of(earlier.stamp)
    put_back = _undelete(change, earlier)
    for path, before, after in earlier.changes:
        if path in put_back:
            continue
        current = change.get(path)
        if is_sequence(current):
            change.set(path, withdraw(as_sequence(current), lambda stamp: dot_of(stamp) == dot))
            continue
        field = field_at(root, path)
        if field.kind.take_back(change, path, before, after, dot):
            continue
        entries = as_register(current)
        if not any(_identity(entry.stamp) == identity for entry in entries):
            if after in (None, ()) and isinstance(before, tuple):
                change.set(path, (*entries, *back.again(path, before, ())))
            continue
        kept = tuple(entry for entry in entries if _identity(entry.stamp) != identity)
        was = before.gone if isinstance(before, Exchanged) else before
        replaced = back.again(path, was, after) if isinstance(was, tuple) else ()
        change.set(path, (*kept, *replaced))


def _identity(stamp: Stamp) -> Identity:
    return stamp.time, stamp.origin


def _undelete(change: Change, earlier: Earlier) -> set[Path]:
    """Takes back a write's deletions: what each still keeps stands again, under the new write.

    Returns:
        The paths that are done with: the deleted containers' own, and those of what was deleted with them.
    """
    dot = dot_of(earlier.stamp)
    done: set[Path] = set()
    for path, _, after in earlier.changes:
        register = as_register(after) if path[-1] is None else ()
        tombs = [entry for entry in register if dot_of(entry.stamp) == dot and entry.value is None]
        if not tombs:
            continue
        done.add(path)
        done |= {(*path[:-1], *below) for tomb in tombs for below, _ in tomb.covered}
        entries = as_register(change.live(path))
        change.covering = True
        change.after[path] = tuple(
            Entry(change.stamp, PRESENT, covered=entry.covered) if dot_of(entry.stamp) == dot else entry
            for entry in entries
        )
    return done


def stand_anew(change: Change, place: Path, entries: Register) -> VersionVector:
    """Has a register hold entries, in this order, whatever it holds; each keeps its agent, its origin and its base.

    Replicas may know the dots of the entries as gone, and a write has one dot. So each becomes an image of this write:
    its dot is that of the write, for its place and number there.

    Returns:
        The images that are known now.
    """
    made: VersionVector = {}
    where, stamp = place_name(place), change.stamp
    stood = []
    for number, entry in enumerate(entries):
        name = image_name(stamp.replica, f"{where}{number:04}")
        made[name] = stamp.n
        own = entry.stamp
        stood.append(entry._replace(stamp=stamp._replace(replica=name, agent=own.agent, origin=own.origin, act=ASKED)))
    change.set(place, tuple(stood))
    return made


def begin(record: Record, stamp: Stamp, values: Mapping[str, Any], root: Field) -> None:
    """Makes of a record in which nothing is yet what its first write gives.

    Of fields of which that gives much the parts are made when somebody looks at them.
    """
    bulks = {name: bulk for name, value in values.items() if (bulk := _bulk_of(root, name, value, stamp)) is not None}
    rest = {name: value for name, value in values.items() if name not in bulks}
    changes = apply(record, Write(stamp, "write", rest, seen_everything), root).changes if rest or not bulks else ()
    record.commit(changes, stamp)
    record.tell(changes)
    if bulks:
        parts: Tree = {**record.tree}
        parts |= {root.fields[name].slot: bulk for name, bulk in bulks.items()}
        slots = dict.fromkeys([*(root.fields[name].slot for name in values), *parts])  # as one after the other came
        record.tree = {slot: parts[slot] for slot in slots if slot in parts}


def _bulk_of(root: Field, name: str, value: Any, stamp: Stamp) -> Bulk | None:
    field = root.fields.get(name)
    if field is None or not isinstance(value, (list, dict)) or len(value) < at_once.MANY:
        return None
    return at_once.bulk_of(field, value, stamp)
