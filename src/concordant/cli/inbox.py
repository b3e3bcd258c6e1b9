"""``concordant inbox`` and ``show``: the open questions of a store, and one of them."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, Queue
from typing import Annotated, get_args

import typer

from concordant.cli.handles import ID, OPEN, found, handle, length
from concordant.cli.showing import console, say_question, shown
from concordant.cli.stores import AS_JSON, SCHEMAS, STORE, opened, plain, say, say_json
from concordant.desk.wording import prefix
from concordant.errors import told
from concordant.escalation import Escalation, Reason
from concordant.workspace import Workspace

__all__ = ["inbox", "show"]

NAMESPACE = Annotated[str, typer.Option(help="Only below this namespace, its parts joined by /.")]


def inbox(
    store: STORE,
    namespace: NAMESPACE = "",
    reason: Annotated[str, typer.Option(help=f"Only those for this reason: {', '.join(get_args(Reason))}.")] = "",
    agent: Annotated[str, typer.Option(help="Only those in which this agent has a side.")] = "",
    state: Annotated[str, typer.Option(help="open, claimed, resolved, dismissed, superseded, agreed or all.")] = "open",
    watch: Annotated[bool, typer.Option(help="Go on, and list them anew whenever one changes.")] = False,
    schemas: SCHEMAS = None,
    as_json: AS_JSON = False,
) -> None:
    """List what waits for a decision: id, place, age, and who said what."""
    if reason and reason not in get_args(Reason):
        raise typer.BadParameter(f"unknown reason {told(reason)}: use one of {', '.join(get_args(Reason))}")

    def listed(workspace: Workspace) -> list[Escalation]:
        found = [
            escalation
            for escalation in workspace.escalations(prefix(namespace), state=state)
            if (not reason or escalation.reason == reason)
            and (not agent or any(agent in contender.agents for contender in escalation.contenders))
        ]
        return sorted(found, key=lambda escalation: escalation.opened_at)

    with opened(store, schemas) as workspace:
        if not watch:
            _print(listed(workspace), as_json)
            return
        _follow(workspace, lambda: _print(listed(workspace), as_json, again=True))


def _print(escalations: list[Escalation], as_json: bool, *, again: bool = False) -> None:
    if as_json:
        say_json([escalation.to_dict() for escalation in escalations], lines=again)
        return
    out = console()
    if again and out.is_terminal:
        out.clear()
    if not escalations:
        say("Nothing waits for a decision.")
    much = length(escalations)
    for escalation in escalations:
        say_question(out, escalation, much)
    if again:
        out.print(shown(f"-- {len(escalations)} --", "dim"))


def _follow(workspace: Workspace, act: Callable[[], None]) -> None:
    """Does something now, and again after each transition, until it is interrupted."""
    news: Queue[object] = Queue()
    stop = workspace.on_escalation(news.put)
    try:
        while True:
            act()
            news.get()
            while _has_more(news):
                pass
    except KeyboardInterrupt:
        pass
    finally:
        stop()


def _has_more(news: Queue[object]) -> bool:
    try:
        news.get(timeout=0.05)
    except Empty:
        return False
    return True


def show(store: STORE, id: ID, schemas: SCHEMAS = None, as_json: AS_JSON = False) -> None:
    """Show one question: what was agreed before, each side with names and times, and what each changed."""
    with opened(store, schemas) as workspace:
        question = found(workspace, id, ever=True)
    if as_json:
        say_json(question.to_dict())
        return
    out = console()
    say_question(out, question, 20, full=True)
    if question.state in OPEN:
        command = f"concordant resolve {store} {handle(question)} --take 1"
        out.print(shown(plain(f"Decide, for example: {command}"), "dim"), soft_wrap=True)
