"""One process of a graph with a review, over a database for the store and one for the checkpoints.

``main(FOLDER, HOW, GIVEN, DIES)``, in a process of its own, runs the graph ``HOW`` (``sync`` or ``async``) on what
it is ``GIVEN`` (JSON: an input, the answers to resume with, or null to go on), prints what came of it, and kills itself
without any farewell: at the end, or right after the commit of the first transition named ``DIES``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import StateGraph
from langgraph.types import Command

from concordant import Event, Workspace
from concordant_langgraph import MergeStore, review_conflicts

from .support import NS, Brief, State, parallel, putting, thread

WORK = {
    name: {"status": name, "title": name, "tokens": 100, "body": f"{name} was here.", "tags": [name]}
    for name in ("ada", "bob")
}


def opened(folder: Path) -> Workspace:
    return Workspace(f"sqlite:///{folder / 'team.db'}", schemas={NS: Brief})


def die() -> None:
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def build(store: MergeStore, *, is_async: bool) -> StateGraph[State]:
    builder = parallel(*(putting(name, values, is_async=is_async) for name, values in WORK.items()))
    builder.add_node("review", review_conflicts(store, NS, report="report")).add_edge([*WORK], "review")
    return builder


async def arun(store: MergeStore, path: Path, given: Any) -> Any:
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        return await build(store, is_async=True).compile(store=store, checkpointer=saver).ainvoke(given, thread())


def run(store: MergeStore, path: Path, given: Any) -> Any:
    with SqliteSaver.from_conn_string(str(path)) as saver:
        return build(store, is_async=False).compile(store=store, checkpointer=saver).invoke(given, thread())


def main(place: str, how: str, sent: str, dies: str) -> None:
    """Runs the graph; see above."""
    folder, given = Path(place), json.loads(sent)
    store = MergeStore(workspace=opened(folder))

    def note(event: Event) -> None:
        if event.kind == dies:
            die()

    store.on_escalation(note)
    given = Command(resume=given) if given and "x" not in given else given
    path = folder / "checkpoints.db"
    result = asyncio.run(arun(store, path, given)) if how == "async" else run(store, path, given)
    pauses = [pause.value for pause in result.pop("__interrupt__", [])]
    print(json.dumps({"asked": pauses, "report": result.get("report")}))
    die()
