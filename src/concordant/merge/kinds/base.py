"""What a kind is: how one field contributes, changes and reads its part of a record's tree; what a reading finds
contested, and keeps, so that after a change only that is read anew.

A kind is a frozen dataclass of options, put on a model's field as ``Annotated[..., Set()]``. Its methods are pure
functions of a tree. A new kind is one file: a subclass of ``Kind`` with ``contribute``, ``edit``, ``read`` and
``check``, made known by ``concordant.merge.kinds.register``; what else it may say has defaults. The tests in
``concordant.testing.KindContract`` are for every kind.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping, MutableMapping, MutableSequence, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias

from concordant.merge.causality import Agreed, Register, SeenBy, Stamp
from concordant.merge.kinds.weighing import Option, Weighed
from concordant.merge.registers import Change, LeafChange, Path
from concordant.merge.registers.leaf import is_sequence
from concordant.merge.sequence.overlap import Rules
from concordant.values import ABSENT, JSON, Canon, alike, canonical, decode

__all__ = [
    "DICTS",
    "ITEM_RULES",
    "LISTS",
    "SETS",
    "Contest",
    "Declaration",
    "Field",
    "Holds",
    "Kind",
    "Known",
    "Look",
    "Memory",
    "default_says_something",
    "reading",
]


Holds: TypeAlias = Literal["value", "fields", "keys", "records", "elements", "items", "amount", "text", "paths"]
"""One value; the fields of a model; values by key; records known by one of their fields; a set's elements; a list's
items; a number that is added to; a text; free JSON, by paths."""

ITEM_RULES = Rules("item", escalate=False)
"""Items of a list never contend."""


def _anything(value: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Field:
    """One place of a compiled schema: its kind and what the kind needs to know.

    Attributes:
        name: the field's name, or a map's key placeholder.
        tag: the kind with its parts, e.g. ``map[scalar]``; part of the key in the tree, so that a field whose kind
            changed does not misread what is stored.
        canon: the bytes by which a value (an element) compares.
        rank: the key by which values are ordered, for the policies ``max`` and ``min``.
        default: the field's default in JSON form, for edits of a field that was never written.
        child: how a map's values merge.
        fields: the fields of a nested record.
        checked: whether the merged value must satisfy constraints beyond its type (``ge=0``, a model validator).
        accepts: whether a JSON value would do for the field.
        keys: how a map's keys are read, where they are more than text.
        form: makes of a value in an instance what is written of it, where it would not be taken as it is.
        slot: the field's key in the tree of its record.
        slots: the keys of its own fields there.
        counts: whether decimal amounts are held in it or below it, which may be long though their text is short.
        former: other names under which the field may be stored.
    """

    name: str
    kind: Kind
    tag: str
    canon: Canon = canonical
    rank: Callable[[JSON], Any] = decode
    default: Any = ABSENT
    child: Field | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)
    checked: bool = False
    accepts: Callable[[Any], bool] = _anything
    keys: Any = None
    form: Callable[[Any], Any] | None = None
    slot: str = ""
    slots: frozenset[str] = frozenset()
    counts: bool = False
    former: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "slot", f"{self.tag}:{self.name}")
        object.__setattr__(self, "slots", frozenset([part.slot for part in self.fields.values()]))
        object.__setattr__(self, "counts", self.counts or any(part.counts for part in self.parts))

    @property
    def stays(self) -> bool:
        """Whether what an instance holds of it is written as it is: it has no parts, and no ``form``."""
        return self.form is None and self.child is None and self.kind.holds != "fields"

    @property
    def parts(self) -> tuple[Field, ...]:
        """The fields inside it: of a record each by its name, and how its values merge that have no names."""
        return (*self.fields.values(), *(() if self.child is None else (self.child,)))


def default_says_something(field: Field) -> bool:
    """Tells whether a field merges, and shows something where nobody has written yet."""
    return field.kind.merges_default and field.default not in _NOTHING


_NOTHING: tuple[Any, ...] = (ABSENT, None, "", [], {}, 0, "0")


SETS = (set, frozenset, list, tuple, Set)
LISTS = (list, tuple, Sequence, MutableSequence, collections.deque)
DICTS = (dict, Mapping, MutableMapping, collections.OrderedDict)


class Declaration(Protocol):
    """A field as a model declares it.

    Attributes:
        name: the field's name; empty for the values of a map.
        annotation: its type, without what is declared about it.
        checked: whether the merged value must satisfy constraints beyond its type.
    """

    name: str
    annotation: Any
    checked: bool

    def refuse(self, problem: str, mend: str) -> None:
        """Says what is wrong with the declaration, and how to mend it."""

    def misfit(self, mend: str) -> None:
        """Says that the kind does not take the type."""

    def hint(self) -> str:
        """Returns which kind would fit the type, for a message."""
        ...

    def type_name(self, annotation: Any) -> str:
        """Returns a type as its author would write it."""
        ...

    def bare(self, annotation: Any) -> Any:
        """Returns a type without what is declared about it."""
        ...

    def members(self, annotation: Any) -> Sequence[Any]:
        """Returns the types of which a type is made."""
        ...

    def element(self, containers: Sequence[Any]) -> Any:
        """Returns the type of the elements; ``None`` if the type is not one of the containers."""
        ...

    def key_and_value(self) -> tuple[Any, Any] | None:
        """Returns the types of a dict's keys and values; ``None`` if the type is no dict."""
        ...

    def is_key(self, annotation: Any) -> bool:
        """Tells whether values of a type can be keys of JSON."""
        ...

    def keys(self) -> Any:
        """Returns how the keys of a dict are read, where they are more than text; else ``None``."""
        ...

    def is_model(self, annotation: Any) -> bool:
        """Tells whether a type is a model; whether its fields declare kinds does not matter."""
        ...

    def is_state_model(self, annotation: Any) -> bool:
        """Tells whether a type is a model whose fields declare kinds."""
        ...

    def kinds_in(self, model: Any) -> Mapping[str, Kind | None]:
        """Returns the fields of a model, with the kinds that they declare."""
        ...

    def canon(self, annotation: Any) -> Canon:
        """Returns the function that gives the bytes by which two values of a type compare."""
        ...

    def rank(self, annotation: Any) -> Callable[[JSON], Any] | None:
        """Returns the key by which values of a type are ordered; ``None`` if they have no order."""
        ...

    def inner(self, annotation: Any, key: str | None = None) -> Field | None:
        """Compiles what is inside the field: how its values merge, by their own kind.

        Args:
            key: the field by which a record is known, which needs no default.

        Returns:
            The field; ``None`` if it was refused.
        """
        ...


