"""``MergeFlowPersistence``: flow states that keep what every worker on a flow did."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextvars import ContextVar
from typing import Any, Self

from crewai.events.event_bus import crewai_event_bus
from crewai.events.event_context import get_current_parent_id, get_last_event_id
from crewai.flow.async_feedback.types import PendingFeedbackContext
from crewai.flow.persistence.base import FlowPersistence
from pydantic import BaseModel, PrivateAttr

from concordant import ConcordantError, Credit, Escalation, Workspace
from concordant.spi import free_in_child
from concordant_crewai.flow_states import StateClass, Worker, declared_class, kept_class, kept_named, values_of
from concordant_crewai.provider import connect

__all__ = ["MergeFlowPersistence", "run_under_way"]

_MOST_WORKERS = 4096

_loaded: ContextVar[dict[tuple[object, str], Worker]] = ContextVar("concordant_loaded_flows", default={})  # noqa: B039
"""What the run under way has loaded, by persistence and flow id; replaced, never changed."""


class MergeFlowPersistence(FlowPersistence):
    """A ``FlowPersistence`` for which a save is a change of what its worker has loaded, merged with what others saved.

    Use it as ``@persist(MergeFlowPersistence(State))`` or ``flow(persistence=...)``. The kinds are those of the state's
    annotations; in a state without any (or a dict), each top-level field is a ``Scalar``.

    Args:
        model: the flow's state class. Without it, that of the first save; name it where a state is loaded by a process
            that has not imported the class.
        workspace: where states are kept: a workspace, its URL, or (``None``) this process's memory.
        namespace: what the namespaces of the documents begin with.

    Raises:
        SchemaError: lists every fault of the state class.
    """

    persistence_type: str = "MergeFlowPersistence"

    _workspace: Workspace = PrivateAttr()
    _root: tuple[str, ...] = PrivateAttr()
    _model: type[BaseModel] | None = PrivateAttr(default=None)
    _kinds: dict[str, StateClass] = PrivateAttr(default_factory=dict)
    _workers: OrderedDict[Any, tuple[Worker, Any]] = PrivateAttr(default_factory=OrderedDict)
    _lock: Any = PrivateAttr(default_factory=lambda: free_in_child(threading.RLock()))
    _identity: object = PrivateAttr(default_factory=object)  # kept wherever it is a key, as an id() is not

    def __init__(
        self,
        model: type[BaseModel] | None = None,
        *,
        workspace: Workspace | str | None = None,
        namespace: tuple[str, ...] = ("flows",),
        **fields: Any,
    ) -> None:
        super().__init__(**fields)
        self._workspace = workspace if isinstance(workspace, Workspace) else Workspace(workspace)
        self._root = namespace
        self._model = declared_class(model)
        connect(self._workspace)
        if self._model is not None:
            self._kind(*kept_class(self._model))
        self.init_db()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Returns the persistence itself: a copied flow works on the same workspace, as on the same database."""
        return self

    @property
    def workspace(self) -> Workspace:
        """Where the states are kept: blame, history, escalations of every flow."""
        return self._workspace

    def escalations(self, flow_uuid: str | None = None, *, state: str = "open") -> list[Escalation]:
        """Returns the escalations of all flows, or of one."""
        found = self._workspace.escalations(self._root, state=state)
        return [e for e in found if flow_uuid is None or e.key == flow_uuid]

    def init_db(self) -> None:
        """Has nothing to do: a workspace prepares its storage itself."""

    def save_state(self, flow_uuid: str, method_name: str, state_data: dict[str, Any] | BaseModel) -> None:
        """Merges what a worker changed since it loaded or saved the flow's state.

        Args:
            flow_uuid: the flow.
            method_name: the method that made the changes, as their agent.
            state_data: the state as a whole.

        Raises:
            InvalidWriteError: the state cannot be stored; nothing was.
        """
        self._worker_for(flow_uuid, state_data).save(method_name, state_data)

    def load_state(self, flow_uuid: str) -> dict[str, Any] | None:
        """Returns the merged state of a flow, ``None`` if there is none; what this run saves later are changes of
        it."""
        kept = self._kept_of(flow_uuid)
        if kept is None:
            return None
        worker = Worker(self._workspace, kept, flow_uuid)
        _loaded.set({**_loaded.get(), (self._identity, flow_uuid): worker})
        return worker.load()

    # -- flows that wait for a person --------------------------------------------------------------------------------

    def save_pending_feedback(
        self, flow_uuid: str, context: PendingFeedbackContext, state_data: dict[str, Any] | BaseModel
    ) -> None:
        """Saves the state, and that the flow waits for feedback."""
        self.save_state(flow_uuid, context.method_name, state_data)
        self._workspace.put((*self._root, "pending"), flow_uuid, {"context": context.to_dict()})

    def load_pending_feedback(self, flow_uuid: str) -> tuple[dict[str, Any], PendingFeedbackContext] | None:
        """Returns the state of a flow that waits, with what it waits for; ``None`` if it does not wait."""
        pending = self._workspace.get((*self._root, "pending"), flow_uuid)
        state = self.load_state(flow_uuid) if pending is not None else None
        if pending is None or state is None:
            return None
        return state, PendingFeedbackContext.from_dict(pending.value["context"])

    def clear_pending_feedback(self, flow_uuid: str) -> None:
        """Takes note that the flow no longer waits."""
        self._workspace.remove((*self._root, "pending"), flow_uuid)

    # -- workers -----------------------------------------------------------------------------------------------------

    def worker(self, flow_uuid: str, state: Any) -> Worker:
        """Returns a worker of its own on a flow, whose state is of the class of ``state``."""
        return Worker(self._workspace, self._kept_for(flow_uuid, state), flow_uuid)

    def loaded(self, flow_uuid: str) -> Worker | None:
        """Returns the worker as which the run under way has loaded a flow."""
        return _loaded.get().get((self._identity, flow_uuid))

    def hold(self, flow_uuid: str, run: str | None, state: Any, worker: Worker) -> None:
        """Makes a worker that of a run, or (``None``) of a state's object, for the saves to come."""
        with self._lock:
            # The object is kept with it, so that its id cannot come back as another's.
            self._workers[flow_uuid, run or id(state)] = (worker, state)
            if len(self._workers) > _MOST_WORKERS:
                self._workers.popitem(last=False)

    def blame(self, flow_uuid: str) -> dict[tuple[str, ...], tuple[Credit, ...]]:
        """Tells which methods stand for each live value of a flow's state, by path (``Workspace.blame``)."""
        kept = self._kept_of(flow_uuid)
        return self._workspace.blame(kept.namespace, flow_uuid) if kept is not None else {}

    def _worker_for(self, flow_uuid: str, state: Any) -> Worker:
        """The worker that a save belongs to: that of the run under way, or of the state's object."""
        run = run_under_way()
        with self._lock:
            known = self._workers.get((flow_uuid, run or id(state)))
            if known is not None:
                self._workers.move_to_end((flow_uuid, run or id(state)))
                return known[0]
            worker = self.loaded(flow_uuid) or self.worker(flow_uuid, state)
            self.hold(flow_uuid, run, state, worker)
            return worker

    # -- which model a flow's document has ---------------------------------------------------------------------------

    def _kept_for(self, flow_uuid: str, state: Any) -> StateClass:
        values_of(state)
        known = self._kept_of(flow_uuid)
        if known is not None:
            return known
        declared = self._model or declared_class(type(state))
        kept = self._kind(*kept_class(declared)) if declared is not None else self._kind("", None)
        self._workspace.put((*self._root, "classes"), flow_uuid, {"path": kept.path})
        return kept

    def _kept_of(self, flow_uuid: str) -> StateClass | None:
        if self._model is not None:
            return self._kind(*kept_class(self._model))
        named = self._workspace.get((*self._root, "classes"), flow_uuid)
        if named is None:
            return None
        path = named.value.get("path")
        if not isinstance(path, str):
            raise ConcordantError(f"two processes saved flow {flow_uuid} with different state classes; use one")
        return self._kind(*kept_named(path)) if path else self._kind("", None)

    def _kind(self, path: str, model: type[BaseModel] | None) -> StateClass:
        with self._lock:
            kept = self._kinds.get(path)
            if kept is None or kept.model is not model:
                kept = self._kinds[path] = StateClass(self._workspace, self._root, path, model)
            return kept


def run_under_way() -> str | None:
    """Returns the id of the innermost flow's start event: one for each run of a flow."""
    state: Any = crewai_event_bus.runtime_state
    if state is None:
        return None
    event_id = get_current_parent_id()
    if event_id is None:
        # A flow that pauses says so before it saves.
        last = state.event_record.get(get_last_event_id() or "")
        return last.event.started_event_id if last is not None and last.event.type == "flow_paused" else None
    while event_id is not None:
        node = state.event_record.get(event_id)
        if node is None:
            return None
        if node.event.type == "flow_started":
            return str(event_id)
        event_id = node.event.parent_event_id
    return None
