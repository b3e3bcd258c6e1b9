"""How a command line names a question: by the beginning of its id, and of the version that was looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Annotated

import typer

from concordant.cli.stores import opened
from concordant.errors import ConcordantError, StaleDecisionError, told
from concordant.escalation import Escalation
from concordant.workspace import Workspace

__all__ = ["ID", "PLACE", "found", "handle", "is_pinned", "length"]

SHORTEST = 7
OPEN = ("open", "claimed")


def _ids(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """What a shell completes an id to."""
    try:
        with opened(str(context.params.get("store") or "")) as workspace:
            waiting = workspace.escalations()
        much = length(waiting)
        return [(handle(e, much), str(e)[:80]) for e in waiting if handle(e, much).startswith(incomplete)]
    except BaseException:  # a shell that completes shows no errors
        return []


ID = Annotated[
    str,
    typer.Argument(
        help="Which question: ID, or ID@VERSION as `inbox` prints it. The first letters are enough.",
        autocompletion=_ids,
        show_default=False,
    ),
]
PLACE = Annotated[
    str,
    typer.Argument(
        metavar="NAMESPACE:KEY",
        help="Which document, such as briefs/2026:launch. A /, : or % in a name is written as in a URL (%2F).",
        show_default=False,
    ),
]


def length(escalations: Collection[Escalation]) -> int:
    """Tells how many letters of their ids tell these questions apart."""
    much = SHORTEST
    while much < 20 and len({escalation.id[:much] for escalation in escalations}) < len(escalations):
        much += 1
    return much


def handle(escalation: Escalation, much: int = SHORTEST) -> str:
    """Writes the name of a question as somebody sees it now."""
    return f"{escalation.id[:much]}@{escalation.version[:6]}"


def is_pinned(name: str) -> bool:
    """Tells whether a name says which version was looked at."""
    return "@" in name


def found(workspace: Workspace, name: str, *, ever: bool = False) -> Escalation:
    """Finds the question that a name is of.

    Args:
        ever: whether a closed one is meant too.

    Returns:
        It, as it is now.

    Raises:
        StaleDecisionError: it has other contenders than the version that the name says, or is closed by now.
        ConcordantError: there is none, or there are several.
    """
    id_, _, version = name.partition("@")
    waiting = workspace.escalations()
    matching = _matching(id_, waiting) or _matching(id_, workspace.escalations(state="all"))
    if not matching:
        raise ConcordantError(
            f"there is no question {told(name)}: `concordant inbox --state all` lists those there are"
        )
    if len(matching) > 1:
        names = ", ".join(escalation.id for escalation in matching[:10])
        raise ConcordantError(f"{told(id_)} is the beginning of several ids: {names}")
    [question] = matching
    if version and not question.version.startswith(version):
        raise StaleDecisionError(replace(question, version=version), question)
    if question.state not in OPEN and not ever:
        raise StaleDecisionError(question, question)
    return question


def _matching(id_: str, escalations: Iterable[Escalation]) -> list[Escalation]:
    return [escalation for escalation in escalations if id_ and escalation.id.startswith(id_)]
