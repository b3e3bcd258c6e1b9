"""Values of the wrong type, which wait for a decision at the root of a record's tree, by the path of their write."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from concordant.merge.causality import Stamp, order_of
from concordant.merge.kinds import Contest, Field, Look, Option
from concordant.merge.kinds.nested import OpenRecord, open_field, split_slot
from concordant.merge.kinds.weighing import Weighed, digest_of
from concordant.merge.registers import PARKED, Path, Tree, leaf_at
from concordant.merge.registers.tree import supporters_below
from concordant.values import ABSENT, JSON, canonical, decode, encode

__all__ = ["Spot", "ask_about_parked", "parked_names", "spot_of"]


class Spot(NamedTuple):
    """Where a parked value is asked about: the part of its path that the model has, and what remains of it.

    A field may have become another since, which has nothing inside that could be asked about by itself.
    """

    public: tuple[str, ...]
    place: Path
    field: Field
    rest: tuple[str, ...]


def spot_of(root: Field, path: tuple[str, ...]) -> Spot | None:
    """Tells where the value that was parked at a path is asked about; ``None`` if the model no longer has the field,
    or it is the whole document."""
    if not path:
        return None
    if isinstance(root.kind, OpenRecord):
        field = open_field(path[0], "scalar")
        return Spot(path[:1], (field.slot,), field, path[1:])
    names = {former: name for name, part in root.fields.items() for former in part.former}
    field, place, public = root, list[str | None](), list[str]()
    for number, part in enumerate(path):
        name = part if number else names.get(part, part)
        if name in field.fields:
            field = field.fields[name]
            place.append(field.slot)
        elif field.child is not None:
            field = field.child
            place.append(name)
        else:
            break
        public.append(name)
    return Spot(tuple(public), tuple(place), field, path[len(public) :]) if public else None


def parked_names(tree: Tree) -> list[str]:
    """Returns the fields in which something is parked."""
    return [json.loads(text)[0] for text in tree.get(PARKED, ())]


def ask_about_parked(look: Look, root: Field, tree: Tree, value: dict[str, Any]) -> None:
    """Adds a question for each place at which something is parked, with what stands there beside it."""
    known = look.memory.parked if look.memory is not None else {}
    spots: dict[tuple[str, ...], Spot] = {}
    waiting: dict[tuple[str, ...], list[Option]] = {}
    digests: dict[tuple[str, ...], int] = {}
    for text, register in tree[PARKED].items():
        spot = spot_of(root, tuple(json.loads(text)))
        if spot is not None:
            weighed = known.get(text)
            if weighed is None or not weighed.grown(register):
                weighed = known[text] = Weighed(register)
            options, digest = _options(weighed, spot.rest)
            spots[spot.public] = spot
            waiting.setdefault(spot.public, []).extend(options)
            digests[spot.public] = digests.get(spot.public, 0) + digest
    for public, options in waiting.items():
        _, place, field, _ = spots[public]
        current: Any = value
        for part in public:
            current = current.get(part, ABSENT) if isinstance(current, dict) else ABSENT
        base: Any = ABSENT
        if current is not ABSENT:
            base = encode(current)
            options = [Option(base, _writers(tree, place, field)), *options]
            digests[public] += digest_of(canonical(base))
        contest = Contest(public, place, "type", "", base, tuple(options), field, digests[public])
        look.add((PARKED, *public), contest)


def _options(weighed: Weighed, rest: tuple[str, ...]) -> tuple[Iterable[Option], int]:
    """What is parked, as values of the place where it is asked about, and what tells these from others."""
    if not rest:
        return weighed.options(), weighed.digest
    options = [Option(_within(one.value, rest), one.stamps, one.agents) for one in weighed.options()]
    return options, sum(digest_of(None if one.value is None else canonical(one.value)) for one in options)


def _within(text: JSON | None, rest: tuple[str, ...]) -> JSON | None:
    whole: Any = ABSENT if text is None else decode(text)
    for part in reversed(rest):
        whole = {part: whole}
    return None if text is None else encode(whole)


def _writers(tree: Tree, place: Path, field: Field) -> tuple[Stamp, ...]:
    """Who wrote what is shown at a place, under whatever kind or name it is stored."""
    cell = leaf_at(tree, place)
    if cell is not None:
        return supporters_below(cell)
    holder: Any = leaf_at(tree, place[:-1]) or {}
    names = {field.name, *field.former}
    found = {s for slot in holder if slot and split_slot(slot)[1] in names for s in supporters_below(holder[slot])}
    return tuple(sorted(found, key=order_of))
