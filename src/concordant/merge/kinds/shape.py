"""Whether what came from outside has the shape that kinds make: registers, containers and sequences.

A frame of another workspace may be forged or broken in ways that no digest shows. What passes these checks can be
read, joined and written to like what was made here.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from concordant.errors import MisshapenError
from concordant.merge.registers import PRESENT, Path, Tree, place_leaf
from concordant.merge.sequence.pieces import Piece, RunId, Sequence, common_to_run, run_of
from concordant.values import JSON, decode, encode

__all__ = ["check_items", "check_node", "check_register"]

MOST_OFFSET = 2**27
"""How far in what one write inserted a piece may begin: twice as many characters as a write may have by default."""


def check_register(cell: Any, *, deletable: bool = True) -> list[Any]:
    """Returns the values of a register, those that its entries replaced included.

    Raises:
        MisshapenError: it is no register of JSON values, or holds two values of one write.
    """
    if not isinstance(cell, tuple) or not cell:
        raise MisshapenError("a register is missing where one belongs")
    if len({entry.stamp[1:3] for entry in cell}) < len(cell):
        raise MisshapenError("one write has two values in one place")
    if any(entry.covered or not (deletable or entry.value) for entry in cell):
        raise MisshapenError("a value is deleted in a way in which it cannot be")
    found = [value for entry in cell for value in (entry.value, entry.base and entry.base.value) if value is not None]
    return [_value(text) for text in found]


def check_node(cell: Any, check: Callable[[Tree], None]) -> None:
    """Checks a container, and what deletions keep of it.

    Args:
        check: checks what is in the container, its own mark apart.

    Raises:
        MisshapenError: it is not as it should be.
    """
    if not isinstance(cell, dict):
        raise MisshapenError("a container is missing where one belongs")
    register = cell.get(None, ())
    if not isinstance(register, tuple) or len({entry.stamp[1:3] for entry in register}) < len(register):
        raise MisshapenError("the mark of a container is no register, or holds two marks of one write")
    check({part: node for part, node in cell.items() if part is not None})
    for entry in register:
        if entry.value not in (None, PRESENT) or entry.base is not None:
            raise MisshapenError("a container is marked with a value")
        kept: Tree = {}
        for below, leaf in entry.covered:
            if not below or below == (None,) or _is_taken(kept, below):
                raise MisshapenError("a deletion keeps what it cannot have removed")
            place_leaf(kept, below, leaf)
        if kept:
            check_node(kept, check)


def check_items(cell: Any, content: type) -> None:
    """Checks a container that holds a sequence of ``str`` or of tuples of JSON texts.

    Raises:
        MisshapenError: it does not.
    """

    def body(cell: Tree) -> None:
        for part, sequence in cell.items():
            if part != "" or not isinstance(sequence, Sequence):
                raise MisshapenError("a sequence is missing where one belongs")
            _check_pieces(sequence, content)

    check_node(cell, body)


def _check_pieces(sequence: Sequence, content: type) -> None:
    runs: dict[RunId, list[Piece]] = {}
    for piece in sequence:
        if not isinstance(piece.content, content) or not piece.content:
            raise MisshapenError("a piece of a sequence holds nothing, or something else")
        if not 0 <= piece.offset <= MOST_OFFSET:
            raise MisshapenError(f"a piece begins at {piece.offset} of what one write inserted")
        for item in piece.content if isinstance(piece.content, tuple) else ():
            _value(item)
        runs.setdefault(run_of(piece), []).append(piece)
    for run, parts in runs.items():
        if len(set(map(common_to_run, parts))) > 1:
            raise MisshapenError("the pieces of one run differ in where they came from")
        if not all(0 <= start < end <= MOST_OFFSET for start, end, _ in parts[0].credits):
            raise MisshapenError("the credits of a run are of no part of it")
        parent = parts[0].parent
        if parent is not None and parent[:3] == run:
            raise MisshapenError("a run stands behind itself")
        parts.sort(key=lambda piece: piece.offset)
        if any(one.offset + len(one.content) > two.offset for one, two in pairwise(parts)):
            raise MisshapenError("two pieces of one run overlap")


def _value(text: JSON) -> Any:
    try:
        value = decode(text)
        again = encode(value)
    except ValueError as error:
        raise MisshapenError(f"a value is no JSON text ({error})") from error
    if again != text:
        raise MisshapenError("a value is not in the form in which values are stored")
    return value


def _is_taken(tree: Tree, path: Path) -> bool:
    """Whether something in a tree stands in the way of a leaf at a path."""
    node: Any = tree
    for part in path:
        if not isinstance(node, dict):
            return True
        if part not in node:
            return False
        node = node[part]
    return True
