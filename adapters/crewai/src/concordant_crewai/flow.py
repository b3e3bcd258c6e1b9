"""``MergeFlow``: a flow whose methods may run at once, each on a state of its own that is merged at its end."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import wraps
from typing import Any, NamedTuple, TypeVar, cast

from crewai.flow.flow import Flow
from crewai.flow.flow_context import current_flow_method_name
from pydantic import BaseModel, PrivateAttr

from concordant import Credit, Escalation, Receipt, Workspace
from concordant.spi import free_in_child
from concordant_crewai.flow_states import Worker, values_of, with_objects
from concordant_crewai.persistence import MergeFlowPersistence, run_under_way

__all__ = ["MergeFlow"]

State = TypeVar("State", bound="dict[str, Any] | BaseModel")


class Fork(NamedTuple):
    """A method's own copy of the state, and the worker that merges it."""

    flow: Any
    worker: Worker
    state: Any


_fork: ContextVar[Fork | None] = ContextVar("concordant_flow_fork", default=None)


class MergeFlow(Flow[State]):
    """A ``Flow`` that keeps what parallel methods, and several workers on one flow id, do to its state.

    Each method finds in ``self.state`` the merged state as it is when the method begins, as a copy of its own. What it
    changed is merged when it returns, as the kinds of the state's annotations say; what cannot be merged escalates, and
    what a method that raises has changed is dropped. Otherwise it is CrewAI's flow.

    Args:
        workspace: where the state is kept: a workspace, its URL, or (``None``) this process's memory. Flows with one
            workspace and ``kickoff(inputs={"id": ...})`` with one id work on one state.
        fields: those of ``Flow``. ``persistence=MergeFlowPersistence(...)`` may be given instead of a workspace.
    """

    _merging: MergeFlowPersistence = PrivateAttr()
    _worker: Worker | None = PrivateAttr(default=None)
    _run_id: str | None = PrivateAttr(default=None)
    _worker_id: str = PrivateAttr(default="")
    _merge_lock: Any = PrivateAttr(default_factory=lambda: free_in_child(threading.RLock()))

    def __init__(self, *, workspace: Workspace | str | None = None, **fields: Any) -> None:
        given = fields.get("persistence")
        merging = given if isinstance(given, MergeFlowPersistence) else None
        if merging is None:
            merging = MergeFlowPersistence(_state_class(type(self), fields), workspace=workspace)
            fields.setdefault("persistence", merging)
        super().__init__(**fields)
        self._merging = merging

    def model_post_init(self, context: Any) -> None:
        """Lets every method of the flow work on a copy of the state."""
        super().model_post_init(context)
        for name, method in self._methods.items():
            self._methods[name] = self._forking(str(name), method)

    @property
    def state(self) -> State:
        """The state: inside a method its own copy, elsewhere the merged one."""
        fork = _fork.get()
        return cast(State, fork.state if fork is not None and fork.flow is self else self._state)

    @property
    def workspace(self) -> Workspace:
        """Where the state is kept."""
        return self._merging.workspace

    def escalations(self, *, state: str = "open") -> list[Escalation]:
        """Returns the escalations of this flow's state."""
        return self._merging.escalations(self.flow_id, state=state)

    def resolve(self, escalation: Escalation, value: Any, *, by: str, why: str | None = None) -> Receipt:
        """Decides an escalation (``Workspace.resolve``); the state shows it at once."""
        receipt = self.workspace.resolve(escalation, value, by=by, why=why)
        with self._merge_lock:
            self._refresh(self._run())
        return receipt

    def blame(self) -> dict[tuple[str, ...], tuple[Credit, ...]]:
        """Tells which methods stand for each live value of the state, by path (``Workspace.blame``)."""
        return self._merging.blame(self.flow_id)

    def ask(self, message: str, timeout: float | None = None, metadata: dict[str, Any] | None = None) -> str | None:
        """Asks a person, as CrewAI's flow does; what the method has done so far is saved before it waits."""
        fork = _fork.get()
        if fork is not None and fork.flow is self:
            self._merge(current_flow_method_name.get("unknown"), fork)
        return super().ask(message, timeout=timeout, metadata=metadata)

    def _checkpoint_state_for_ask(self) -> None:
        """Leaves out CrewAI's own save of the whole state, which may not be what the method works on."""
        if self.persistence is not self._merging:
            super()._checkpoint_state_for_ask()

    # -- forking and merging -----------------------------------------------------------------------------------------

    def _forking(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(method):

            @wraps(method)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                return await self._awaited(name, method(*args, **kwargs), self._begin())

            return run_async

        @wraps(method)
        def run(*args: Any, **kwargs: Any) -> Any:
            fork = self._begin()
            token = _fork.set(fork)
            try:
                result = method(*args, **kwargs)
            finally:
                _fork.reset(token)
            if inspect.iscoroutine(result):  # CrewAI awaits what a method returns
                return self._awaited(name, result, fork)
            self._merge(name, fork)
            return result

        return run

    async def _awaited(self, name: str, work: Coroutine[Any, Any, Any], fork: Fork) -> Any:
        token = _fork.set(fork)
        try:
            result = await work
        finally:
            _fork.reset(token)
        self._merge(name, fork)
        return result

    def _begin(self) -> Fork:
        with self._merge_lock:
            self._run().save("inputs", self._state)  # what kickoff was given
            worker = self._merging.worker(self.flow_id, self._state)
            return Fork(self, worker, self._as_state(worker.load(), self._state))

    def _merge(self, name: str, fork: Fork) -> None:
        fork.worker.save(name, fork.state)
        with self._merge_lock:
            self._refresh(self._run(), fork.state)

    def _run(self) -> Worker:
        """The worker of this run: what it has read is ``self._state``."""
        run, loaded = run_under_way(), self._merging.loaded(self.flow_id)
        begins = self._worker is None or self._worker_id != self.flow_id
        if begins or (run != self._run_id if run is not None else loaded is not None):
            self._worker = loaded or (self._merging.worker(self.flow_id, self._state) if begins else self._worker)
            self._worker_id, self._run_id = self.flow_id, run
            self._merging.hold(self.flow_id, run, self._state, cast(Worker, self._worker))
        return cast(Worker, self._worker)

    def _refresh(self, worker: Worker, *states: Any) -> None:
        """Makes the state what is merged by now, with the objects of earlier states as far as they are that."""
        self._state = self._as_state(worker.load(), self._state, *states)
        if self._run_id is None:
            self._merging.hold(self.flow_id, None, self._state, worker)

    def _as_state(self, values: dict[str, Any] | None, *states: Any) -> Any:
        merged = dict(values or {})
        for state in states:
            merged = with_objects(merged, state, values_of(state))
        merged["id"] = self.flow_id
        return type(self._state).model_validate(merged) if isinstance(self._state, BaseModel) else merged


def _state_class(flow: type[Any], fields: dict[str, Any]) -> Any:
    """The state class that a flow declares, whichever way."""
    found = fields.get("initial_state")
    if found is None:
        found = getattr(flow, "_initial_state_t", None)
    if found is None or isinstance(found, TypeVar):
        info = flow.model_fields.get("initial_state")
        found = info.default if info is not None else None
    return type(found) if isinstance(found, BaseModel) else found
