"""A workload as data: which agents change what, at once or one after the other.

JSON lines. The first names the fields of the documents and how each is meant to merge; every other one is a task::

    {"workload": "launch", "fields": {"tags": "set", "status": "scalar", "log": "text"}, "start": {}}
    {"round": 1, "agent": "ada", "think": 0.005, "changes": {"plan": {"tags": ["crdt"], "log": "Ada was here."}}}
    {"round": 1, "agent": "bob", "think": 0.005, "changes": {"plan": {"status": "draft"}}}

Tasks of one round are at work at the same time: each reads the documents it changes, thinks, and writes them. A round
begins when the one before has ended. What a change says depends on the kind of the field: elements to add (``set``),
items to append (``list``), a line to append or ``{"replace": [word, word]}`` (``text``), an amount to add
(``counter``), entries to set (``map``), the new value (``scalar``). ``null`` instead of fields deletes the document.
The first line may name policies for scalars that are numbers: ``"resolve": {"price": "max"}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from concordant.errors import ConcordantError

__all__ = ["KINDS", "Change", "Task", "Workload", "WorkloadError", "changed", "dump", "load"]

POLICIES = ("max", "min")
KINDS = ("counter", "list", "map", "scalar", "set", "text")

Change: TypeAlias = "Mapping[str, Any] | None"
"""What a task does to a document, by field; ``None``: it deletes it."""


class WorkloadError(ConcordantError, ValueError):
    """A file is no workload; ``line`` is where."""

    def __init__(self, line: int, problem: str, mend: str) -> None:
        self.line = line
        super().__init__(f"line {line}: {problem}. {mend}")


class Task(NamedTuple):
    """One unit of an agent's work.

    Attributes:
        think: for how many seconds the agent thinks between reading and writing: a model call.
        changes: what it does, by document.
        fails: its first attempt fails after it has written, so that it is executed again.
    """

    agent: str
    changes: Mapping[str, Change]
    think: float = 0.0
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Workload:
    """A named workload.

    Attributes:
        fields: the kind of each field.
        start: the documents that are there before.
        resolve: the policies of scalars, ``max`` or ``min``, by field.
        declared: whether a store that takes declarations is given them.
        rounds: the tasks of each round.
    """

    name: str
    fields: Mapping[str, str]
    rounds: tuple[tuple[Task, ...], ...]
    start: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    declared: bool = True
    resolve: Mapping[str, str] = field(default_factory=dict)

    @property
    def tasks(self) -> list[Task]:
        """All tasks."""
        return [task for tasks in self.rounds for task in tasks]

    @property
    def documents(self) -> list[str]:
        """The keys of all documents."""
        return list(dict.fromkeys([*self.start, *(key for task in self.tasks for key in task.changes)]))


def load(path: Path) -> Workload:
    """Reads a file.

    Raises:
        WorkloadError: it is no workload; says which line is wrong, why, and how to mend it.
    """
    lines = [
        (number, _object(number, text))
        for number, text in enumerate(path.read_text("utf-8").splitlines(), 1)
        if text.strip()
    ]
    if not lines:
        raise WorkloadError(1, "the file is empty", 'Begin with {"workload": NAME, "fields": {...}}')
    number, head = lines[0]
    fields = head.get("fields")
    if not isinstance(fields, dict) or not fields:
        raise WorkloadError(number, "no fields", 'Name the kind of each: {"fields": {"tags": "set"}}')
    for name, kind in fields.items():
        if kind not in KINDS:
            raise WorkloadError(number, f"{name} has the kind {kind!r}", f"Use one of {', '.join(KINDS)}")
    resolve = _policies(number, head, fields)
    start = head.get("start", {})
    for key, value in start.items():
        _check_all(number, key, value, fields, resolve)
    numbered = ((n, line, _task(n, line, fields, resolve)) for n, line in lines[1:])
    rounds = tuple(tuple(task for *_, task in tasks) for _, tasks in groupby(numbered, key=lambda one: _round(one[:2])))
    name, declared = str(head.get("workload", path.stem)), bool(head.get("declared", True))
    return Workload(name, fields, rounds, start, declared, resolve)


def _policies(number: int, head: dict[str, Any], fields: Mapping[str, str]) -> dict[str, str]:
    found = head.get("resolve", {})
    if not isinstance(found, dict):
        raise WorkloadError(number, f"resolve is {found!r}", 'Name policies by field: {"price": "max"}')
    for name, policy in found.items():
        if fields.get(name) != "scalar" or policy not in POLICIES:
            raise WorkloadError(number, f"{name} is resolved by {policy!r}", "A scalar may be, by max or min")
    return found


def dump(workload: Workload) -> str:
    """Returns the file of a workload."""
    head: dict[str, Any] = {"workload": workload.name, "fields": workload.fields, "start": workload.start}
    if workload.resolve:
        head["resolve"] = workload.resolve
    lines: list[dict[str, Any]] = [head if workload.declared else {**head, "declared": False}]
    for number, tasks in enumerate(workload.rounds, 1):
        for task in tasks:
            line = {"round": number, "agent": task.agent, "think": task.think, "changes": task.changes}
            lines.append({**line, **({"fails": True} if task.fails else {})})
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _object(number: int, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise WorkloadError(number, f"no JSON ({error})", "Write one JSON object a line") from error
    if not isinstance(found, dict):
        raise WorkloadError(number, f"a {type(found).__name__}", "Write one JSON object a line")
    return found


def _round(place: Iterable[Any]) -> Any:
    number, line = place
    if "round" not in line:
        raise WorkloadError(number, "no round", 'Say which tasks are at work at the same time: "round": 1')
    return line["round"]


def _task(number: int, line: dict[str, Any], fields: Mapping[str, str], resolve: Mapping[str, str]) -> Task:
    changes = line.get("changes")
    if not isinstance(line.get("agent"), str) or not isinstance(changes, dict):
        mend = 'Write {"round": 1, "agent": "ada", "changes": {"key": {"field": ...}}}'
        raise WorkloadError(number, "a task names its agent and what it changes", mend)
    for key, change in changes.items():
        _check_all(number, key, {} if change is None else change, fields, resolve)
    think = line.get("think", 0.0)
    if isinstance(think, bool) or not isinstance(think, int | float) or think < 0:
        raise WorkloadError(number, f"think is {think!r}", "Give the seconds that the agent thinks")
    return Task(line["agent"], changes, float(think), bool(line.get("fails")))


def _check_all(number: int, key: str, change: Any, fields: Mapping[str, str], resolve: Mapping[str, str]) -> None:
    if not isinstance(change, dict):
        raise WorkloadError(number, f"the change of {key} is {change!r}", "Give its fields, or null to delete it")
    for name, value in change.items():
        _check(number, key, name, value, fields)
        if name in resolve and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise WorkloadError(number, f"{name} is resolved by {resolve[name]}, and {value!r} no number", "Give one")


_FITS: dict[str, tuple[type, ...]] = {
    "set": (list,), "list": (list,), "map": (dict,), "text": (str, dict), "counter": (int, float)
}  # fmt: skip


def _check(number: int, key: str, name: str, value: Any, fields: Mapping[str, str]) -> None:
    if name not in fields:
        raise WorkloadError(number, f"{key} has no field {name!r}", "Name it in the first line, with its kind")
    fits = _FITS.get(fields[name])
    if fits is not None and (not isinstance(value, fits) or isinstance(value, bool)):
        wanted = " or ".join(one.__name__ for one in fits)
        raise WorkloadError(number, f"{name} is a {fields[name]}, and {value!r} no {wanted}", "See the format")
    if isinstance(value, dict) and fields[name] == "text":
        words = value.get("replace")
        if not isinstance(words, list) or len(words) != 2 or not all(isinstance(word, str) for word in words):
            raise WorkloadError(number, f"{value!r} replaces nothing", 'Write {"replace": ["word", "other"]}')


def changed(fields: Mapping[str, str], value: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a document after a change, as somebody makes it who has read it."""
    result = dict(value)
    for name, given in change.items():
        make = _CHANGES.get(fields[name])
        result[name] = given if make is None else make(result.get(name), given)
    return result


def _text_changed(before: Any, given: Any) -> str:
    if not isinstance(given, dict):
        return f"{before}\n{given}" if before else given
    old, new = given["replace"]
    return " ".join(new if word == old else word for word in (before or "").split(" "))


_CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "set": lambda before, given: [*(before or []), *(one for one in given if one not in (before or []))],
    "list": lambda before, given: [*(before or []), *given],
    "map": lambda before, given: {**(before or {}), **given},
    "counter": lambda before, given: (before or 0) + given,
    "text": _text_changed,
}
"""What a change makes of a field's value, by kind; of any other it is the value."""
