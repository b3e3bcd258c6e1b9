"""``concordant tail``: what happens to questions, as it happens."""

from __future__ import annotations

from queue import Queue
from typing import Annotated

import typer

from concordant.cli.handles import handle
from concordant.cli.stores import AS_JSON, SCHEMAS, STORE, opened, say, say_json
from concordant.desk.wording import prefix
from concordant.escalation import Event
from concordant.workspace import Workspace

__all__ = ["tail"]


def tail(
    store: STORE,
    namespace: Annotated[str, typer.Option(help="Only below this namespace, its parts joined by /.")] = "",
    name: Annotated[
        str | None,
        typer.Option(help="Remember under this name how far you came: the next run begins with what was missed."),
    ] = None,
    count: Annotated[int, typer.Option(help="End after so many; 0: never.", min=0)] = 0,
    schemas: SCHEMAS = None,
    as_json: AS_JSON = False,
) -> None:
    """Print each transition of a question when it happens: opened, grew, claimed, resolved, dismissed, ..."""
    below = prefix(namespace)
    with opened(store, schemas) as workspace:
        try:
            _follow(workspace, below, name, count, as_json)
        except KeyboardInterrupt:
            return


def _follow(workspace: Workspace, below: tuple[str, ...], name: str | None, count: int, as_json: bool) -> None:
    told = 0

    def tell(event: Event) -> bool:
        nonlocal told
        if event.escalation.namespace[: len(below)] == below:
            _print(event, as_json)
            told += 1
        return 0 < count <= told

    if name is not None:
        with workspace.subscribe(name) as events:
            while (event := events.receive()) is not None:
                done = tell(event)
                events.acknowledge()
                if done:
                    return
    news: Queue[Event] = Queue()
    stop = workspace.on_escalation(news.put)
    try:
        while not tell(news.get()):
            pass
    finally:
        stop()


def _print(event: Event, as_json: bool) -> None:
    if as_json:
        say_json(event.to_dict(), lines=True)
        return
    by = f" by {event.escalation.by}" if event.escalation.by and event.kind not in ("opened", "grew") else ""
    say(f"{event.kind}{by}: {handle(event.escalation)} {event.escalation}")
