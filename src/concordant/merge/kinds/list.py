"""``List``: an ordered list with duplicates; inserts, removals and appends of all writers are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field as option
from typing import Any, ClassVar, NamedTuple

from concordant.errors import InvalidContributionError
from concordant.merge.kinds.base import LISTS, Declaration, Field, Holds, Look
from concordant.merge.kinds.nodes import node_value
from concordant.merge.kinds.reducer import Reducer
from concordant.merge.kinds.registry import register
from concordant.merge.kinds.shape import check_items
from concordant.merge.registers import Change, Path
from concordant.merge.sequence.diff import Hunk, common_prefix, list_hunks
from concordant.merge.sequence.edit import append, splice
from concordant.merge.sequence.layout import Layout, layout
from concordant.merge.sequence.overlap import analyse
from concordant.merge.sequence.pieces import Sequence
from concordant.merge.sequence.placed import is_made_by
from concordant.values import ABSENT, decode_many, encode_each

__all__ = ["List"]

_BODY = ""
_FEW = 8  # how many equal items that are written otherwise are looked at one by one


@register
@dataclass(frozen=True, slots=True)
class List(Reducer):
    """An ordered list: ``write`` appends, an edit inserts and removes where it did; concurrent appends stand in
    commit order. Nothing ever escalates.

    Args:
        grow_only: what an edit adds is appended, its removals do not count.
        by: refused by the schema, which names ``Set(by=...)``: items of a list do not merge.

    >>> List(grow_only=True).grow_only
    True
    >>> List()(["plan"], ["read", "write"])
    ['plan', 'read', 'write']
    """

    grow_only: bool = False
    by: str | None = option(default=None, repr=False)

    name: ClassVar[str] = "list"
    holds: ClassVar[Holds] = "items"
    natural: ClassVar[type[Any] | None] = list
    adds_up: ClassVar[bool] = True
    merges_default: ClassVar[bool] = True

    def __call__(self, left: Any, right: Any) -> Any:
        if self.by is not None:
            problem = f"records to be merged by {self.by!r}, which a list does not do: declare Set(by={self.by!r})"
            raise InvalidContributionError(self.name, right, problem)
        for items in (left, right):
            if not isinstance(items, (list, tuple)):
                raise self._refused(items, "a list")
        return [*left, *right]

    def declared(self, at: Declaration) -> Field | None:
        element = at.element(LISTS)
        if element is None:
            at.misfit(f"List() takes list or tuple[..., ...]; what fits: {at.hint()}")
            return None
        bare = at.bare(element)
        if self.by is not None:
            by = f'by="{self.by}"'
            keyed = at.is_model(bare) and self.by in at.kinds_in(bare)
            mend = f"Use Set({by}): it merges the records one by one, in the order in which they were added"
            at.refuse(f"List({by}): a list does not merge its items", mend if keyed else "Use List() for whole items")
            return None
        if any(map(at.is_state_model, at.members(element))):
            mend = (
                'Use Set(by="id") to merge the records field by field, or leave the kinds out of the model of the items'
            )
            at.refuse(f"List() on a list of {at.type_name(bare)}, whose kinds would say nothing", mend)
            return None
        return Field(at.name, self, self.tag(), canon=at.canon(element), checked=at.checked)

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        place = (*path, _BODY)
        sequence = change.sequence(place)
        items = encode_each(value, (field.name,))
        if not items:
            if not len(sequence):
                change.touch(path)
            return
        first = _canonical(field, items[:1])
        if not change.adding and sequence.may_open_with(
            change.seen,
            lambda piece: _canonical(field, piece.content[:1]) == first,  # type: ignore[arg-type]
        ):
            read = self.items(sequence.shown_to(change.seen))
            if read and len(read) <= len(items) and _canonical(field, items[: len(read)]) == _canonical(field, read):
                items = items[len(read) :]
        if items:
            change.set(place, append(sequence, change.stamp, change.next_run(), items))

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        before, after = encode_each(base), encode_each(value, (field.name,))

        def hunks_of(one: Any, other: Any) -> list[Hunk]:
            return _hunks(field, one, other)

        if len(before) == len(after) and not _trimmed(field, before, after).before:
            return
        place = (*path, _BODY)
        sequence = change.sequence(place)
        if self.grow_only:
            for hunk in hunks_of(before, after):
                if hunk.content:
                    sequence = append(sequence, change.stamp, change.next_run(), tuple(hunk.content))
        else:
            sequence = splice(
                sequence,
                change.stamp,
                before,
                after,
                _hunks_as_done(field, before, after, change.places.get(path, ())),
                seen=change.seen,
                rules=self.rules,
                drift_of=hunks_of,
                own=change.own,
            )
        if not sequence.is_alive():
            change.touch(path)  # nothing is left of it, but that it was written
        change.set(place, sequence if sequence.is_alive() else None)

    def check(self, field: Field, cell: Any) -> None:
        check_items(cell, tuple)

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        def shown(look: Look, cell: Any) -> Any:
            sequence = cell.get(_BODY)
            if sequence is not None and look.included is not None:
                sequence = sequence.only(look.included)
            if sequence is None or not sequence.is_alive():
                return [] if look.entries(cell.get(None, ())) else ABSENT
            return self.shown(look, field, path, public, sequence)

        return node_value(look, field, path, public, cell, shown)

    def shown(self, look: Look, field: Field, path: Path, public: tuple[str, ...], sequence: Sequence) -> list[Any]:
        """Returns the items of a sequence, as values."""
        return self._layout(sequence).values(lambda items: decode_many(b"[%b]" % b",".join(items)))

    def items(self, sequence: Sequence) -> tuple[bytes, ...]:
        """Returns the items of a sequence, as JSON."""
        return self._layout(sequence).content(())  # type: ignore[no-any-return]

    def _layout(self, sequence: Sequence) -> Layout:
        return layout(sequence, sequence.analysed(self.rules, analyse), "", self.rules.unit)


def _canonical(field: Field, items: tuple[bytes, ...]) -> list[bytes]:
    return [field.canon(item) for item in items]


def _hunks_as_done(
    field: Field, before: tuple[bytes, ...], after: tuple[bytes, ...], done: Iterable[Hunk]
) -> list[Hunk]:
    """The difference of two lists, where it is known what was done: of what was replaced as one it is looked for."""
    done = [*done]
    if not done or not is_made_by(before, after, done):
        return _hunks(field, before, after)
    hunks: list[Hunk] = []
    drift = 0
    for start, end, content in done:
        past = start + drift + len(content)
        found = _hunks(field, before[start:end], after[start + drift : past])
        hunks += [Hunk(start + hunk.start, start + hunk.end, hunk.content) for hunk in found]
        drift = past - end
    return hunks


def _hunks(field: Field, before: tuple[bytes, ...], after: tuple[bytes, ...]) -> list[Hunk]:
    """The difference of two lists, compared by type and value; the hunks hold the items as they were given."""
    hunks = []
    head, old, new = _trimmed(field, before, after)
    drift = 0
    for hunk in list_hunks(_canonical(field, old), _canonical(field, new)):
        start = hunk.start + drift
        hunks.append(Hunk(head + hunk.start, head + hunk.end, new[start : start + len(hunk.content)]))
        drift += len(hunk.content) - (hunk.end - hunk.start)
    return hunks


class _Trimmed(NamedTuple):
    """Two lists without what is equal at the beginning, of which there is so much, and at the end."""

    head: int
    before: tuple[bytes, ...]
    after: tuple[bytes, ...]


def _trimmed(field: Field, before: tuple[bytes, ...], after: tuple[bytes, ...]) -> _Trimmed:
    """Two lists without what both have at the beginning and at the end. Most of it is the same text, which needs no
    closer look."""
    head = _common(field, before, after)
    old, new = before[head:], after[head:]
    tail = _common(field, old[::-1], new[::-1])
    return _Trimmed(head, old[: len(old) - tail], new[: len(new) - tail])


def _common(field: Field, one: tuple[bytes, ...], other: tuple[bytes, ...]) -> int:
    """How many items at the beginning are equal by type and value."""
    at, most = common_prefix(one, other), min(len(one), len(other))
    for _ in range(_FEW):
        if at == most or field.canon(one[at]) != field.canon(other[at]):
            return at
        at += 1 + common_prefix(one[at + 1 :], other[at + 1 :])
    return at + common_prefix(_canonical(field, one[at:]), _canonical(field, other[at:]))
