"""What an adapter to an agent framework needs beyond the calls of ``Workspace`` (docs/adapters.md).

An adapter tells a workspace in which task of its framework a call is made (``Workspace.add_scope_provider``, with a
``TaskScope``), and carries out what the framework asks for by the calls of ``Workspace`` that work in the scope in
force: ``read_current``, ``documents_current``, ``put``, ``put_all``, ``remove``. Here is what it needs beside that:

- to tell of agents and tasks: ``TaskScope``, ``AgentRun``, ``Instant``, ``agent_in_force``; before a coroutine's task
  takes the instant of its beginning ``await look()``, where ``are_looks_wanted()``, asks databases off the event loop;
- for agents' tools: ``Toolkit``, and ``show``, ``note_read``, ``amend``, ``withdraw``, ``put_said``, by which a call is
  judged by what its agent was shown;
- of models: ``fields_of``, ``empty_model``, ``compile_schema``, ``part_of``, ``form_within``, ``Field``, ``Kind``;
- for a view of documents in another store: ``last_commit``, ``has_reached``, ``cursor_at``, ``later_of``, ``age_of``,
  ``has_existed``; in an editor, what changed between two texts or lists: ``unit_hunks``, ``letter_hunks``,
  ``list_hunks``, ``Hunk``, and ``edit_as_seen`` for what was changed there, ``committed_since`` for what was taken of
  it, ``may_write`` for who may;
- to ask people in the forms of other tools: ``forms``, ``FormName``;
- for what a document is known by: ``Address``;
- of errors and threads: ``Fault``, ``told``, ``free_in_child``; of filters: ``Condition``, ``number``.

Nothing here goes away or changes its meaning within a major version. Every call may wait for a database; a coroutine
makes it by ``await workspace.acall(call, workspace, ...)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from concordant import forms
from concordant.errors import ConcordantError, Fault, NotAllowedError, told
from concordant.forms import FormName
from concordant.merge.kinds import Field, Kind
from concordant.merge.record.leases import KEEP
from concordant.merge.sequence.alike import letter_hunks
from concordant.merge.sequence.diff import Hunk, list_hunks
from concordant.merge.sequence.units import unit_hunks
from concordant.schema import compile_schema, form_within, part_of
from concordant.storage import Address, Condition, Instant
from concordant.storage.clocks import are_looks_wanted, look
from concordant.storage.conditions import number
from concordant.storage.cut import Cut, cut_of, is_cut, is_within, joined
from concordant.storage.forking import free_in_child
from concordant.tooling import Answer, Tool, Toolkit
from concordant.workspace import Agent, Document, HistoryEntry, Receipt, TaskScope, Workspace
from concordant.workspace.amending import Amended, Changes, Company, Part
from concordant.workspace.permission import check_writer
from concordant.workspace.scope import AgentRun, Ownership, Relation

__all__ = [
    "Address",
    "AgentRun",
    "Amended",
    "Answer",
    "Changes",
    "Company",
    "Condition",
    "Fault",
    "Field",
    "FormName",
    "Hunk",
    "Instant",
    "Kind",
    "Ownership",
    "Part",
    "Relation",
    "TaskScope",
    "Tool",
    "Toolkit",
    "age_of",
    "agent_in_force",
    "amend",
    "are_looks_wanted",
    "committed_since",
    "compile_schema",
    "cursor_at",
    "edit_as_seen",
    "empty_model",
    "fields_of",
    "form_within",
    "forms",
    "free_in_child",
    "has_existed",
    "has_reached",
    "last_commit",
    "later_of",
    "letter_hunks",
    "list_hunks",
    "look",
    "may_write",
    "note_read",
    "number",
    "part_of",
    "put_said",
    "show",
    "told",
    "unit_hunks",
    "withdraw",
]

# -- agents and tasks -------------------------------------------------------------------------------------------------


def agent_in_force(workspace: Workspace) -> Agent | None:
    """Returns the handle of the agent whose task calls, or whose name is in force; ``None`` without either.

    It continues that scope: what it reads the task has read.

    >>> ws = Workspace()
    >>> agent_in_force(ws) is None
    True
    >>> with ws.acting_as("ada"):
    ...     agent_in_force(ws).name
    'ada'
    """
    scope = workspace.core.scoping.current()
    if scope is None:
        return None
    return Agent(workspace.core, workspace.reading, workspace.writing, scope.agent, scope)


# -- tools ------------------------------------------------------------------------------------------------------------


def show(
    workspace: Workspace,
    namespace: tuple[str, ...],
    key: str,
    part_of: Callable[[Document], Part | None] = lambda _: None,
) -> Document | None:
    """Reads a document to show it to the agent that calls: its later calls are judged by that.

    Args:
        part_of: tells which part of it is shown (``Part``), ``None`` for all of it. A part shows nothing anew of what
            the agent knows already, until parts of one version make up the whole.

    Returns:
        The document; ``None`` if there is none.
    """
    return workspace.amending.show(namespace, key, part_of)


def note_read(workspace: Workspace, namespace: tuple[str, ...], key: str) -> None:
    """Notes that the call under way shows its agent what its task has read of a document last."""
    workspace.amending.note_read(namespace, key)


def amend(
    workspace: Workspace,
    namespace: tuple[str, ...],
    key: str,
    plan: Callable[[Mapping[str, Any]], Changes],
    *,
    rewrites: bool = False,
) -> Amended:
    """Changes a document as a tool call says, in one transaction, judged by what its agent was shown.

    Args:
        plan: given the values as far as the agent was shown them, returns what to add and what to change
            (``Changes``); what it raises ends the call before anything is written.
        rewrites: whether that says what all of the document is to be: then nothing counts as seen that the agent was
            not shown.

    Returns:
        Which fields were changed, what others had written there unseen, and the document after it.

    Raises:
        InvalidWriteError: a value does not fit the model, or the namespace has none; nothing was written.

    >>> from typing import Annotated
    >>> from pydantic import create_model
    >>> from concordant.merge.kinds import Set
    >>> ws = Workspace(schemas={("plans",): create_model("Plan", tags=(Annotated[list[str], Set()], []))})
    >>> done = amend(ws, ("plans",), "launch", lambda seen: Changes({"tags": ["draft"]}, {}, {}))
    >>> done.fields, done.document.value
    (('tags',), {'tags': ['draft']})
    """
    return workspace.amending.amend(namespace, key, plan, rewrites=rewrites)


def withdraw(workspace: Workspace, places: Sequence[tuple[tuple[str, ...], str]]) -> None:
    """Deletes documents as far as the agent that calls was shown them: all of them or none."""
    workspace.amending.withdraw(places)


def put_said(
    workspace: Workspace,
    namespace: tuple[str, ...],
    key: str,
    value: Mapping[str, Any],
    says: Callable[[Any], bool],
    *,
    settings: Mapping[str, Any] | None = None,
    ttl: float | None = KEEP,
) -> None:
    """Puts a value (``Workspace.put``) from inside a tool call, whose code may have read the document for that.

    A model said its words before the call began: fields that are its words are judged by what it was shown, the others
    by what the tool's code has read.

    Args:
        says: tells whether a value is one that the model gave.
        settings, ttl: as for ``Workspace.put``.
    """
    workspace.amending.put_said(namespace, key, value, says, settings, ttl)


_ANYWHERE: Mapping[tuple[str, ...], Sequence[Hunk]] = {}

# -- editors ----------------------------------------------------------------------------------------------------------


def edit_as_seen(
    workspace: Workspace,
    namespace: tuple[str, ...],
    key: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    agent: str,
    origin: str,
    upto: int,
    own: Set[str] = frozenset(),
    once: tuple[str, int] | None = None,
    places: Mapping[tuple[str, ...], Sequence[Hunk]] = _ANYWHERE,
) -> Receipt:
    """Changes a document from what its writer had before them to what they made of it.

    For a replica, such as an editor's, that shows its writer's own changes before they are committed: it may show what
    no version of the document did. Where it does, the difference counts.

    Args:
        before: the JSON values of fields as the writer saw them.
        after: the same when they were done; fields left out, or equal, are untouched.
        agent: who writes.
        origin: identifies the change, in the history too.
        upto: the version up to which the writer had seen all there was.
        own: the origins of what else the writer had seen: earlier changes of the same replica.
        once: what the origins of the replica's changes begin with, and the version up to which you know of them
            (``committed_since``): it may have given the same change to another process.
        places: of texts and lists, by path, what was done there: in order each part that was changed, by its start and
            end in ``before`` (characters or items), with what stands there in ``after``. Without it the difference
            tells, and of equal lines beside each other it may take the other one.

    Returns:
        The document's version, and the questions that the change has a part in.

    Raises:
        InvalidWriteError: it does not fit the model, or the namespace has none; nothing was applied.
        StaleWriteError: since the version of ``once`` the replica may have committed more; nothing was applied.
        ConcordantError: ``places`` does not make ``after`` out of ``before``; nothing was applied.

    >>> from typing import Annotated
    >>> from pydantic import create_model
    >>> from concordant.merge.kinds import Text
    >>> ws = Workspace(schemas={("pages",): create_model("Page", body=(Annotated[str, Text()], ""))})
    >>> first = ws.agent("ada").write(("pages",), "home", {"body": "One."}).version
    >>> _ = ws.agent("bob").write(("pages",), "home", {"body": "Two."})
    >>> page = ("pages",), "home"
    >>> _ = edit_as_seen(ws, *page, {"body": "One."}, {"body": "One!"}, agent="maria", origin="tab/1/1", upto=first)
    >>> ws.get(*page).value["body"]
    'One!\\nTwo.'
    """
    return workspace.writing.edit_as_seen(namespace, key, before, after, agent, origin, upto, own, once, places)


def committed_since(
    workspace: Workspace, namespace: tuple[str, ...], key: str, version: int
) -> tuple[int, Sequence[HistoryEntry]]:
    """Returns what was committed to a document after a version, oldest first, and up to which version that is all.

    >>> ws = Workspace()
    >>> first = ws.agent("ada").write(("pages",), "home", {"body": "One."}).version
    >>> second = ws.agent("bob").write(("pages",), "home", {"body": "Two."}).version
    >>> upto, entries = committed_since(ws, ("pages",), "home", first)
    >>> upto == second, [entry.agent for entry in entries]
    (True, ['bob'])
    """
    return workspace.reading.committed_since(namespace, key, version)


def may_write(workspace: Workspace, namespace: tuple[str, ...], key: str, agent: str) -> bool:
    """Tells whether somebody may write to a document, as far as its namespace says who may (docs/permissions.md).

    >>> may_write(Workspace(), ("plans",), "europe", "ada")
    True
    """
    try:
        check_writer(workspace.registry.find(namespace), namespace, key, agent)
    except NotAllowedError:
        return False
    return True


# -- models -----------------------------------------------------------------------------------------------------------


def fields_of(workspace: Workspace, namespace: tuple[str, ...]) -> frozenset[str] | None:
    """Returns the names of the fields of a namespace's model; ``None`` where it has none.

    >>> fields_of(Workspace(), ("plans",)) is None
    True
    """
    schema = workspace.registry.find(namespace)
    return frozenset(schema.root.fields) if schema.declared else None


def empty_model(workspace: Workspace, namespace: tuple[str, ...]) -> Any:
    """Returns an instance of a namespace's model to which nobody has written anything.

    Raises:
        ConcordantError: the namespace has no model.
    """
    schema = workspace.registry.find(namespace)
    if not schema.declared:
        raise ConcordantError(f"The namespace {'/'.join(namespace)} has no model. Declare one: Workspace(schemas=...)")
    return schema.build({})


# -- views ------------------------------------------------------------------------------------------------------------


def last_commit(workspace: Workspace) -> tuple[str, Cut]:
    """Returns the name of the workspace's store in dots, and how far it has come: the cursor of ``changes``.

    >>> last_commit(Workspace(replica="office"))
    ('office', 0)
    """
    knowledge = workspace.storage.knowledge()
    return knowledge.replica, knowledge.cut


def has_reached(workspace: Workspace, cursor: Any) -> bool:
    """Tells whether the workspace's store has come to a cursor of ``changes``, which may have been kept as JSON.

    >>> has_reached(Workspace(), 0), has_reached(Workspace(), 1), has_reached(Workspace(), "gone")
    (True, False, False)
    """
    found = tuple(cursor) if isinstance(cursor, list) else cursor
    return is_cut(found, workspace.storage.clocks) and is_within(found, last_commit(workspace)[1])


def cursor_at(workspace: Workspace, version: int) -> Cut:
    """Returns the cursor of ``changes`` that has a document's version behind it, and whatever is known to be older.

    >>> cursor_at(Workspace(), 7)
    7
    """
    clocks = workspace.storage.clocks
    return cut_of([version if clock == version % clocks else 0 for clock in range(clocks)])


def later_of(one: Cut | None, other: Cut | None) -> Cut | None:
    """Returns the cursor of ``changes`` that has behind it what either of two has; ``None`` has nothing.

    >>> later_of(7, None), later_of(7, 9)
    (7, 9)
    """
    return joined(one, other) if one is not None and other is not None else one if other is None else other


def age_of(workspace: Workspace, document: Document) -> float:
    """Returns for how many seconds, by the store's clock, a document has been as it is."""
    return workspace.storage.time() - document.updated_at.timestamp()


def has_existed(workspace: Workspace, namespace: tuple[str, ...], key: str) -> bool:
    """Tells whether the store knows anything of a document, be it that it was deleted.

    >>> has_existed(Workspace(), ("plans",), "launch")
    False
    """
    return workspace.storage.load(namespace, key) is not None