class Kind:
    """How a field merges. Subclasses are frozen dataclasses of options."""

    name: ClassVar[str]
    """Its name in the tags of what it stores; it never changes."""
    natural: ClassVar[type[Any] | None] = None
    """The type whose empty value a field without a default holds before it is written; ``None``: it needs a default."""
    adds_up: ClassVar[bool] = False
    """Whether its writes, one after the other, make up the value, so that who decides about it replaces them all."""
    merges_default: ClassVar[bool] = False
    """Whether an edit of a field that nobody has written is a change of its default, in which others may change too."""
    is_leaf: ClassVar[bool] = False
    """Whether it stores one register, not a container; then a deletion is an entry of that."""
    shaped: ClassVar[tuple[str, ...]] = ()
    """The options that have to be known to read what it stored."""
    asks_type: ClassVar[bool] = False
    """Whether its questions of reason ``type`` are about what is stored at their place, and ``decide`` settles them."""
    never_asks: ClassVar[bool] = False
    """Whether writes of it alone never raise a question, nor close one, where nothing of the document was deleted."""
    is_free: ClassVar[bool] = False
    """Whether its values are dicts of any JSON, in which any path leads to a value."""
    holds: ClassVar[Holds] = "value"
    """What its values are to whoever deals with them from outside: schemas, tools for agents, the history."""
    separator: str = ""
    """What stands between the parts of a text that were appended."""
    grow_only: bool = False

    @property
    def key_field(self) -> str | None:
        """The field by which one of its records is known; ``None`` if it holds none."""
        return None

    @property
    def can_wait(self) -> bool:
        """Whether what a first write makes of a value of it is told by the value and its place alone, so that it can
        be made when somebody looks at it."""
        return False

    @property
    def rules(self) -> Rules:
        """How concurrent changes of a text or list that it stores are weighed against each other."""
        return ITEM_RULES

    def called(self) -> str:
        """Returns the kind as users write it, its options left out."""
        return f"{type(self).__qualname__}()"

    def tag(self, child: str | None = None) -> str:
        """Returns the kind's name in a field's tag."""
        return self.name if child is None else f"{self.name}[{child}]"

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        """Adds ``value`` at ``path``; removes nothing."""
        raise NotImplementedError

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        """Carries the difference between ``base`` (what was read) and ``value`` over to ``path``."""
        raise NotImplementedError

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        """Returns the merged value, or ``ABSENT``; what is contested is added to ``look.contests``."""
        raise NotImplementedError

    def keys_in(self, field: Field, value: Any) -> Iterable[str] | None:
        """Returns the keys in the tree of the parts that a contribution has, a list or dict, in order: one after the
        other by ``contribute_part`` they are what ``contribute`` adds. ``None`` if they are not."""
        return None

    def contribute_part(self, change: Change, field: Field, path: Path, key: str, part: Any, place: int) -> None:
        """Adds one part of a contribution at its key; of a list with its place there."""
        raise NotImplementedError

    def remove(self, change: Change, field: Field, path: Path) -> None:
        """Deletes the value, as far as the writer has seen it: a key of a map, a field of an undeclared document."""
        if self.is_leaf:
            change.replace(path, None, field.canon)
        else:
            change.delete(path)

    def enter(self, change: Change, path: Path) -> None:
        """Prepares to write at a place that may have been deleted."""
        if not self.is_leaf:
            change.enter(path)

    def take_back(self, change: Change, path: Path, before: Any, after: Any, dot: tuple[str, int]) -> bool:
        """Takes back what the write with a dot did to a leaf, where that is no entry by itself; tells if it has."""
        return False

    def declared(self, at: Declaration) -> Field | None:
        """Compiles a field that is declared with this kind; ``None`` if the kind does not take its type.

        A kind that has values inside, or takes few types, says so here; for others ``faults`` is enough.
        """
        for problem, mend in self.faults(at.annotation):
            at.refuse(problem, mend)
        rank = at.rank(at.annotation) or decode
        canon = at.canon(at.annotation)
        return Field(at.name, self, self.tag(), canon=canon, rank=rank, checked=at.checked, keys=at.keys())

    def faults(self, annotation: Any) -> Iterable[tuple[str, str]]:
        """Tells what is wrong with a declaration: each problem, and how to mend it.

        Args:
            annotation: the type that the kind is declared for.
        """
        return ()

    def foreseen(self, field: Field, shown: Any, base: Any, new: Any) -> Any:
        """Returns what stands after a write by somebody who has seen all there is; ``ABSENT`` where only the merge can
        tell.

        Args:
            shown, base: what is shown, and what the writer had read.
        """
        return ABSENT

    def shares(self, value: Any, agent: str) -> Iterable[tuple[Any, str]]:
        """Tells who stands for an entry: the parts of its value with their agents; empty: those who wrote the entry."""
        return ()

    @classmethod
    def as_stored(cls) -> Kind:
        """Returns the kind by which what it stored is read where no model tells its options."""
        return cls()

    def beyond(self, field: Field, base: Any, value: Any) -> Any:
        """Returns what a contribution says beyond what its writer was given; ``ABSENT`` if it only repeats that."""
        return value

    def alike(self, field: Field, one: Any, other: Any) -> bool:
        """Tells whether two values of the field are the same to this kind."""
        return alike(one, other)

    def settled(self, field: Field) -> Callable[[Any], Any] | None:
        """Returns a function from a write's JSON value to the one that is stored, ``None`` where that is the same."""
        return None

    def below(self, field: Field, part: str) -> tuple[str, Field] | None:
        """Returns the public name and the field of what is stored at a key below this kind's place; ``None`` if what
        is there has no path of its own."""
        return None if field.child is None else (part, field.child)

    def check(self, field: Field, cell: Any) -> None:
        """Makes sure that a cell which came from outside is such as this kind makes.

        Raises:
            MisshapenError: it is not (``concordant.merge.kinds.shape``).
        """
        raise NotImplementedError

    def decide(self, change: Change, contest: Contest, value: Any) -> None:
        """Puts ``value`` in the place of all contenders of a contest at this field's own path."""
        assert contest.field is not None
        self.contribute(change, contest.field, contest.place, value)


