"""The workloads: each a plain list of tasks, made from a seed where chance has a part."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.subjects import QUICK, Sizes
from concordant.bench import Change, FieldKind, Task, Workload

__all__ = ["all_workloads", "get_think_put", "semantic_conflict"]

PAIRS = Path(__file__).parent.parent.parent / "tests" / "data" / "workbench_pairs.jsonl"
DOC = "launch"
BRIEF = {
    "tags": FieldKind("set"),
    "notes": FieldKind("text"),
    "hits": FieldKind("counter"),
    "status": FieldKind("scalar"),
    "owners": FieldKind("map"),
    "steps": FieldKind("list"),
    "price": FieldKind("scalar", "max"),
}


def all_workloads(sizes: Sizes) -> Iterator[Workload]:
    """All of them; the quick ones are smaller."""
    quick = sizes is QUICK
    for count in (2, 8):
        yield clean_merge(count)
        yield semantic_conflict(count)
    yield workbench(20 if quick else None)
    for count, think in ((2, 5), (20, 5)) if quick else ((2, 0), (2, 50), (20, 5), (200, 5)):
        yield get_think_put(count, think)
    for count in (20,) if quick else (20, 200):
        yield get_think_put(count, 5, asynchronous=True)
    yield pipeline(4 if quick else 20)
    yield retries(4)
    yield long_history(20 if quick else 300)
    yield wide(20 if quick else 200)
    yield many_documents(10 if quick else 100)
    yield text_editing(6 if quick else 12, 3 if quick else 10)
    for seed in (1, 2) if quick else range(1, 9):
        yield team(seed, rounds=4 if quick else 8, agents=6 if quick else 12)


def _numbered(tasks: list[Task]) -> tuple[Task, ...]:
    return tuple(Task(t.round, t.agent, t.changes, t.reads, t.think, t.runs, number) for number, t in enumerate(tasks))


def _workload(name: str, tasks: list[Task], fields: dict[str, FieldKind] | None = None, **more: Any) -> Workload:
    return Workload(name, fields or BRIEF, _numbered(tasks), **more)


def _contribution(number: int, doc: str = DOC) -> tuple[Change, ...]:
    return (
        Change(doc, "add", "tags", f"a{number}"),
        Change(doc, "add", "tags", f"b{number}"),
        Change(doc, "append", "notes", f"Finding {number}."),
        Change(doc, "increment", "hits", 1),
    )


def clean_merge(count: int) -> Workload:
    """Blind puts of additions; all set one scalar to the same value, which is no conflict."""
    same = Change(DOC, "set", "status", "draft")
    tasks = [Task(0, f"agent {n}", (*_contribution(n), same), think=5) for n in range(count)]
    return _workload(f"clean merge, {count} agents", tasks)


def semantic_conflict(count: int) -> Workload:
    """Blind puts of a scalar, a value of each agent's own, and of a tag."""
    tasks = [
        Task(
            0,
            f"agent {n}",
            (Change(DOC, "set", "status", f"version {n}"), Change(DOC, "add", "tags", f"a{n}")),
            think=5,
        )
        for n in range(count)
    ]
    return _workload(f"semantic conflict, {count} agents", tasks)


def get_think_put(count: int, think: float, *, asynchronous: bool = False) -> Workload:
    """Everybody reads the document, thinks, and puts it back with additions."""
    tasks = [Task(0, "planner", _contribution(count))]
    tasks += [Task(1, f"agent {n}", _contribution(n), (DOC,), think) for n in range(count)]
    way = "coroutines" if asynchronous else "threads"
    return _workload(f"get, think {think:g} ms, put: {count} {way}", tasks, asynchronous=asynchronous)


def pipeline(stages: int) -> Workload:
    """One after the other: each reads, adds, and sets the scalar anew. Nothing is concurrent."""
    tasks = [
        Task(n, f"stage {n}", (*_contribution(n), Change(DOC, "set", "status", f"stage {n}")), (DOC,), 1)
        for n in range(stages)
    ]
    return _workload(f"pipeline of {stages} stages", tasks)


def retries(count: int) -> Workload:
    """Every task is executed twice, as by a retry after its put; its effect must count once."""
    tasks = [Task(0, "planner", _contribution(count))]
    tasks += [Task(1, f"agent {n}", _contribution(n), (DOC,), 5, runs=2) for n in range(count)]
    return _workload(f"retries, {count} agents", tasks)


def long_history(rounds: int) -> Workload:
    """Two agents write to one document, round after round."""
    tasks = [
        Task(
            r,
            f"agent {n}",
            (Change(DOC, "append", "notes", f"Line {r} by {n}."), Change(DOC, "increment", "hits", 1)),
            (DOC,),
        )
        for r in range(rounds)
        for n in range(2)
    ]
    return _workload(f"long history, {rounds} rounds of 2", tasks)


