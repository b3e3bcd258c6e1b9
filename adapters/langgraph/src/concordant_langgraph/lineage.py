"""Which task wrote, and which two tasks are concurrent: pure functions of the ids LangGraph gives its tasks.

A task has one level per nested graph: which graph it runs in, that graph's current superstep, and the task
itself. Two tasks of one superstep of one graph are concurrent, at whatever level they part; two that part
otherwise are ordered by time, which is for the caller to compare. A `@task` of the functional API is a level
whose superstep is that of its caller, or names the calls that this one came after.

The tool calls that one task executes are *parts* of it: ordered by time among each other, whatever runs in them.

The levels travel with each write as a *token*: `lg1/<level>/<level>...`, a level being `call.superstep.task`, or
`call.superstep.task.part`:

- `call` tells the sub-graphs invoked by one task apart ("" for the first, then "1", "2", ...). With the tasks
  of the levels above it names the graph, so the namespace needs no room of its own.
- `superstep` is left out if it is that of the level above; `?` where it is not known.
- UUIDs take 22 characters (URL-safe base 64); anything else is percent-encoded after a `~`.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import quote, unquote

from concordant_langgraph.calls import is_among

Relation = Literal["same", "concurrent", "ordered"]

_PREFIX = "lg1/"
_UNKNOWN = "?"
_CALL, _AFTER = "~%40", "~after%2E"  # as packed
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_is_uuid = re.compile(_UUID).fullmatch
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
# Names of @tasks may contain ":" and "|", so a segment ends at its task id and nowhere else.
_segments = re.compile(rf"(?:(\d+)\|)?(.*?):({_UUID})(?:\||$)", re.DOTALL).finditer


class Level(NamedTuple):
    """One level of a lineage; `step` is "" where the superstep is not known, `part` for the task itself. Of a call of a
    `@task` (`@number.name`), `step` says after which others of its caller it was made, if after any."""

    call: str
    step: str
    task: str
    part: str = ""


class Segment(NamedTuple):
    """One level of a `checkpoint_ns`: the namespace of its graph, the call, the node's name, the task id."""

    graph: str
    call: str
    node: str
    task: str

    @property
    def caller(self) -> str:
        """The `checkpoint_ns` of the task that invoked the graph."""
        return self.graph.removesuffix(f"|{self.call}") if self.call else self.graph


@lru_cache(maxsize=4096)
def segments(checkpoint_ns: str) -> tuple[Segment, ...]:
    """Returns the levels of `checkpoint_ns`, root first; a namespace of unknown form is one level."""
    if "|" not in checkpoint_ns and checkpoint_ns[-37:-36] == ":" and _is_uuid(checkpoint_ns, len(checkpoint_ns) - 36):
        segment = ("", "", checkpoint_ns[:-37], checkpoint_ns[-36:])
        return (tuple.__new__(Segment, segment),)  # the class's own is slower, being Python
    found = tuple(
        Segment(checkpoint_ns[: max(match.start(2) - 1, 0)], match[1] or "", match[2], match[3])
        for match in _segments(checkpoint_ns)
    )
    return found or (Segment("", "", checkpoint_ns, checkpoint_ns),)


def lineage(path: Iterable[Segment], steps: Mapping[str, object]) -> list[Level]:
    """Joins the levels of a namespace with the supersteps of their graphs."""
    found = []
    for graph, call, _, task in path:
        step = steps.get(graph)
        found.append(Level(call, step if isinstance(step, str) else "", task))
    return found


def with_parts(token: str, parts: Mapping[int, str]) -> str:
    """Returns the token of what runs in parts of tasks: of each level's the one given."""
    levels = decode(token)
    return encode(level._replace(part=parts.get(depth, "")) for depth, level in enumerate(levels)) if levels else token


def encode(levels: Iterable[Level]) -> str:
    """Returns the token of a lineage."""
    parts: list[str] = []
    above: str | None = None
    for call, step, task, part in levels:
        text = f"{call}.{'' if step == above else _pack(step)}.{_pack(task)}"
        parts.append(f"{text}.{_pack(part)}" if part else text)
        above = step
    return _PREFIX + "/".join(parts)


def outermost(step: object, task: str) -> tuple[str, str]:
    """Returns the token of a task of an outermost graph, and what those of its siblings begin with (``kin_of``)."""
    packed = _pack(step) if isinstance(step, str) else _UNKNOWN
    kin = f"{_PREFIX}.{packed}."
    return kin + _pack(task), kin if packed != _UNKNOWN else ""


def kin_of(token: str) -> str:
    """Tells what the tokens of all tasks begin with whose `relation` to one is not "ordered"; "" where any may be
    one."""
    step = token.find(".") + 1
    end = token.find(".", step) + 1
    return token[:end] if token[step : end - 1] != _UNKNOWN else ""


def decode(token: str) -> tuple[Level, ...]:
    """Returns the lineage in a token, () if it is none of ours."""
    try:
        return tuple(
            Level(call, _unpack(step), _unpack(task), _unpack(part) if part else "")
            for call, step, task, part in _parse(token)
        )
    except ValueError:
        return ()


