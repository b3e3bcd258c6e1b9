"""Workloads as plain data: a header and tasks, one JSON object a line."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Annotated, Any

from pydantic import BaseModel, create_model

from concordant.errors import ConcordantError
from concordant.kinds import Counter, Kind, List, Map, Scalar, Set, Text

__all__ = ["Change", "FieldKind", "Task", "Workload", "WorkloadError", "changed", "contributed", "dump", "load"]

Value = dict[str, Any]


class WorkloadError(ConcordantError):
    """A workload cannot be used; ``line`` (from 1) says where.

    Attributes:
        line: the line of the file, 0 for the whole of it.
        problem: what is wrong there.
    """

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(f"line {line}: {problem}" if line else problem)


OPS = {
    "set": ("add",),
    "text": ("append", "replace"),
    "list": ("append",),
    "scalar": ("set",),
    "counter": ("increment",),
    "map": ("set",),
}
"""What can be done to a field of each kind; a whole document can be deleted."""
_MADE: dict[str, tuple[Any, type[Kind], Any]] = {
    "set": (list[Any], Set, []),
    "text": (str, Text, ""),
    "list": (list[Any], List, []),
    "scalar": (Any, Scalar, None),
    "counter": (int, Counter, 0),
    "map": (dict[str, Any], Map, {}),
}
_POLICIES = ("max", "min", "first", "latest")


@dataclass(frozen=True, slots=True)
class FieldKind:
    """How a field merges: its kind and, for a scalar, the policy that settles it."""

    kind: str
    resolve: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One atomic change that a task makes: to a field of a document, or (op ``delete``) to the document.

    Attributes:
        op: ``add`` (set), ``append`` (a line of a text, an item of a list), ``replace`` (words of a text), ``set``
            (a scalar, a key of a map), ``increment`` (a counter), ``delete``.
        value: what is added, appended, set; the new words.
        key: of a map.
        old: the words that are replaced.
    """

    doc: str
    op: str
    field: str = ""
    value: Any = None
    key: str | None = None
    old: str | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """What it touches: the field, a key of it, or ``()`` for the whole document."""
        if self.op == "delete":
            return ()
        return (self.field,) if self.key is None else (self.field, self.key)


@dataclass(frozen=True, slots=True)
class Task:
    """A unit of one agent's work: it reads, thinks, and makes its changes.

    Attributes:
        round: tasks of one round run at the same time, rounds one after the other.
        reads: documents it reads first; what it changes without having read it, it changes blindly.
        think: how long it thinks, in milliseconds.
        runs: how often it is executed; twice is a retry after everything was done, and must count once.
        number: its place in the workload.
    """

    round: int
    agent: str
    changes: tuple[Change, ...]
    reads: tuple[str, ...] = ()
    think: float = 0.0
    runs: int = 1
    number: int = 0

    def by_document(self) -> dict[str, list[Change]]:
        """Its changes, by document."""
        found: dict[str, list[Change]] = {}
        for change in self.changes:
            found.setdefault(change.doc, []).append(change)
        return found


@dataclass(frozen=True)
class Workload:
    """What a team does: rounds of tasks on documents of one namespace.

    Attributes:
        name: as in tables.
        fields: the kinds of the documents' fields.
        tasks: in the order of their rounds.
        asynchronous: whether the tasks are coroutines of one event loop; else they are threads.
    """

    name: str
    fields: Mapping[str, FieldKind]
    tasks: tuple[Task, ...]
    namespace: tuple[str, ...] = ("bench",)
    asynchronous: bool = False
    documents: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        docs = dict.fromkeys(doc for task in self.tasks for doc in (*task.reads, *(c.doc for c in task.changes)))
        object.__setattr__(self, "documents", tuple(docs))

    def rounds(self) -> Iterator[list[Task]]:
        """The tasks of each round."""
        for _, tasks in groupby(self.tasks, key=lambda task: task.round):
            yield [*tasks]

    @cached_property
    def model(self) -> type[BaseModel]:
        """The state model that the fields declare."""
        fields: dict[str, Any] = {}
        for name, spec in self.fields.items():
            type_, kind, default = _MADE[spec.kind]
            made = Scalar(resolve=spec.resolve) if spec.resolve else kind()
            if spec.resolve in ("max", "min"):
                type_ = float | None  # what they compare
            fields[name] = (Annotated[type_, made], default)
        made_model: type[BaseModel] = create_model("Document", **fields)
        return made_model


def changed(value: Value | None, changes: Iterable[Change], fields: Mapping[str, FieldKind]) -> Value | None:
    """What a writer makes of a document that it has read: the whole new value, ``None`` where it deletes it."""
    new = copy.deepcopy(value) if value is not None else {}
    for change in changes:
        if change.op == "delete":
            return None
        name, kind = change.field, fields[change.field].kind
        if kind == "counter":
            new[name] = new.get(name, 0) + change.value
        elif kind == "scalar":
            new[name] = change.value
        elif kind == "map":
            new[name] = {**new.get(name, {}), change.key: change.value}
        elif kind == "set":
            old = new.get(name, [])
            new[name] = old if change.value in old else [*old, change.value]
        elif kind == "list":
            new[name] = [*new.get(name, []), change.value]
        elif change.op == "append":
            new[name] = "\n".join(line for line in (new.get(name, ""), change.value) if line)
        else:
            new[name] = _replaced(new.get(name, ""), change.old or "", str(change.value))
    return new


