"""The workloads: small ones that show one thing each, real pairs of office tasks, and teams from a seeded generator."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from concordant.bench import Task, Workload

__all__ = ["all_workloads"]

PAIRS = Path(__file__).parent.parent.parent / "tests" / "data" / "workbench_pairs.jsonl"
FIELDS = {"tags": "set", "status": "scalar", "notes": "text", "owners": "map", "hits": "counter", "steps": "list"}
THINK = 0.005
SEED = 20_26


def all_workloads(*, quick: bool) -> Iterator[Workload]:
    """All of them; the quick ones are small."""
    yield clean_merge(2 if quick else 8)
    yield semantic_conflict(2 if quick else 8)
    yield semantic_conflict(2 if quick else 8, declared=False)
    yield offers(2 if quick else 8)
    yield office_pairs(6 if quick else None)
    for workers, think in ((4, 0.0),) if quick else ((2, 0.05), (20, THINK), (200, THINK), (200, 0.0)):
        yield get_think_put(workers, think)
    yield pipeline(4 if quick else 20)
    yield retries(3 if quick else 8)
    yield long_history(6 if quick else 300)
    yield wide(10 if quick else 200, 3 if quick else 8)
    yield many_documents(6 if quick else 100, 3 if quick else 8)
    yield editing(30 if quick else 400, 3 if quick else 20)
    for number in range(1 if quick else 3):
        yield team(random.Random(f"{SEED}/{number}"), number + 1, 4 if quick else 12, 5 if quick else 25)


def clean_merge(agents: int) -> Workload:
    """Everybody adds tags, lines and items to one document: nothing needs anybody."""
    tasks = [
        Task(f"agent {n}", {"plan": {"tags": [f"tag {n}"], "notes": f"Note of agent {n}.", "hits": n + 1}}, THINK)
        for n in range(agents)
    ]
    return Workload(f"clean merge, {agents} agents", FIELDS, (tuple(tasks),))


def semantic_conflict(agents: int, *, declared: bool = True) -> Workload:
    """Each gives the status another value, and a note of its own; or, where nothing is declared, another owner."""
    tasks = []
    for n in range(agents):
        own: dict[str, Any] = {"notes": f"Note of agent {n}."} if declared else {f"part {n}": f"agent {n}"}
        tasks.append(Task(f"agent {n}", {"plan": {"status": f"state {n}", **own}}, THINK))
    fields = FIELDS if declared else {"status": "scalar", **{f"part {n}": "scalar" for n in range(agents)}}
    name = f"semantic conflict, {agents} agents{'' if declared else ', undeclared'}"
    return Workload(name, fields, (tuple(tasks),), {"plan": {"status": "new"}}, declared)


def offers(agents: int) -> Workload:
    """Each names a price; the lowest counts, as declared."""
    tasks = [Task(f"agent {n}", {"offer": {"price": 80 + n, "tags": [f"tag {n}"]}}, THINK) for n in range(agents)]
    fields = {"price": "scalar", "tags": "set"}
    name = f"offers settled by policy, {agents} agents"
    return Workload(name, fields, (tuple(tasks),), {"offer": {"price": 99}}, resolve={"price": "min"})


def office_pairs(most: int | None) -> Workload:
    """Pairs of office tasks (WorkBench) that change the same records, each pair at once."""
    pairs = [json.loads(line) for line in PAIRS.read_text("utf-8").splitlines()][:most]
    start: dict[str, dict[str, Any]] = {}
    rounds = []
    fields: dict[str, str] = {}
    for number, pair in enumerate(pairs):
        sides: dict[str, dict[str, Any]] = {"a": {}, "b": {}}
        for record in pair["records"]:
            key = f"{number}/{record['table']}/{record['id']}"
            start[key] = record["base"]
            fields.update(dict.fromkeys(record["base"], "scalar"))
            for side, changes in sides.items():
                changes[key] = record[side]
                fields.update(dict.fromkeys(record[side] or {}, "scalar"))
        rounds.append(tuple(Task(f"{side} of {number}", changes) for side, changes in sides.items()))
    return Workload(f"{len(pairs)} pairs of office tasks", fields, tuple(rounds), start)


def get_think_put(workers: int, think: float) -> Workload:
    """Workers that each read one document, think, and write it back with what they found."""
    tasks = [
        Task(
            f"worker {n}",
            {"plan": {"tags": [f"finding {n}"], "hits": 1, "owners": {f"part {n}": f"worker {n}"}}},
            think,
        )
        for n in range(workers)
    ]
    return Workload(f"get, think {think * 1000:g} ms, put, {workers} workers", FIELDS, (tuple(tasks),))


def pipeline(steps: int) -> Workload:
    """One after the other: nothing is concurrent, so that any alarm is false."""
    tasks = [
        Task(f"agent {n % 3}", {"plan": {"status": f"stage {n}", "notes": f"Stage {n} is done."}}) for n in range(steps)
    ]
    return Workload(f"a pipeline of {steps} steps", FIELDS, tuple((task,) for task in tasks))


def retries(agents: int) -> Workload:
    """Every task fails after it has written, and is executed again."""
    tasks = [
        Task(f"agent {n}", {"plan": {"notes": f"Line {n}.", "hits": 1, "steps": [f"step {n}"]}}, THINK, fails=True)
        for n in range(agents)
    ]
    return Workload(f"retries, {agents} agents", FIELDS, (tuple(tasks),))


def long_history(length: int) -> Workload:
    """A document that has been written to many times, and then by four at once."""
    before = [
        (Task("clerk", {"plan": {"status": f"state {n}", "hits": 1, "tags": [f"tag {n}"]}}),) for n in range(length)
    ]
    last = tuple(Task(f"agent {n}", {"plan": {"status": f"last {n}", "tags": [f"late {n}"]}}) for n in range(4))
    return Workload(f"a history of {length} writes", FIELDS, (*before, last))


def wide(width: int, agents: int) -> Workload:
    """A document of many fields, of which everybody changes some of his own and one of all."""
    fields = {f"field {n}": "scalar" for n in range(width)}
    tasks = []
    for agent in range(agents):
        own = {f"field {n}": f"value {n}" for n in range(1 + agent, width, agents)}
        tasks.append(Task(f"agent {agent}", {"plan": {**own, "field 0": f"by {agent}"}}, THINK))
    return Workload(f"{width} fields, {agents} agents", fields, (tuple(tasks),))


def many_documents(count: int, agents: int) -> Workload:
    """Everybody adds something to each of many documents."""
    tasks = [
        Task(f"agent {n}", {f"doc {d}": {"tags": [f"tag {n}"], "hits": 1} for d in range(count)}, THINK)
        for n in range(agents)
    ]
    return Workload(f"{count} documents, {agents} agents", FIELDS, (tuple(tasks),))


def editing(words: int, rounds: int) -> Workload:
    """Four writers who replace words of one text: mostly different ones, the same one in every third round."""
    rnd = random.Random(f"{SEED}/editing")
    text = [f"w{n}" for n in range(words)]
    made = []
    for number in range(rounds):
        picks = rnd.sample(range(words), 4)
        if number % 3 == 2:
            picks[1] = picks[0]
        tasks = []
        for agent, pick in enumerate(picks):
            tasks.append(Task(f"writer {agent}", {"essay": {"body": {"replace": [text[pick], f"r{number}by{agent}"]}}}))
        for agent, pick in enumerate(picks):
            # A word that two have replaced is contested from then on, and nobody touches it again.
            text[pick] = f"r{number}by{agent}" if picks.count(pick) == 1 else f"contested{number}"
        made.append(tuple(tasks))
    made = [tuple(t for t in tasks if not _contested(t)) for tasks in made]
    start = {"essay": {"body": " ".join(f"w{n}" for n in range(words))}}
    return Workload(
        f"{rounds} rounds of text editing", {"body": "text"}, tuple(tasks for tasks in made if tasks), start
    )


def _contested(task: Task) -> bool:
    change: Any = task.changes["essay"]
    return str(change["body"]["replace"][0]).startswith("contested")


def team(rnd: random.Random, number: int, agents: int, rounds: int) -> Workload:
    """A team of mixed habits: some add, some decide; some work alone, some at once."""
    documents = [f"doc {n}" for n in range(6)]
    made = []
    for turn in range(rounds):
        tasks = []
        for agent in rnd.sample(range(agents), rnd.randint(1, min(agents, 6))):
            changes: dict[str, Any] = {}
            for key in rnd.sample(documents, rnd.randint(1, 2)):
                changes[key] = _habit(rnd, agent, turn)
            tasks.append(Task(f"agent {agent}", changes, rnd.choice([0.0, THINK])))
        made.append(tuple(tasks))
    return Workload(f"team {number}, {agents} agents, {rounds} rounds", FIELDS, tuple(made))


def _habit(rnd: random.Random, agent: int, turn: int) -> dict[str, Any]:
    mark = f"{agent} in {turn}"
    choices: list[dict[str, Any]] = [
        {"tags": [f"tag of {mark}"], "hits": rnd.randint(1, 5)},
        {"notes": f"Note of {mark}."},
        {"steps": [f"step of {mark}"], "tags": [f"tag of {rnd.randint(0, 3)}"]},
        {"owners": {f"part {rnd.randint(0, 4)}": f"agent {mark}"}},
        {"status": f"state {rnd.randint(0, 4)} of {turn}"},
    ]
    change: dict[str, Any] = {}
    for one in rnd.sample(choices, rnd.randint(1, 3)):
        change.update(one)
    return change
