"""The commands, one file for each subject."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from concordant.cli.bench import bench
from concordant.cli.deciding import ask, claim, dismiss, reopen, resolve
from concordant.cli.desk import desk
from concordant.cli.documents import blame, diff, get, history, log, put
from concordant.cli.inbox import inbox, show
from concordant.cli.maintaining import check, rename, vacuum
from concordant.cli.moving import export, import_, sync
from concordant.cli.notify import notify
from concordant.cli.stats import stats
from concordant.cli.tail import tail
from concordant.cli.undo import undo

__all__ = ["app"]

app = typer.Typer(
    name="concordant",
    help="State shared by agents: decide what they disagree about, look into a store, bring two stores together.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"concordant {version('concordant')}")
        raise typer.Exit


@app.callback()
def main(
    wanted: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """State shared by agents: decide what they disagree about, look into a store, bring two stores together."""


QUESTIONS, DOCUMENTS, STORES = "Questions", "Documents", "Stores"
for panel, commands in (
    (QUESTIONS, (desk, inbox, show, resolve, dismiss, claim, reopen, ask, tail, notify)),
    (DOCUMENTS, (get, put, blame, history, diff, log, undo)),
    (STORES, (stats, check, vacuum, export, import_, sync, rename, bench)),
):
    for command in commands:
        app.command(command.__name__.rstrip("_"), rich_help_panel=panel)(command)