class Contest(NamedTuple):
    """Incompatible live values at one path, as the state shows them; an escalation is a contest with a life.

    ``path`` is the public path, ``place`` the one in the tree. ``reason`` is one of ``concordant.escalation.Reason``:
    those who tell people of it have words for these alone. ``anchor`` is the dot that the contenders carry.
    ``digest`` tells one set of values from another; ``None``: it is to be made of the options. ``asked``: somebody had
    it asked again, so that only a decision or a later write settles it.
    """

    path: tuple[str, ...]
    place: Path
    reason: str
    anchor: str
    base: JSON | object | None
    options: tuple[Option, ...]
    field: Field | None
    digest: int | None = None
    asked: bool = False


class Known:
    """What was read of one place.

    Attributes:
        value: the merged value; nobody may change it, and it stays as it is when the place changes.
        below: what was read of the places in it.
        changed: the keys in it at which something has changed since; ``None``: it is to be read as a whole.
        gone: those of them that were gone for a while, and so may stand at another place in the order.
        parts, order: what the kind keeps, to read what has changed alone.
        doubt: what is known of a deletion of it, while it may be asked about.
    """

    __slots__ = ("below", "changed", "doubt", "gone", "order", "parts", "value")

    def __init__(self) -> None:
        self.value: Any = ABSENT
        self.below: dict[str | None, Known] = {}
        self.changed: set[str | None] | None = None
        self.gone: set[str | None] = set()
        self.parts: Any = None
        self.order: Any = None
        self.doubt: Any = None


