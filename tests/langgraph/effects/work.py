"""One process of a graph whose first node is executed until it comes to its end, over databases for store and
checkpoints.

``main(FOLDER, SEED, EXECUTION, STOP)``, in a process of its own, starts the graph or goes on with it; the node
plays the script of its EXECUTION, and kills its process without any farewell before put number STOP (-1: never).
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph

from concordant import Workspace
from concordant_langgraph import MergeStore

from .scripts import SCHEMAS, Step, make, scripts

EXECUTIONS = 3
THREAD: Any = {"configurable": {"thread_id": "t"}}


class State(TypedDict, total=False):
    x: int


def opened(folder: Path) -> MergeStore:
    return MergeStore(workspace=Workspace(f"sqlite:///{folder / 'team.db'}", schemas=SCHEMAS))


def play(store: MergeStore, steps: list[Step], stop: int) -> None:
    for number, step in enumerate(steps):
        if number == stop:
            os.kill(os.getpid(), signal.SIGKILL)
        make(step, store)
    if stop >= len(steps):
        os.kill(os.getpid(), signal.SIGKILL)


def main(place: str, *numbers: str) -> None:
    """Plays a part; see above."""
    folder = Path(place)
    seed, execution, stop = map(int, numbers)
    store = opened(folder)

    def work(state: State) -> State:
        play(store, scripts(seed, EXECUTIONS)[execution], stop)
        return {"x": 1}

    builder = StateGraph(State).add_node("work", work).add_edge(START, "work")
    with SqliteSaver.from_conn_string(str(folder / "checkpoints.db")) as saver:
        graph = builder.compile(store=store, checkpointer=saver)
        # The checkpoint that a crash is gone on from must be there before the node begins.
        graph.invoke(None if graph.get_state(THREAD).next else {"x": 0}, THREAD, durability="sync")
