"""``SharedState``: one document that the agents of several crews read and write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel

from concordant import Agent, Credit, Document, Escalation, Moment, Receipt, Schema, Workspace
from concordant.spi import Toolkit, agent_in_force, empty_model
from concordant_crewai.provider import connect

__all__ = ["SharedState"]

Model = TypeVar("Model", bound=BaseModel)


class SharedState(Generic[Model]):
    """State that agents share: what they write at once is merged as the model declares, or escalated.

    Whoever is at work is told by CrewAI's own events: the agent's role is the writer, its task is the unit of work, and
    has seen what was there when it began and what it has read since. Elsewhere (a callback, a thread that a tool
    started, code outside a crew) ``acting_as(name)`` says who writes.

    Args:
        model: the state model, each field with its kind; or ``concordant.Schema(Model, ...)``.
        workspace: where the state is kept: a workspace, its URL, or (``None``) this process's memory. States of one
            workspace, namespace and key are one and the same, in all crews, processes and machines that share it.
        namespace: by default one that is named for the model.
        key: the document's key.

    Raises:
        SchemaError: lists every fault of the model; or the namespace has another model already.
    """

    def __init__(
        self,
        model: type[Model] | Schema,
        *,
        workspace: Workspace | str | None = None,
        namespace: tuple[str, ...] | None = None,
        key: str = "state",
    ) -> None:
        schema = model if isinstance(model, Schema) else Schema(model)
        self.workspace = workspace if isinstance(workspace, Workspace) else Workspace(workspace)
        self.namespace = namespace if namespace is not None else ("shared", schema.model.__name__)
        self.key = key
        self.workspace.declare({self.namespace: schema})
        connect(self.workspace)
        self._schema = schema

    # -- reading and writing ---------------------------------------------------------------------------------------

    @property
    def document(self) -> Document | None:
        """The document as it is now, ``None`` if nothing was written; the caller's unit of work has read it."""
        return self.workspace.read_current(self.namespace, self.key)

    @property
    def value(self) -> dict[str, Any]:
        """The merged JSON values of the fields that were written."""
        document = self.document
        return document.value if document is not None else {}

    @property
    def model(self) -> Model:
        """The value as an instance of the state model, defaults included."""
        document = self.document
        if document is None:
            return cast(Model, empty_model(self.workspace, self.namespace))
        return cast(Model, document.model)

    def write(self, value: dict[str, Any] | Model) -> Receipt:
        """Contributes: sets add, texts and lists append, counters sum, scalars replace what the writer has seen.

        Raises:
            InvalidWriteError: nothing was applied; the error lists each fault.
        """
        return self._agent().write(self.namespace, self.key, value)

    @contextmanager
    def edit(self) -> Iterator[Model]:
        """Gives an instance of the model and writes what the block changed in it; nothing if the block raises."""
        with self._agent().edit(self.namespace, self.key) as draft:
            yield draft

    def acting_as(
        self, name: str, *, seen: str | Iterable[str] | None = None, began: Moment | None = None
    ) -> AbstractContextManager[None]:
        """Names the writer of all calls inside the ``with``, where CrewAI's events name none or another.

        Args:
            seen: the token of what it has seen (``document.token``), or several.
            began: when it began (``workspace.moment()``).
        """
        return self.workspace.acting_as(name, seen=seen, began=began)

    def tools(self, *, name: str | None = None, resolve: bool = True) -> list[Any]:
        """Tools for agents: read, update, list conflicts, resolve one.

        Their arguments come from the model, kind by kind; a call says by itself what it adds and what it takes away.
        The answer tells the agent what was merged with whom, what is in conflict with whom and how to settle it; wrong
        arguments are answered with how to mend the call. What a call has shown an agent counts as read in its later
        calls of the same task. Any number of agents and threads may use them at once.

        Args:
            name: what the state is called in the tools' names and answers; by default the model's name in small
                letters.
            resolve: whether agents may settle what is in conflict; ``False`` leaves ``resolve_<name>_conflict`` out.

        Returns:
            CrewAI tools: ``read_<name>``, ``update_<name>``, ``list_<name>_conflicts``, ``resolve_<name>_conflict``.

        Raises:
            SchemaError: a type in the model cannot be described to an agent.
        """
        from concordant_crewai.tools import RESERVED, StateTool  # loads CrewAI

        kit = Toolkit(self._schema.model, key=self.key, name=name, reserved=RESERVED, resolve=resolve)
        return [StateTool(tool, self.workspace, self.namespace) for tool in kit]

    # -- escalations, and who wrote what ---------------------------------------------------------------------------

    def escalations(self, *, state: str = "open") -> list[Escalation]:
        """Returns the escalations of this state (``Workspace.escalations``)."""
        return [e for e in self.workspace.escalations(self.namespace, state=state) if e.key == self.key]

    def resolve(
        self, escalation: Escalation | str, value: Any, *, by: str, version: str | None = None, why: str | None = None
    ) -> Receipt:
        """Decides an escalation: ``value`` takes the place of all contenders.

        Args:
            escalation: it, or its id together with ``version``.
            why: the reason, which is kept on record.

        Raises:
            StaleDecisionError: the contenders changed since, or it is no longer open.
            InvalidWriteError: the value does not fit the field.
        """
        return self.workspace.resolve(escalation, value, by=by, version=version, why=why)

    def blame(self) -> dict[tuple[str, ...], tuple[Credit, ...]]:
        """Tells who stands for each live value, by path (``Workspace.blame``)."""
        return self.workspace.blame(self.namespace, self.key)

    def _agent(self) -> Agent:
        """The writer: the task's agent, the name in force, or nobody in particular, who begins now."""
        return agent_in_force(self.workspace) or self.workspace.agent("anonymous")

    def __repr__(self) -> str:
        return f"SharedState({self._schema.model.__name__}, {'/'.join(self.namespace)}:{self.key})"
