"""Questions and differences on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from concordant.cli.handles import handle
from concordant.cli.stores import plain
from concordant.desk.differences import DiffPart, shortened, words
from concordant.desk.wording import age, place, told_path, told_value
from concordant.escalation import Contender, Escalation

__all__ = ["console", "differences", "say_change", "say_question", "shown", "stamped", "table"]

MOST = 2_000
STYLES = {"added": "green", "removed": "red strike", "left out": "dim"}
MARKS = {"added": ("{+", "+}"), "removed": ("[-", "-]"), "left out": ("[… ", " characters …]")}


def console(*, err: bool = False) -> Console:
    """Returns a console on which what a store holds is text and nothing else."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=False, stderr=err)


def shown(text: object, style: str = "") -> Text:
    """Returns a line from a store, in which a terminal and Rich's markup find nothing to do."""
    return Text(plain(text), style)


def lines(text: str, style: str = "") -> Text:
    """Text from a store whose line breaks are line breaks."""
    return Text("\n".join(map(plain, text.split("\n"))), style)


def stamped(at: datetime) -> str:
    """Returns a time as it is told on a terminal."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def differences(parts: Iterable[DiffPart], *, coloured: bool) -> Text:
    """Tells what differs between two texts: in colours, or between marks where there are none."""
    found = Text()
    for part in parts:
        before, after = MARKS.get(part.sort, ("", "")) if not coloured or part.sort == "left out" else ("", "")
        found.append(before)
        found.append_text(lines(part.text, STYLES.get(part.sort, "")))
        found.append(after)
    return found


def table(*columns: str) -> Table:
    """Returns a table whose cells are wrapped and never cut."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def say_question(out: Console, escalation: Escalation, much: int, *, full: bool = False) -> None:
    """Prints a question: which, where, how old, and who said what.

    Args:
        much: how many letters of the id.
        full: with base, times, origins, what each changed in a text, and the suggestion.
    """
    state = f", claimed by {escalation.by}" if escalation.state == "claimed" else ""
    state = (
        state if escalation.state in ("open", "claimed") else f", {escalation.state} by {escalation.by or 'a write'}"
    )
    first = Text(handle(escalation, much), "bold")
    first.append_text(shown(f"  {place(escalation.namespace, escalation.key)}  {told_path(escalation.path)}", "cyan"))
    first.append_text(shown(f"  ({escalation.reason}{state})  {age(escalation.opened_at)}", "dim"))
    out.print(first)
    for text in _sides(escalation, full=full, coloured=out.is_terminal and not out.no_color):
        out.print(Padding(text, (0, 0, 0, 4), expand=False))


def _sides(escalation: Escalation, *, full: bool, coloured: bool) -> Iterator[Text]:
    if full:
        yield lines("base  ").append_text(_value(escalation.base) if escalation.has_base else shown("(none)", "dim"))
    for number, contender in enumerate(escalation.contenders, 1):
        text = shown(f"{number}  ", "bold").append_text(_value(contender.value))
        text.append_text(shown(f" by {' and '.join(contender.agents)}"))
        if full:
            yield text.append_text(_origin(contender))
            if isinstance(escalation.base, str) and isinstance(contender.value, str):
                parts = shortened(words(escalation.base, contender.value))
                yield Text("   ").append_text(differences(parts, coloured=coloured))
        else:
            yield text
    if escalation.more:
        yield shown(f"and {escalation.more:,} more", "dim")
    if full and escalation.suggestion is not None:
        yield shown("s  ", "bold").append_text(_value(escalation.suggestion)).append(" suggested: all changes by words")
    if full and escalation.state in ("resolved", "dismissed"):
        yield shown("decided: ").append_text(_value(escalation.decision))
    for remark in escalation.remarks if full else ():
        yield shown(f"{remark.by}: {remark.text}", "dim")


def _value(value: object) -> Text:
    text = told_value(value, MOST)
    return lines(text) if not isinstance(value, str) else lines(f"{text!r}" if "\n" not in text else text)


def _origin(contender: Contender) -> Text:
    origin = f", from {contender.origin}" if contender.origin else ""
    return shown(f", {stamped(contender.at)}{origin}", "dim")


def say_change(out: Console, path: tuple[str, ...], before: object, after: object) -> None:
    """Prints what became of one value."""
    coloured = out.is_terminal and not out.no_color
    first = shown(f"{told_path(path)}: ", "cyan")
    if isinstance(before, str) and isinstance(after, str):
        out.print(first.append_text(differences(shortened(words(before, after)), coloured=coloured)))
        return
    parts = [DiffPart("removed", told_value(before, MOST)), DiffPart("added", told_value(after, MOST))]
    out.print(first.append_text(differences(parts, coloured=coloured)))
