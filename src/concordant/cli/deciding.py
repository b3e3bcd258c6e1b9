"""``concordant resolve``, ``dismiss``, ``claim``, ``reopen`` and ``ask``: answers to questions, from a command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from concordant.cli.handles import ID, PLACE, found, is_pinned
from concordant.cli.showing import console, say_question
from concordant.cli.stores import AS_JSON, BY, BY_DEFAULT, SCHEMAS, STORE, opened, say, say_json
from concordant.desk.wording import parsed, place, placed, told_path, told_value
from concordant.errors import ConcordantError, told
from concordant.escalation import DELETED, Escalation
from concordant.workspace import Receipt

__all__ = ["ask", "claim", "dismiss", "reopen", "resolve"]

WHY = Annotated[str | None, typer.Option(help="Why: it is kept on record with the decision.")]

MEND = "say which one you looked at: ID@VERSION, as `inbox` and `show` print it"


def resolve(
    store: STORE,
    id: ID,
    take: Annotated[
        str | None, typer.Option(help="A side: its number in `show`, or the name of an agent whose side it is.")
    ] = None,
    value: Annotated[str | None, typer.Option(help="Another value, as JSON.")] = None,
    text: Annotated[str | None, typer.Option(help="Another value, as a text.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Another value, from a file: a text as it is, else JSON.", exists=True, dir_okay=False),
    ] = None,
    suggestion: Annotated[
        bool, typer.Option("--suggestion", help="All changes merged by words (`show` has it).")
    ] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Decide for the deletion.")] = False,
    why: WHY = None,
    by: BY = BY_DEFAULT,
    schemas: SCHEMAS = None,
    as_json: AS_JSON = False,
) -> None:
    """Decide a question. Without a choice a terminal asks. Refused if its sides have changed since they were shown."""
    given = [choice for choice in (take, value, text, file) if choice is not None] + [True] * (suggestion + delete)
    if len(given) > 1:
        raise typer.BadParameter("give one of --take, --value, --text, --file, --suggestion and --delete")
    with opened(store, schemas) as workspace:
        question = found(workspace, id)
        if not given:
            decided = _asked(question)
        elif delete:
            decided = DELETED
        elif file is not None:
            decided = _read(question, file)
        else:
            decided = _chosen(question, take, value, text)
        if not is_pinned(id) and given:
            _confirm(question, f"Decide for {told_value(decided, 200)}?")
        receipt = workspace.resolve(question, decided, by=by, why=why)
    _tell(question, receipt, f"is now {told_value(decided, 200)}", as_json)


def dismiss(
    store: STORE, id: ID, why: WHY = None, by: BY = BY_DEFAULT, schemas: SCHEMAS = None, as_json: AS_JSON = False
) -> None:
    """Decide against all sides: what was agreed before stands."""
    with opened(store, schemas) as workspace:
        question = found(workspace, id)
        kept = told_value(question.base, 200) if question.has_base else "nothing"
        if not is_pinned(id):
            _confirm(question, f"Dismiss all sides, and keep {kept}?")
        receipt = workspace.dismiss(question, by=by, why=why)
    _tell(question, receipt, f"keeps {kept}", as_json)


def claim(store: STORE, id: ID, by: BY = BY_DEFAULT, schemas: SCHEMAS = None, as_json: AS_JSON = False) -> None:
    """Tell others that you are working on a question; it stays open."""
    with opened(store, schemas) as workspace:
        question = found(workspace, id)
        claimed = workspace.claim(question.id, by=by, version=question.version)
    if as_json:
        say_json(claimed.to_dict())
        return
    say(f"{place(claimed.namespace, claimed.key)} {told_path(claimed.path)}: claimed by {claimed.by}")


def reopen(store: STORE, id: ID, by: BY = BY_DEFAULT, schemas: SCHEMAS = None, as_json: AS_JSON = False) -> None:
    """Ask a settled question again, with all its sides: what was agreed before stands meanwhile."""
    with opened(store, schemas) as workspace:
        question = workspace.reopen(found(workspace, id, ever=True), by=by)
    _tell_open(question, as_json)


def ask(
    store: STORE,
    doc: PLACE,
    path: Annotated[
        list[str] | None, typer.Argument(help="What a policy settled there: a field, and a key in it.")
    ] = None,
    by: BY = BY_DEFAULT,
    schemas: SCHEMAS = None,
    as_json: AS_JSON = False,
) -> None:
    """Ask people what a declared policy settles by itself, with all its sides."""
    with opened(store, schemas) as workspace:
        question = workspace.ask(*placed(doc), tuple(path or ()), by=by)
    _tell_open(question, as_json)


def _tell_open(question: Escalation, as_json: bool) -> None:
    if as_json:
        say_json(question.to_dict())
        return
    say_question(console(), question, 20, full=False)


def _chosen(question: Escalation, take: str | None, value: str | None, text: str | None) -> Any:
    if take is not None:
        return _side(question, take)
    if text is not None:
        return text
    if value is not None:
        try:
            return parsed(value)
        except ValueError as error:
            raise ConcordantError(f"--value {told(value)} is no JSON ({error}); for a text use --text") from error
    if question.suggestion is None:
        raise ConcordantError("there is no suggestion: two sides change the same words, or this is no text")
    return question.suggestion


def _read(question: Escalation, file: Path) -> Any:
    """The value in a file."""
    said = [one.value for one in question.contenders if one.value is not DELETED]
    try:
        text = file.read_bytes().decode()
        is_text = all(isinstance(value, str) for value in [*said, *([question.base] if question.has_base else [])])
        return text if is_text else parsed(text)
    except (OSError, ValueError) as error:
        raise ConcordantError(f"--file {told(str(file))} cannot be read as its value: {error}") from error


def _side(question: Escalation, take: str) -> Any:
    contenders = question.contenders
    if take.isdecimal() and 1 <= int(take) <= len(contenders):
        return contenders[int(take) - 1].value
    mine = [contender for contender in contenders if take in contender.agents]
    if len(mine) != 1:
        agents = ", ".join(" and ".join(contender.agents) for contender in contenders)
        how = "several sides are" if mine else "no side is"
        raise ConcordantError(f"{how} {told(take)}'s: give a number from 1 to {len(contenders)}, or one of {agents}")
    return mine[0].value


def _asked(question: Escalation) -> Any:
    """What somebody at a terminal chooses among the sides."""
    if not sys.stdin.isatty():
        raise ConcordantError("say what to decide: --take, --value, --text, --file, --suggestion or --delete")
    out = console(err=True)
    say_question(out, question, 20, full=True)
    suggested = ", s" if question.suggestion is not None else ""
    answer = typer.prompt(f"Take which? 1 to {len(question.contenders)}{suggested}", err=True)
    return question.suggestion if answer == "s" and suggested else _side(question, answer)


def _confirm(question: Escalation, what: str) -> None:
    """Shows the question to somebody at a terminal who did not say which version was looked at."""
    if not sys.stdin.isatty():
        raise ConcordantError(f"a decision holds for the sides that were looked at: {MEND}")
    say_question(console(err=True), question, 20, full=True)
    typer.confirm(what, abort=True, err=True)


def _tell(question: Escalation, receipt: Receipt, what: str, as_json: bool) -> None:
    if as_json:
        say_json(receipt.to_dict())
        return
    say(f"{place(question.namespace, question.key)} {told_path(question.path)} {what}")