def relation(mine: str, theirs: str) -> Relation:
    """Tells how the task of `theirs` stands to that of `mine`.

    "same": the same task, or one ran the other and so has seen what it wrote. "concurrent": tasks of one
    superstep of one graph, or inside two such tasks. "ordered": time decides, as between two parts of a task, and
    where a token is not ours.
    """
    if mine == theirs:
        return "same" if mine.startswith(_PREFIX) else "ordered"
    ours, others = _parse(mine), _parse(theirs)
    if not ours or not others:
        return "ordered"
    for a, b in zip(ours, others, strict=False):
        verdict: Relation = "same" if a == b else _parted(a, b)
        if verdict != "same":
            return verdict
    return "same"


def _parted(a: Level, b: Level) -> Relation:
    """How two lineages stand to each other by the first level at which they differ; "same": the next one decides."""
    if a.call != b.call:
        return "ordered"
    if a[:3] == b[:3]:
        return "ordered" if a.part and b.part else "same"
    if a.step == _UNKNOWN or b.step == _UNKNOWN:
        return "same" if a.task == b.task else "ordered"
    if a.task.startswith(_CALL) and b.task.startswith(_CALL):
        return "ordered" if _is_after(a, b) or _is_after(b, a) else "concurrent"
    return "concurrent" if a.step == b.step else "ordered"


def turn(mine: str, theirs: str) -> Literal["before", "after", "around", "within", ""]:
    """Tells when the task of ``theirs`` is executed, seen from that of ``mine``, whenever what is around both is.

    "before", "after": in another superstep of one graph, or as a `@task` called with the result of the other in hand.
    "around", "within": one ran the other. "": side by side, or not to be told.
    """
    ours, others = _parse(mine), _parse(theirs)
    if not ours or not others or ours[0][:3] != others[0][:3]:
        return ""
    for a, b in zip(ours, others, strict=False):
        if a[:3] != b[:3]:
            return _turn_of_parted(a, b)
        if a.part and b.part and a.part != b.part:
            return ""
    one, other = (len(ours), ours[-1].part), (len(others), others[-1].part)
    return "" if one == other else "around" if other < one else "within"


def _turn_of_parted(a: Level, b: Level) -> Literal["before", "after", ""]:
    if a.call != b.call:
        return ""
    if a.task.startswith(_CALL) and b.task.startswith(_CALL):
        return "after" if _is_after(b, a) else "before" if _is_after(a, b) else ""
    one, other = _numbered(a.step), _numbered(b.step)
    if min(one, other) < 0 or one == other:
        return ""
    return "after" if one < other else "before"


def _numbered(step: str) -> int:
    """The number of a superstep below the outermost graph; -1 where it has none."""
    return int(step[1:]) if step[:1] == "~" and step[1:].isdecimal() else -1


def packed_step(token: str) -> str:
    """Returns the superstep of the outermost graph, for ``belongs``."""
    return token.split(".", 2)[1]


def belongs(mine: str, steps: Collection[str], theirs: str) -> Literal["own", "below", ""]:
    """Tells whether the task of ``theirs`` is one of the same run of a graph as that of ``mine``, or below one.

    Args:
        steps: the supersteps of that run (``packed_step``), if the graph is the outermost.
    """
    ours, others = _parse(mine), _parse(theirs)
    depth = len(ours) - 1
    above = [(level[:3], other[:3]) for level, other in zip(ours[:depth], others, strict=False)]
    if depth < 0 or len(others) <= depth or any(level != other for level, other in above):
        return ""
    if others[depth].call != ours[depth].call or (depth == 0 and others[0].step not in steps):
        return ""
    return "own" if len(others) == len(ours) else "below"


def called_after(calls: str) -> str:
    """Returns the `step` of a call of a `@task` that came after others, as `TaskCall.after` names them."""
    return f"after.{calls}" if calls else ""


def _is_after(one: Level, other: Level) -> bool:
    """Whether a call of a `@task` was made when the result of another, by the same caller, had been taken."""
    if not one.step.startswith(_AFTER):
        return False
    number = other.task[len(_CALL) :].partition("%2E")[0]
    return is_among(int(number), one.step[len(_AFTER) :])


@lru_cache(maxsize=16384)
def _parse(token: str) -> tuple[Level, ...]:
    # Ids stay packed: equal ids have equal packed forms, and relation() needs no more.
    if not token.startswith(_PREFIX):
        return ()
    levels: list[Level] = []
    above = ""
    for part in token[len(_PREFIX) :].split("/"):
        fields = part.split(".")
        if not 3 <= len(fields) <= 4 or not fields[2] or not (fields[1] or above):
            return ()
        above = fields[1] or above
        levels.append(Level(fields[0], above, *fields[2:]))
    return tuple(levels)


def _pack(text: str) -> str:
    if _is_uuid(text):
        return b2a_base64(bytes.fromhex(text.replace("-", "")))[:22].translate(_URL_SAFE).decode()
    return "~" + quote(text, safe="").replace(".", "%2E") if text else _UNKNOWN


def _unpack(text: str) -> str:
    if text == _UNKNOWN:
        return ""
    if text.startswith("~"):
        return unquote(text[1:])
    digits = urlsafe_b64decode(text + "==").hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
