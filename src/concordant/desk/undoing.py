"""The page that takes back what an agent did, after a look at what that would do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from concordant.desk import looks
from concordant.desk.visit import Visit
from concordant.desk.wording import place, prefix
from concordant.workspace import Undone, UndoneDocument

__all__ = ["since_of", "undo", "undo_preview"]

SHOWN = 100
"""How many documents a page shows."""


def undo_preview(visit: Visit) -> Response:
    """Tells what would become of each document; nothing is written."""
    agent = visit.get("agent")
    if not agent:
        return visit.page("undo.html", here="documents", agent="", since="", namespace="", found=None, rows=[])
    return _told(visit, _undone(visit, visit.get, dry_run=True), visit.get)


def undo(visit: Visit) -> Response:
    """Takes it back, and shows what became of it."""
    if not visit.post("agent"):
        raise HTTPException(400, "Say whose contributions are taken back.")
    return _told(visit, _undone(visit, visit.post, dry_run=False), visit.post)


def _undone(visit: Visit, given: Any, *, dry_run: bool) -> Undone:
    return visit.workspace.undo(
        agent=given("agent"),
        since=since_of(given("since")),
        prefix=prefix(given("namespace")),
        by=visit.user,
        dry_run=dry_run,
    )


def since_of(text: str) -> int | datetime | None:
    """Reads a version, or a time (of UTC, where it names no zone)."""
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise HTTPException(400, "Since is a version (17), or a time (2026-05-01T12:00).") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _told(visit: Visit, found: Undone, given: Any) -> Response:
    rows = [_row(document) for document in found.documents[:SHOWN]]
    return visit.page(
        "undo.html",
        here="documents",
        agent=found.agent,
        since=given("since"),
        namespace=given("namespace"),
        found=found,
        rows=rows,
        more=max(len(found.documents) - SHOWN, 0),
        skipped=[(place(one.namespace, one.key), one.reason) for one in found.skipped[:SHOWN]],
    )


def _row(document: UndoneDocument) -> tuple[Any, ...]:
    """A document, its place, what differs, and its questions with their sides."""
    before, after = (dict(value or {}) for value in (document.before, document.after))
    questions = [(one, looks.sides(one, 200)[1]) for one in document.questions]
    return document, place(document.namespace, document.key), looks.differences(before, after), questions
