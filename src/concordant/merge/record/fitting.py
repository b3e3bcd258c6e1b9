"""Which writes stand where all together would break a constraint: they apply in (time, dot) order, those that would
make the document invalid are held back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from typing import Any, NamedTuple

from concordant.merge.causality import Entry, Stamp, order_of
from concordant.merge.kinds import Contest, Field, Look, Option
from concordant.merge.kinds.base import Memory, reading
from concordant.merge.kinds.keyed import key_of
from concordant.merge.kinds.nested import field_at, public_path
from concordant.merge.kinds.weighing import digest_of
from concordant.merge.record.drift import Fit, fitted
from concordant.merge.registers import PARKED, LeafChange, Path, Tree, leaf_at, leaves, place_leaf
from concordant.merge.sequence.pieces import START, Piece, Sequence
from concordant.values import ABSENT, canonical, encode

__all__ = ["Fitting"]

INVALID = "\x00invalid"
"""Begins the place of a contest about writes that are held back; no field's key has a NUL."""

MOST_PUT_OFF = 64
"""How many changes may wait until they are looked at one by one."""


class _Part(NamedTuple):
    """What one write did in one leaf: its entry, or (``None``) its part of a text or list.

    Attributes:
        roots: the pieces that it appended there, if it did nothing else and they depend on nothing.
    """

    path: Path
    stamp: Stamp
    entry: Entry | None
    roots: tuple[Piece, ...] = ()


_Write = dict[Path, list[_Part]]
"""What one write did, by the place of the field or map key."""


class _Held:
    """What is held back at one place: equal values together, in the order of their writes."""

    __slots__ = ("digest", "groups", "options")

    def __init__(self) -> None:
        self.digest = 0
        self.groups: dict[bytes, tuple[list[Stamp], dict[str, None]]] = {}
        self.options: dict[bytes, Option] = {}

    def add(self, value: bytes, stamp: Stamp) -> None:
        group = self.groups.get(value)
        if group is None:
            group = self.groups[value] = ([], {})
            self.digest += digest_of(canonical(value))
        group[0].append(stamp)
        group[1][stamp.agent] = None
        self.options[value] = Option(value, tuple(group[0]), tuple(group[1]))


