"""From a conflict to a value that can be worked with: how long that takes under each policy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Annotated, Any

from pydantic import create_model

from benchmarks.measure import Row
from benchmarks.subjects import Sizes
from concordant import Escalation, Event, Scalar, Workspace

__all__ = ["GROUP", "MODEL_CALL", "rows"]

GROUP = "time to a usable value"
NS = ("plans",)
MODEL_CALL = 0.05
"""For how many seconds an agent thinks, here and in the strategies that make it think again."""


def rows(sizes: Sizes) -> Iterator[Row]:
    """The median over some conflicts, from the end of the write that made each."""
    count = max(2, sizes.rounds // 3)
    policies: list[tuple[str, Scalar, Callable[[Workspace], Any] | None]] = [
        ("nothing declared beyond the kind: the last agreed value", Scalar(), None),
        ('provisional="latest": the newest contender', Scalar(provisional="latest"), None),
        ('resolve="max": settled by policy', Scalar(resolve="max"), None),
        ("resolve=function: settled in the write", Scalar(resolve=lambda e: e.contenders[0].value), None),
        ("resolve=function that asks a model", Scalar(resolve=_ask_a_model), None),
        ("on_escalation: another agent decides, with a model call", Scalar(), _deciding),
    ]
    for name, scalar, watch in policies:
        yield Row(GROUP, f"Concordant, {name}", _usable(scalar, watch, count), unit="ms")
    yield Row(GROUP, "compare and retry: the second writer thinks again", _thinking_again(count), unit="ms")
    yield Row(GROUP, "locks: the second writer waits for the first, then thinks", _waiting(count), unit="ms")


def _usable(scalar: Scalar, watch: Callable[[Workspace], Any] | None, count: int) -> float:
    """Milliseconds until a read gives a value, and, if somebody decides, until the decision is in it."""
    model = create_model("Plan", status=(Annotated[str | None, scalar], None))
    spent = []
    with Workspace(schemas={NS: model}) as workspace:
        decided = watch(workspace) if watch is not None else None
        for number in range(count):
            key = f"plan {number}"
            workspace.agent("clerk").write(NS, key, {"status": "new"})
            began = workspace.moment()
            one, other = (workspace.agent(name, began=began) for name in ("ada", "bob"))
            one.write(NS, key, {"status": "draft"})
            begun = time.perf_counter()
            other.write(NS, key, {"status": "final"})
            if decided is not None:
                assert decided.acquire(timeout=30)
            document = workspace.get(NS, key)
            spent.append(time.perf_counter() - begun)
            assert document is not None and document.value["status"] in ("new", "draft", "final")
    return 1000 * median(spent)


def _ask_a_model(escalation: Escalation) -> Any:
    time.sleep(MODEL_CALL)
    return escalation.contenders[-1].value


def _deciding(workspace: Workspace) -> threading.Semaphore:
    """Another agent, in a thread of its own, decides what it hears of."""
    decided = threading.Semaphore(0)

    def decide(escalation: Escalation) -> None:
        time.sleep(MODEL_CALL)
        workspace.resolve(escalation, escalation.contenders[-1].value, by="editor")
        decided.release()

    def heard(event: Event) -> None:
        if event.kind == "opened":
            threading.Thread(target=decide, args=(event.escalation,)).start()

    workspace.on_escalation(heard)
    return decided


def _thinking_again(count: int) -> float:
    """The write is refused; its agent reads, thinks and writes again."""
    spent = []
    for _ in range(count):
        begun = time.perf_counter()
        time.sleep(MODEL_CALL)
        spent.append(time.perf_counter() - begun)
    return 1000 * median(spent)


def _waiting(count: int) -> float:
    """The second writer, ready at the same time, has to wait until the first has thought and written."""
    spent = []
    for _ in range(count):
        lock, begun = threading.Lock(), time.perf_counter()

        def work(lock: threading.Lock = lock) -> None:
            with lock:
                time.sleep(MODEL_CALL)

        workers = [threading.Thread(target=work) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        spent.append(time.perf_counter() - begun)
    return 1000 * median(spent)