def wide(fields: int) -> Workload:
    """One document of many scalars, of which each of four agents sets its own."""
    tasks = [Task(0, "planner", tuple(Change(DOC, "set", f"field_{f}", "base") for f in range(fields)))]
    for n in range(4):
        mine = tuple(Change(DOC, "set", f"field_{f}", f"by {n}") for f in range(n, fields, 4))
        tasks.append(Task(1, f"agent {n}", mine, (DOC,), 5))
    return _workload(
        f"wide document, {fields} fields", tasks, {f"field_{f}": FieldKind("scalar") for f in range(fields)}
    )


def many_documents(count: int) -> Workload:
    """Each of eight agents adds to every document."""
    docs = [f"doc {n}" for n in range(count)]
    tasks = [
        Task(0, f"agent {n}", tuple(c for doc in docs for c in _contribution(n, doc)), tuple(docs), 5) for n in range(8)
    ]
    return _workload(f"{count} documents, 8 agents", tasks)


def text_editing(agents: int, rounds: int, seed: int = 7) -> Workload:
    """Agents rewrite words of one text at the same time: mostly different ones, now and then the same."""
    chance = random.Random(seed)
    words = [f"word{n}" for n in range(agents * 8)]
    tasks = [Task(0, "planner", (Change(DOC, "append", "notes", " ".join(words)),))]
    contested: set[int] = set()
    for number in range(1, rounds + 1):
        free = [n for n in range(0, len(words), 2) if n not in contested]
        chosen = chance.sample(free, agents)
        if chance.random() < 0.4:
            chosen[1] = chosen[0]
            contested.add(chosen[0])
        for agent, place in enumerate(chosen):
            new = f"word{place}r{number}a{agent}"
            tasks.append(
                Task(number, f"agent {agent}", (Change(DOC, "replace", "notes", new, old=words[place]),), (DOC,), 1)
            )
        for agent, place in enumerate(chosen):
            words[place] = f"word{place}r{number}a{agent}"
    return _workload(f"text editing, {agents} agents, {rounds} rounds, seed {seed}", tasks)


def workbench(most: int | None = None) -> Workload:
    """Pairs of office tasks that write to one record (WorkBench, MIT), each pair on records of its own."""
    fields: dict[str, FieldKind] = {}
    tasks: list[Task] = []
    lines = PAIRS.read_text(encoding="utf-8").splitlines()[:: 1 if most is None else 8][:most]
    for number, line in enumerate(lines):
        pair = json.loads(line)
        turn = number // 20 * 2
        for side in ("base", "a", "b"):
            changes: list[Change] = []
            docs = [f"{record['table']} {record['id']} in {number}" for record in pair["records"]]
            for doc, record in zip(docs, pair["records"], strict=True):
                fields |= dict.fromkeys(record["base"], FieldKind("scalar"))
                if record[side] is None:
                    changes.append(Change(doc, "delete"))
                else:
                    changes += [Change(doc, "set", name, value) for name, value in record[side].items()]
            base = side == "base"
            agent = f"office {number}" if base else f"{side} of {number}"
            tasks.append(Task(turn + (not base), agent, tuple(changes), () if base else tuple(docs), 0 if base else 2))
    return _workload(f"WorkBench, {len(lines)} pairs", sorted(tasks, key=lambda task: task.round), fields)


def team(seed: int, rounds: int, agents: int) -> Workload:
    """A mixed team: some read first, some write blindly, on a few documents, all kinds of fields, all from one seed."""
    chance = random.Random(seed)
    docs = [f"doc {n}" for n in range(3)]
    gone: set[str] = set()
    tasks: list[Task] = []
    for turn in range(rounds):
        for number in range(agents):
            mine = f"{turn}.{number}"
            doc = chance.choice([d for d in docs if d not in gone] or docs)
            changes = [change for change in _choices(chance, doc, mine) if chance.random() < 0.5]
            if turn == rounds - 1 and doc == docs[2] and chance.random() < 0.3:
                changes = [Change(doc, "delete")]
            reads = (doc,) if chance.random() < 0.7 or changes[:1] == [Change(doc, "delete")] else ()
            if changes:
                tasks.append(Task(turn, f"agent {number}", tuple(changes), reads, chance.choice([0, 1, 5])))
    return _workload(f"mixed team, seed {seed}", tasks)


def _choices(chance: random.Random, doc: str, mine: str) -> list[Change]:
    return [
        Change(doc, "add", "tags", f"tag {mine}"),
        Change(doc, "append", "notes", f"Line {mine}."),
        Change(doc, "append", "steps", f"step {mine}"),
        Change(doc, "increment", "hits", chance.randint(1, 3)),
        Change(doc, "set", "status", chance.choice(["draft", f"status {mine}"])),
        Change(doc, "set", "owners", f"owner {mine}", key=chance.choice(["intro", "end", f"part {mine}"])),
        Change(doc, "set", "price", float(chance.randint(1, 100))),
    ]