class Fitting:
    """The writes of a record, as far as they fit.

    A write is taken as a whole if it fits, else part by part, so that one bad field does not cost the others.

    A deletion that an update at the same time keeps from having its effect is no part of it: what it is about stands,
    whatever of the update is held back.

    Args:
        shown: what all of them would show.

    Attributes:
        value: what those that fit show.
    """

    def __init__(
        self, tree: Tree, root: Field, look: Look, shown: Any, fits: Callable[[Any], bool], fit: Fit | None = None
    ) -> None:
        self._tree, self._root, self._shown, self._fits, self._fit = tree, root, shown, fits, fit
        self._taken: Tree = {}
        self._included: set[tuple[Stamp, Path]] = set()
        self._memory = Memory(None)
        self._on_delete, self._sort_keys = look.on_delete, look.sort_keys
        self._held: dict[tuple[tuple[str, ...], Path], _Held] = {}
        self._sequences: dict[Path, set[Stamp]] = {}
        self._last: tuple[Any, ...] = ()
        self._waiting: list[LeafChange] | None = []
        self._apply(part for path, leaf in leaves(tree) if path[0] != PARKED for part in self._parts(path, leaf))

    def move_to(self, tree: Tree) -> None:
        """Goes on with a copy of the tree."""
        self._tree = tree

    def put_off(self, changes: Iterable[LeafChange]) -> None:
        """Takes note of changes after which all fits."""
        if self._waiting is not None:
            self._waiting += changes
            if len(self._waiting) > MOST_PUT_OFF:
                self._waiting = None

    def goes_on(self, changes: Iterable[LeafChange]) -> bool:
        """Goes on with changes that only add what is later than all before; tells whether they do."""
        self.put_off(changes)
        if self._waiting is None:
            return False
        news: list[_Part] = []
        for change in self._waiting:
            if change.path[0] != PARKED and not self._adds(change, news):
                return False
        self._waiting = []
        self._apply(news)
        return True

    def contests(self, contested: Set[tuple[str, ...]]) -> Iterator[tuple[Path, Contest]]:
        """Tells what is held back, by place, but for paths that are contested anyway."""
        for (path, cell), held in self._held.items():
            if path in contested:
                continue
            current: Any = self.value
            for name in path:
                current = current.get(name, ABSENT) if isinstance(current, dict) else ABSENT
            base = ABSENT if current is ABSENT else encode(current)
            options = tuple(held.options.values())
            field = field_at(self._root, cell)
            yield (INVALID, *cell), Contest(path, cell, "invalid", "", base, options, field, held.digest)

    def holds(self, stamp: Stamp) -> bool:
        """Tells whether something of a write is held back."""
        return any(stamp in stamps for held in self._held.values() for stamps, _ in held.groups.values())

    def _parts(self, path: Path, leaf: Any) -> Iterator[_Part]:
        if isinstance(leaf, Sequence):
            stamps = self._sequences[path] = set(leaf.stamps())
            roots = _roots(leaf) if not leaf.strikes else {}
            return (_Part(path, stamp, None, tuple(roots.get(stamp, ()))) for stamp in stamps)
        if path[-1] is None and _stands(self._shown, self._root, path[:-1]):
            leaf = tuple(entry for entry in leaf if not _deletes(path, entry))
        return (_Part(path, entry.stamp, entry) for entry in leaf)

    def _adds(self, change: LeafChange, news: list[_Part]) -> bool:
        path, before, after = change
        if isinstance(after, Sequence):
            known = self._sequences.setdefault(path, set())
            if isinstance(before, Sequence) and after.only_appends_to(before):
                roots = _roots(after.since(len(before)))
                if roots:
                    return self._appends(path, known, roots, news)
            now = set(after.stamps())
            if not known <= now or any(order_of(stamp) <= self._last for stamp in now - known):
                return False
            self._sequences[path] = now
            news += [_Part(path, stamp, None) for stamp in now - known]
            return True
        if not isinstance(after, tuple) or isinstance(before, Sequence):
            return False
        entry = after[-1]
        if after[:-1] != (before or ()) or order_of(entry.stamp) <= self._last or _deletes(path, entry):
            return False
        news.append(_Part(path, entry.stamp, entry))
        return True

    def _appends(self, path: Path, known: set[Stamp], roots: dict[Stamp, list[Piece]], news: list[_Part]) -> bool:
        if any(order_of(stamp) <= self._last or stamp in known for stamp in roots):
            return False
        known.update(roots)
        news += [_Part(path, stamp, None, tuple(pieces)) for stamp, pieces in roots.items()]
        return True

    def _apply(self, parts: Iterable[_Part]) -> None:
        writes: dict[tuple[Any, ...], _Write] = {}
        for part in parts:
            cell = part.path[: len(public_path(self._root, part.path))]
            writes.setdefault(order_of(part.stamp), {}).setdefault(cell, []).append(part)
        for order in sorted(writes):
            self._last, write = order, writes[order]
            if self._takes(write):
                continue
            for cell in sorted(write, key=repr):
                if len(write) == 1 or not self._takes({cell: write[cell]}):
                    self._hold(cell, write[cell])
        value = self._read()
        self.value: Any = {} if value is ABSENT else value

    def _takes(self, write: _Write) -> bool:
        """Takes what a write did, if it fits."""
        undo: list[tuple[Path, Any]] = []
        for cell, parts in write.items():
            self._included |= {(part.stamp, cell) for part in parts}
            for part in parts:
                undo.append((part.path, leaf_at(self._taken, part.path)))
                self._place(part.path, self._with(part, cell, undo[-1][1]))
        value = self._read()
        if value is ABSENT or self._fits(value):
            return True
        for path, leaf in reversed(undo):
            self._place(path, leaf)
        for cell, parts in write.items():
            self._included -= {(part.stamp, cell) for part in parts}
        return False

    def _with(self, part: _Part, cell: Path, leaf: Any) -> Any:
        """A leaf as far as it is taken, with one more part."""
        if part.entry is not None:
            return (*(leaf or ()), part.entry)
        if part.roots:
            return _grown(leaf or Sequence([], {}), part.roots)
        whole = leaf_at(self._tree, part.path)
        assert isinstance(whole, Sequence)
        only = whole.only(lambda stamp: (stamp, cell) in self._included)
        return only if only.is_alive() else None

    def _place(self, path: Path, leaf: Any) -> None:
        self._memory.note(LeafChange(path, None, leaf))
        place_leaf(self._taken, path, leaf)

    def _read(self) -> Any:
        self._memory.changes.clear()
        look = Look(self._on_delete, sort_keys=self._sort_keys, memory=self._memory)
        value = look.whole(self._root, self._taken)
        return value if self._fit is None else fitted(look, self._root, self._taken, value, self._fit)[0]

    def _hold(self, cell: Path, parts: list[_Part]) -> None:
        """Holds back what a write did at a place, as a value of the field's kind."""
        only: Tree = {}
        for part in parts:
            leaf: Any = (part.entry,)
            if part.roots:
                leaf = _grown(Sequence([], {}), part.roots)
            elif part.entry is None:
                whole = leaf_at(self._tree, part.path)
                assert isinstance(whole, Sequence)
                leaf = whole.only(lambda stamp: any(stamp == one.stamp for one in parts))
                leaf = leaf if leaf.is_alive() else None
            place_leaf(only, part.path, leaf)
        field, below = field_at(self._root, cell), leaf_at(only, cell)
        value = None if below is None else reading(field, below)
        text = encode(None if value is ABSENT else value)
        self._held.setdefault((public_path(self._root, cell), cell), _Held()).add(text, parts[0].stamp)


def _deletes(path: Path, entry: Entry) -> bool:
    """Whether an entry says that a container was deleted."""
    return path[-1] is None and entry.value is None


def _stands(shown: Any, root: Field, path: Path) -> bool:
    """Whether a container of a document is shown."""
    field = root
    for part in path:
        below = field.kind.below(field, part) if part is not None else None
        if below is None:
            return False
        by = field.kind.key_field
        if isinstance(shown, list) and by is not None:
            shown = {key_of(record, by): record for record in shown}
        if not isinstance(shown, dict) or below[0] not in shown:
            return False
        shown, field = shown[below[0]], below[1]
    return True


def _roots(pieces: Iterable[Piece]) -> dict[Stamp, list[Piece]]:
    """The pieces of writes that put something at the end, and nothing else; none if there are others."""
    found: dict[Stamp, list[Piece]] = {}
    for piece in pieces:
        if not piece.live or piece.parent is not None or piece.struck or piece.beside not in (None, START):
            return {}
        found.setdefault(piece.stamp, []).append(piece)
    return found


def _grown(leaf: Sequence, roots: Iterable[Piece]) -> Sequence:
    for piece in roots:
        leaf = leaf.appended(piece)
    return leaf
