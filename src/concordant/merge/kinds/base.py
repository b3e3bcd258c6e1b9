"""What a kind is: how one field contributes, changes and reads its part of a record's tree.

A kind is a frozen dataclass of options, put on a model's field as ``Annotated[..., Set()]``. Its methods are pure
functions of a tree. A new kind is one file: a subclass of ``Kind`` with ``contribute``, ``edit``, ``read`` and
``check``, made known by ``concordant.merge.kinds.register``; what else it may say has defaults. The tests in
``concordant.testing.KindContract`` are for every kind.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping, MutableMapping, MutableSequence, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

from concordant.merge.causality import Agreed
from concordant.merge.kinds.look import Contest, Look, Option
from concordant.merge.registers import Change, Path
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
    "Look",
    "Option",
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


def anchor_of(base: Agreed | None) -> str:
    """Returns the dot that contenders carry from before they disagreed, as text; empty if there is none."""
    return f"{base.replica}.{base.n}" if base and base.replica else ""


def reading(field: Field, tree: Any, look: Look | None = None) -> Any:
    """Returns the value of a cell, contests aside."""
    return field.kind.read(look or Look(), field, (), (), tree)
