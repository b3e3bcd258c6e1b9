"""Work that processes do on one store, each step derived from (worker, number), so that what must come of it is known.

``main`` is one process of it.
"""

from __future__ import annotations

import ast
import difflib
import os
import pprint
import random
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BaseModel

from concordant import Counter, List, Map, Moment, PostgresOptions, Scalar, Set, Text, Workspace
from concordant.errors import StorageError
from tests.patience import PATIENCE

SPACE = ("plans",)
PAIRS = ("pairs",)


class Plan(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, int], Map()] = {}
    notes: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = []
    status: Annotated[str | None, Scalar()] = None


SCHEMAS: dict[tuple[str, ...], Any] = {SPACE: Plan}
Step = tuple[str | None, dict[str, Any]]


def step(worker: int, number: int, documents: int) -> Step:
    """The document and the values of a step; no document: a pair of new ones in one transaction."""
    rnd = random.Random(f"{worker}/{number}")
    name = f"{worker}.{number}"
    fields: dict[str, Any] = {
        "tags": [name],
        "owners": {f"w{worker}": number},
        "notes": f"line {name}.",
        "votes": number % 7 + 1,
        "steps": [name],
        "status": name,
    }
    chosen = rnd.sample(sorted(fields), rnd.randint(2, 6))
    key = None if rnd.random() < 0.1 else f"d{rnd.randrange(documents)}"
    return key, {field: fields[field] for field in chosen}


def run(url: str, worker: int, numbers: Iterable[int], documents: int, began: Moment | None) -> None:
    """Writes steps, in this process."""
    with opened(url) as workspace:
        agent = workspace.agent(f"w{worker}", began=began)
        for number in numbers:
            key, values = step(worker, number, documents)
            if key is None:
                workspace.put_all([(PAIRS, f"{worker}.{number}.{side}", values, None) for side in "ab"])
            else:
                agent.write(SPACE, key, values)
            os.write(1, f"{number}\n".encode())


def opened(url: str) -> Workspace:
    """A workspace, as soon as there is a server; on a busy machine one takes its time to recover."""
    options = PostgresOptions(connect_timeout=PATIENCE) if url.startswith("postgres") else None
    for _ in range(300):
        with suppress(StorageError):
            return Workspace(url, schemas=SCHEMAS, options=options)
        time.sleep(0.1)
    return Workspace(url, schemas=SCHEMAS, options=options)


class Expected:
    """What must be in the store after steps of workers that all began before any of them."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.pairs: dict[str, dict[str, Any]] = {}

    def add(self, worker: int, number: int, documents: int) -> None:
        """Counts a step."""
        key, values = step(worker, number, documents)
        if key is None:
            self.pairs.update((f"{worker}.{number}.{side}", values) for side in "ab")
            return
        there = self.documents.setdefault(
            key, {"tags": set(), "owners": {}, "notes": [], "votes": 0, "steps": [], "status": {}}
        )
        there["tags"] |= set(values.get("tags", ()))
        there["owners"].update(values.get("owners", {}))
        there["notes"] += [values["notes"]] if "notes" in values else []
        there["votes"] += values.get("votes", 0)
        there["steps"] += values.get("steps", [])
        if "status" in values:
            there["status"][f"w{worker}"] = values["status"]

    def check(self, workspace: Workspace) -> None:
        """Compares; of lists and texts each worker's items in its order."""
        same("pairs", {document.key: document.value for document in workspace.list(PAIRS)}, self.pairs)
        shown = {document.key: document for document in workspace.list(SPACE)}
        same("documents", sorted(shown), sorted(self.documents))
        for key, wanted in self.documents.items():
            document = shown[key]
            value = document.value
            same(f"{key} tags", sorted(value.get("tags", ())), sorted(wanted["tags"]))
            same(f"{key} owners", value.get("owners", {}), wanted["owners"])
            same(f"{key} steps", by_worker(value.get("steps", [])), by_worker(wanted["steps"]))
            lines = [line.removeprefix("line ").rstrip(".") for line in value.get("notes", "").split("\n") if line]
            wanted_lines = [line.removeprefix("line ").rstrip(".") for line in wanted["notes"]]
            same(f"{key} notes", by_worker(lines), by_worker(wanted_lines))
            same(f"{key} votes", value.get("votes", 0), wanted["votes"])
            if len(wanted["status"]) > 1:
                contenders = document.contested[("status",)].contenders
                same(f"{key} status", {c.agent: c.value for c in contenders}, wanted["status"])
            else:
                assert {value.get("status")} == set(wanted["status"].values()) or not wanted["status"], key
                assert not document.contested


def same(what: str, found: Any, wanted: Any) -> None:
    """Compares, and tells only what differs."""
    if found != wanted:
        lines = [pprint.pformat(one, width=1).splitlines() for one in (wanted, found)]
        told = difflib.unified_diff(*lines, "wanted", "found", n=0, lineterm="")
        raise AssertionError("\n".join([f"{what}: not what was written", *told]))


def by_worker(items: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in items:
        found.setdefault(item.partition(".")[0], []).append(item)
    return found


def main(url: str, worker: str, first: str, count: str, documents: str, began: str) -> None:
    """Writes steps, and prints the number of each after it was acknowledged."""
    moment = Moment(*ast.literal_eval(began)) if began else None
    run(url, int(worker), range(int(first), int(first) + int(count)), int(documents), moment)
