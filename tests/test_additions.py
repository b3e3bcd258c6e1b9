"""Whoever adds a limit, error, policy, option, column or command is told here what else it needs to be found."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel
from typer.main import get_command

import concordant
from concordant import (
    Limits,
    PostgresOptions,
    Scalar,
    Schema,
    SchemaError,
    SqliteOptions,
    TaskScope,
    Workspace,
    errors,
    judges,
)
from concordant.cli.app import app
from concordant.merge.causality import Stamp
from concordant.merge.kinds import POLICIES
from concordant.storage import Row

ROOT = Path(__file__).parent.parent
INSIDE = {"ForgottenError", "MisshapenError"}  # raised to ourselves
COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]
NS, KEY = ("briefs",), "launch"


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None


def raised() -> list[errors.ConcordantError]:
    """One error of each class, with its data."""
    ws = Workspace(schemas={NS: Brief})
    ada, bob = ws.agent("ada"), ws.agent("bob")
    ada.write(NS, KEY, {"status": "draft"})
    bob.write(NS, KEY, {"status": "final"})
    [question] = ws.escalations()
    fault = errors.Fault(("status",), "what came", "What to do", 3)
    return [
        errors.ConcordantError("what was expected, what came, what to do"),
        errors.ContestedError(ws.get(NS, KEY)),
        errors.CorruptFrameError("cut off"),
        errors.DamagedDocumentError(NS, KEY, "a place", "unreadable"),
        errors.ForgottenError(Stamp(1.0, "r", 1, "ada", "", "edit")),
        errors.HistoryExpiredError(NS, KEY, 1),
        errors.InvalidContributionError("counter", "x", "it is no number"),
        errors.InvalidTokenError("t", "it was cut", "Give all of it"),
        errors.InvalidWriteError(NS, KEY, [fault]),
        errors.MisshapenError("no kind"),
        errors.MissingBaseError(NS, KEY),
        errors.NotAllowedError(NS, KEY, "ada", "write", ("bob",)),
        errors.SchemaError("Brief", [fault]),
        errors.StaleDecisionError(question, question),
        errors.StaleReplicaError("one", "it is old", "Make a new one"),
        errors.StaleWriteError(NS, KEY, 1, 2),
        errors.StorageBusyError("a place", "locked", "Wait"),
        errors.StorageError("a place", "full", "Make room"),
        errors.UnknownEscalationError("0"),
    ]


def test_an_error_can_be_imported_and_is_tested() -> None:
    """Each error is in ``concordant.errors.__all__``, is exported by ``concordant``, and has an example above."""
    classes = {name for name, found in vars(errors).items() if inspect.isclass(found) and issubclass(found, Exception)}
    assert classes - {*errors.__all__} == set()
    assert classes - INSIDE - {*concordant.__all__} == set()
    assert classes == {type(error).__name__ for error in raised()}


@pytest.mark.parametrize("error", raised(), ids=lambda error: type(error).__name__)
def test_an_error_reaches_another_process_whole(error: errors.ConcordantError) -> None:
    """An error that is pickled, as by a pool of processes, has its class, message and data there; a copy too."""
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert (type(twin), str(twin), twin.args) == (type(error), str(error), error.args)
        assert repr(vars(twin)) == repr(vars(error))


def test_a_limit_is_on_its_page() -> None:
    """Each field of ``Limits`` has a row in docs/limits.md, which says what happens beyond it."""
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    assert [name for name in Limits.__dataclass_fields__ if f"\n| `{name}` | " not in page] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_on_its_page(command: str) -> None:
    """Each command has a row in docs/operations.md, and answers programs with ``--json`` as the page says."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| .*`{command}`.* \| ", page, re.MULTILINE)
    options = {option for one in get_command(app).commands[command].params for option in one.opts}  # type: ignore[attr-defined]
    assert ("--json" in options) is (command != "desk")


def test_a_policy_is_named_where_its_readers_look() -> None:
    """Each policy is named by the docstrings of what takes it, in the README and in the guide."""
    told = {"Scalar": Scalar.__doc__ or "", "judges.chain": judges.chain.__doc__ or ""}
    told |= {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/guide.md")}
    assert [(where, name) for where, text in told.items() for name in POLICIES if f'"{name}"' not in text] == []


@pytest.mark.parametrize("cls", [Limits, PostgresOptions, Row, Schema, SqliteOptions, TaskScope])
def test_an_option_or_column_is_explained(cls: Any) -> None:
    """The docstring of a class of options, or of columns, says of each what it is."""
    names = getattr(cls, "_fields", None) or cls.__dataclass_fields__
    listed = {name for line in (cls.__doc__ or "").splitlines() for name in line.partition(": ")[0].strip().split(", ")}
    assert [name for name in names if name not in listed] == []


@pytest.mark.parametrize("option", [name for name in Schema.__dataclass_fields__ if name != "model"])
def test_an_option_of_a_namespace_is_checked(option: str) -> None:
    """What an option cannot be is told as a fault of the schema, whatever it is."""
    for wrong in (object(), [3], {3: 3}):
        with pytest.raises(SchemaError, match=option):
            Workspace(schemas={NS: Schema(Brief, **{option: wrong})})


OTHER: dict[str, Any] = {
    "on_delete": "update",
    "on_invalid": "raise",
    "renamed": {"state": "status"},
    "writers": ("ada",),
    "deciders": ("ada",),
}


def test_an_option_tells_declarations_apart() -> None:
    """A namespace that was declared is not declared again with an option that is another, whichever it is."""
    assert {"model", *OTHER} == Schema.__dataclass_fields__.keys()
    for option, value in OTHER.items():
        ws = Workspace(schemas={NS: Schema(Brief, **{option: value})})
        ws.declare({NS: Schema(Brief, **{option: value})})
        with pytest.raises(SchemaError, match="has another schema already"):
            ws.declare({NS: Brief})