def _replaced(text: str, old: str, new: str) -> str:
    """A text with new words in place of the first occurrence of the old ones, which must stand there as words."""
    found = re.search(rf"(?<!\S){re.escape(old)}(?!\S)", text)
    return text if found is None else text[: found.start()] + new + text[found.end() :]


def contributed(changes: Iterable[Change], fields: Mapping[str, FieldKind]) -> Value | None:
    """What a writer puts that has read nothing: its own contributions alone."""
    return changed(None, changes, fields)


def load(lines: Iterable[str]) -> Workload:
    """Reads a workload.

    Args:
        lines: JSON texts, the header first; empty ones and those that begin with ``#`` are passed over.

    Raises:
        WorkloadError: says which line is wrong, and how.

    >>> lines = ['{"workload": "tags", "fields": {"tags": "set"}}']
    >>> lines += ['{"agent": "ada", "changes": [{"doc": "d", "field": "tags", "op": "add", "value": "crdt"}]}']
    >>> load(lines).tasks[0].agent
    'ada'
    """
    header: dict[str, Any] | None = None
    fields: dict[str, FieldKind] = {}
    tasks: list[Task] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            found = json.loads(line)
        except ValueError as error:
            raise WorkloadError(number, f"no JSON: {error}") from None
        if not isinstance(found, dict):
            raise WorkloadError(number, f"an object is meant, not {line.strip()[:40]}")
        if header is None:
            header, fields = found, _fields(number, found)
        else:
            tasks.append(_task(number, found, fields, len(tasks)))
    if header is None or not tasks:
        raise WorkloadError(0, "a workload is a header and at least one task, each on a line of its own")
    return Workload(
        str(header["workload"]),
        fields,
        tuple(sorted(tasks, key=lambda task: task.round)),
        tuple(header.get("namespace", ("bench",))),
        bool(header.get("async", False)),
    )


def dump(workload: Workload) -> Iterator[str]:
    """The lines of a workload, as ``load`` reads them."""
    kinds = {n: {"kind": s.kind, "resolve": s.resolve} if s.resolve else s.kind for n, s in workload.fields.items()}
    yield json.dumps(
        {
            "workload": workload.name,
            "namespace": workload.namespace,
            "fields": kinds,
            **({"async": True} if workload.asynchronous else {}),
        }
    )
    for task in workload.tasks:
        changes = [
            {name: value for name in ("doc", "op", "field", "key", "old") if (value := getattr(c, name))}
            | ({} if c.op == "delete" else {"value": c.value})
            for c in task.changes
        ]
        yield json.dumps(
            {
                "round": task.round,
                "agent": task.agent,
                "reads": task.reads,
                "think": float(task.think),
                "runs": task.runs,
                "changes": changes,
            }
        )


def _fields(line: int, header: dict[str, Any]) -> dict[str, FieldKind]:
    given = header.get("fields")
    if not isinstance(header.get("workload"), str) or not isinstance(given, dict) or not given:
        raise WorkloadError(line, 'the first line is a header: {"workload": "name", "fields": {"tags": "set", ...}}')
    found: dict[str, FieldKind] = {}
    for name, spec in given.items():
        kind, resolve = (spec.get("kind"), spec.get("resolve")) if isinstance(spec, dict) else (spec, None)
        if kind not in OPS:
            raise WorkloadError(line, f"field {name}: no kind {kind!r}; there are {', '.join(OPS)}")
        if resolve is not None and (kind != "scalar" or resolve not in _POLICIES):
            raise WorkloadError(line, f"field {name}: a scalar may have resolve one of {', '.join(_POLICIES)}")
        found[name] = FieldKind(kind, resolve)
    return found


def _task(line: int, found: dict[str, Any], fields: Mapping[str, FieldKind], number: int) -> Task:
    unknown = found.keys() - {"round", "agent", "reads", "think", "runs", "changes"}
    if unknown or not isinstance(found.get("agent"), str) or not isinstance(found.get("changes", []), list):
        problem = f"no such keys: {', '.join(sorted(unknown))}" if unknown else "a task has an agent and changes"
        raise WorkloadError(line, problem)
    changes = tuple(_change(line, change, fields) for change in found.get("changes", []))
    return Task(
        int(found.get("round", 0)),
        found["agent"],
        changes,
        tuple(found.get("reads", ())),
        float(found.get("think", 0)),
        int(found.get("runs", 1)),
        number,
    )


def _change(line: int, found: Any, fields: Mapping[str, FieldKind]) -> Change:
    try:
        change = Change(**found)
    except TypeError as error:
        raise WorkloadError(line, f"a change: {error}") from None
    if change.op == "delete":
        return change
    spec = fields.get(change.field)
    if spec is None:
        raise WorkloadError(line, f"no field {change.field!r}; there are {', '.join(fields)}")
    if change.op not in OPS[spec.kind]:
        raise WorkloadError(line, f"field {change.field}: {spec.kind} has {', '.join(OPS[spec.kind])}, no {change.op}")
    if (change.key is None) == (spec.kind == "map") or (change.old is None) == (change.op == "replace"):
        raise WorkloadError(line, f"field {change.field}: key goes with a map, old with replace")
    return change