class Memory:
    """What was read of a tree, kept until it changes.

    Attributes:
        way: how it was read.
        since: the number of the last commit before.
        known: what was read of its root.
        contests: what is contested, by place.
        settled: what policies settled, by place.
        news: the places at which contests have changed since somebody was told of
            them, with what was contested there; ``None``: nobody was told.
        changes: those since the last reading, where there is a ``fitting``.
        fitting: which writes satisfy the constraints of the model (by the layer that knows them).
        parked: values of a wrong type, weighed.
        extra: the places of contests that are no matter of one place in the tree alone.
        latest: of each field the newest write that came to it, and the newest of another origin, with their places;
            ``None`` where that is not told by what stands last (a text or list has changed).
    """

    __slots__ = (
        "changes", "contests", "extra", "fitting", "known", "latest", "news", "parked", "settled", "since", "way",
    )  # fmt: skip

    def __init__(self, way: Any, since: int = 0) -> None:
        self.way = way
        self.since = since
        self.known = Known()
        self.contests: dict[Path, tuple[Contest, ...]] = {}
        self.settled: dict[Path, tuple[Any, ...]] = {}
        self.news: dict[Path, tuple[Contest, ...]] | None = None
        self.changes: list[LeafChange] = []
        self.fitting: Any = None
        self.parked: dict[str, Weighed] = {}
        self.extra: set[Path] = set()
        self.latest: dict[str | None, tuple[tuple[Stamp, Path], ...] | None] = {}

    def note(self, change: LeafChange) -> None:
        """Takes note of a change of the tree."""
        path, gone = change.path, not change.after
        if self.fitting is not None:
            self.changes.append(change)
        if is_sequence(change.before) or is_sequence(change.after):
            self.latest[path[0]] = None
        elif change.after:
            self._note_latest(path, change.after[-1].stamp)
        node: Known | None = self.known
        for part in path:
            assert node is not None
            if node.doubt is not None:
                node.doubt.changes.append(change)
            if node.changed is not None:
                node.changed.add(part)
                if gone:
                    node.gone.add(part)
                elif part in node.gone:
                    node.changed = None
            node = node.below.get(part)
            if node is None:
                return
        assert node is not None
        node.changed = None

    def _note_latest(self, path: Path, stamp: Stamp) -> None:
        known = self.latest.get(path[0], ())
        if known is None or (known and stamp.n <= known[0][0].n):
            return  # one that stood here before, and is the last now that others went
        if known and known[0][0].origin == stamp.origin:
            known = known[1:]
        self.latest[path[0]] = ((stamp, path), *known[:1])

    def take(self, path: Path, contests: Iterable[Contest], settled: Iterable[Any]) -> None:
        """Tells what was read at a place."""
        before = self.contests.get(path, ())
        now = tuple(contests)
        if now != before:
            if self.news is not None:
                self.news.setdefault(path, before)
            if now:
                self.contests[path] = now
            else:
                del self.contests[path]
        decided = tuple(settled)
        if decided:
            self.settled[path] = decided
        else:
            self.settled.pop(path, None)

    def done(self, path: Path, known: Known) -> None:
        """Takes note that a place has been read."""
        if (known.value is ABSENT or known.value is None) and not isinstance(known.parts, Weighed):
            for part, below in known.below.items():
                self.forget((*path, part), below)
            # Deleted, so that nothing in it was looked at.
            known.below, known.parts, known.order, known.changed, known.doubt = {}, None, None, None, None
        else:
            known.changed = set()
        known.gone.clear()

    def read_anew(self, path: Path) -> None:
        """Has all that is in a place read anew."""
        node: Known | None = self.known
        for part in path:
            node = node.below.get(part) if node is not None else None
        waiting = [node] if node is not None else []
        while waiting:
            one = waiting.pop()
            one.changed = one.parts = one.order = one.doubt = None
            waiting += one.below.values()

    def forget(self, path: Path, known: Known) -> None:
        """Takes note that a place is no more."""
        self.take(path, (), ())
        for part, below in known.below.items():
            self.forget((*path, part), below)


@dataclass(slots=True)
class Look:
    """One reading of a tree: what to do where writers disagree, and where the disagreements found are put.

    ``sort_keys`` makes the order of keys that no model gives the same on all replicas; in containers of which a
    deletion ``keeps`` something keys have no other order. A reading with a ``memory`` reads what has changed since the
    last one; ``here`` is what is known of the place under way. ``tombs`` are the containers of the tree in which
    something is or was deleted (``None``: any may be). One that ``doubts`` remembers what is contested about them too.
    """

    on_delete: str = "escalate"
    included: SeenBy | None = None
    contests: list[Contest] = field(default_factory=list)
    settled: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    sort_keys: bool = False
    memory: Memory | None = None
    here: Known | None = None
    extra: dict[Path, Contest] = field(default_factory=dict)
    tombs: Set[Path] | None = None
    keeps: Callable[[Path], bool] | None = None
    doubts: bool = False

    def keys(self, path: Path, cell: Any) -> list[str]:
        """Returns the names in a container: as they came, or sorted where they may have come in another order
        elsewhere."""
        names = [name for name in cell if name is not None]
        return sorted(names) if self.sorts(path) else names

    def sorts(self, path: Path) -> bool:
        """Tells whether the names in a container are sorted."""
        if self.sort_keys or self.keeps is None:
            return self.sort_keys
        return any(self.keeps(path[:depth]) for depth in range(len(path) + 1))

    def entries(self, register: Register) -> Register:
        """Returns the entries of a register that this reading takes into account."""
        if self.included is None:
            return register
        return tuple(entry for entry in register if self.included(entry.stamp))

    def part(self, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        """Reads a place in the one under way, if it has changed."""
        here, memory = self.here, self.memory
        if here is None or memory is None:
            return field.kind.read(self, field, path, public, cell)
        known = here.below.get(path[-1])
        if known is None:
            if type(cell) is tuple and len(cell) < 2:
                return field.kind.read(self, field, path, public, cell)  # of one value there is nothing to remember
            known = here.below[path[-1]] = Known()
        elif known.changed is not None and not known.changed:
            return known.value
        outer, decided = self.contests, self.settled
        self.here, self.contests, self.settled = known, [], []
        known.value = field.kind.read(self, field, path, public, cell)
        memory.take(path, self.contests, self.settled)
        memory.done(path, known)
        self.here, self.contests, self.settled = here, outer, decided
        return known.value

    def whole(self, field: Field, tree: Any) -> Any:
        """Reads a whole tree."""
        memory = self.memory
        if memory is None:
            return field.kind.read(self, field, (), (), tree)
        self.here = known = memory.known
        known.value = field.kind.read(self, field, (), (), tree)
        memory.take((), self.contests, self.settled)
        memory.done((), known)
        self.here = None
        return known.value

    def add(self, place: Path, contest: Contest) -> None:
        """Adds a contest that is no matter of one place alone; ``close`` comes after the last."""
        if self.memory is None:
            self.contests.append(contest)
        else:
            self.extra[place] = contest

    def found(self) -> Iterable[Contest]:
        """Tells what is contested in places of the tree."""
        memory = self.memory
        if memory is None:
            return self.contests
        return (one for place, found in memory.contests.items() if place not in memory.extra for one in found)

    def close(self) -> None:
        """Ends a reading."""
        memory = self.memory
        if memory is None:
            return
        for place in memory.extra - self.extra.keys():
            memory.take(place, (), ())
        for place, contest in self.extra.items():
            memory.take(place, (contest,), ())
        memory.extra = set(self.extra)
        memory.changes.clear()

    def read_all(self, path: Path, cell: Any, parts: Any) -> None:
        """Takes note that all in the place under way was read."""
        here = self.here
        if here is not None:
            for gone in [key for key in here.below if key not in cell]:
                self.forget((*path, gone))
            here.parts = parts

    def forget(self, path: Path) -> None:
        """Takes note that a place in the one under way is no more."""
        known = self.here.below.pop(path[-1], None) if self.here is not None else None
        if known is not None and self.memory is not None:
            self.memory.forget(path, known)

    def weighed(self, register: Register, canon: Canon) -> Weighed:
        """Returns a register's entries by equal value."""
        here = self.here
        if here is None:
            return Weighed(register, canon)
        known = here.parts
        if not isinstance(known, Weighed) or not known.grown(register):
            known = here.parts = Weighed(register, canon)
        return known


def anchor_of(base: Agreed | None) -> str:
    """Returns the dot that contenders carry from before they disagreed, as text; empty if there is none."""
    return f"{base.replica}.{base.n}" if base and base.replica else ""


def reading(field: Field, tree: Any, look: Look | None = None) -> Any:
    """Returns the value of a cell, contests aside."""
    return field.kind.read(look or Look(), field, (), (), tree)
