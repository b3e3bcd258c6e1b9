"""Flow states as documents: which model they have, and what one worker on a flow has read and changed."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from crewai.flow.flow import FlowState
from pydantic import BaseModel, create_model
from pydantic_core import PydanticSerializationError

from concordant import ConcordantError, Document, Scalar, Workspace
from concordant.spi import Kind, empty_model, free_in_child

__all__ = ["StateClass", "Worker", "declared_class", "kept_class", "kept_named", "values_of", "with_objects"]

_classes: dict[str, type[BaseModel]] = {}
"""State classes that were saved here, by the path under which a flow's document names them."""

_kept: dict[type[BaseModel], type[BaseModel]] = {}


class StateClass:
    """How the states of one class are kept: under which namespace, with which model (``None``: a dict of scalars)."""

    def __init__(self, workspace: Workspace, root: tuple[str, ...], path: str, model: type[BaseModel] | None) -> None:
        self.path = path
        self.namespace = (*root, path or "dict")
        self.model = model
        self._defaults: Mapping[str, Any] = {}
        if model is not None:
            workspace.declare({self.namespace: model})
            self._defaults = values_of(empty_model(workspace, self.namespace))

    def state(self, document: Document) -> dict[str, Any]:
        """Returns a document as a flow's state, defaults included."""
        return values_of(document.model) if self.model is not None else document.value

    def changes(self, before: Mapping[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
        """Tells what to put, so that nothing is claimed that the worker left as it was; a dict is put as a whole."""
        if before is None:
            before = {name: value for name, value in self._defaults.items() if name != "id"}
        changed = {name: value for name, value in after.items() if name not in before or before[name] != value}
        gone = before.keys() - after.keys() if self.model is None else ()
        return after if self.model is None and (changed or gone) else changed


class Worker:
    """One run of a flow: what it has read of its state, and the state that it last wrote.

    Its writes are edits of what it has read. Methods that run at once may save through one worker: one after the other.
    """

    def __init__(self, workspace: Workspace, kept: StateClass, key: str) -> None:
        self._workspace = workspace
        self._kept = kept
        self._key = key
        self._agent = workspace.agent("flow", began=workspace.moment())
        self._base: dict[str, Any] | None = None
        self._lock = free_in_child(threading.Lock())

    def load(self) -> dict[str, Any] | None:
        """Reads the state; the worker's later changes are changes of this."""
        with self._lock:
            document = self._agent.read(self._kept.namespace, self._key)
            if document is None:
                return None
            self._base = self._kept.state(document)
            return dict(self._base)

    def save(self, name: str, state: Any) -> None:
        """Writes what differs from what the worker has read, in the name of a method."""
        with self._lock:
            after = values_of(state)
            changes = self._kept.changes(self._base, after)
            if changes:
                self._agent.scope.agent = name
                self._workspace.put(self._kept.namespace, self._key, changes, self._agent.scope)
            self._base = after


def values_of(state: Any) -> dict[str, Any]:
    """Returns the JSON values of a state; what has no JSON form stands as text, as in CrewAI's own persistence.

    Raises:
        ConcordantError: it is neither a model nor a dict, or it cannot even be put so.
    """
    if isinstance(state, BaseModel):
        try:
            return state.model_dump(mode="json")
        except PydanticSerializationError:
            return _json_of(dict(state))
    if isinstance(state, dict):
        return _json_of(state)
    raise ConcordantError(f"a flow's state is a pydantic model or a dict, not a {type(state).__name__}")


def _json_of(values: dict[str, Any]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(json.dumps(values, default=_plain))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConcordantError(f"a flow's state cannot be kept as JSON: {error}") from error
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return values_of(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def with_objects(values: dict[str, Any], state: Any, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Returns merged values, with the objects of a state in the place of those that are no more than their JSON form.

    So what has no JSON form lasts from one method of a run to the next, as long as no other worker has changed it.

    Args:
        state: the state with the objects.
        kept: its JSON values (``values_of``).
    """
    found = dict(values)
    for name, value in (dict(state) if isinstance(state, BaseModel) else state).items():
        if name in found and name in kept and found[name] == kept[name] and not _is_json(value):
            found[name] = _copied(value)
    return found


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return type(value) is dict and all(type(k) is str and _is_json(part) for k, part in value.items())
    if isinstance(value, list):
        return type(value) is list and all(map(_is_json, value))
    return value is None or type(value) in (str, int, float, bool)


def _copied(value: Any) -> Any:
    """A copy of what holds values; other objects (a connection, a lock) are shared by all methods, as in CrewAI."""
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: _copied(part) for name, part in value})
    if type(value) is dict:
        return {key: _copied(part) for key, part in value.items()}
    return type(value)(map(_copied, value)) if type(value) in (list, tuple, set, frozenset) else value


def declared_class(state_class: Any) -> type[BaseModel] | None:
    """Returns the class in which a state's fields declare their kinds; ``None`` if they declare none, or it is no
    model."""
    if not (isinstance(state_class, type) and issubclass(state_class, BaseModel)):
        return None
    if state_class.__name__ == "StateWithId" and "<locals>" in state_class.__qualname__:
        # CrewAI's own wrapper for a model without an id.
        state_class = next(base for base in state_class.__bases__ if base is not FlowState)
    marks = [mark for name, info in state_class.model_fields.items() if name != "id" for mark in info.metadata]
    declares = any(isinstance(mark, Kind) or (isinstance(mark, type) and issubclass(mark, Kind)) for mark in marks)
    return state_class if declares else None


def kept_class(state_class: type[BaseModel]) -> tuple[str, type[BaseModel]]:
    """Returns the path by which other processes find a state class, and the model of its documents: with an id that
    merges."""
    path = f"{state_class.__module__}:{state_class.__qualname__}"
    if state_class not in _kept:
        given: dict[str, Any] = {"id": (Annotated[str, Scalar()], "")}
        _kept[state_class] = create_model(state_class.__name__, __base__=state_class, **given)
    _classes[path] = state_class
    return path, _kept[state_class]


def kept_named(path: str) -> tuple[str, type[BaseModel]]:
    """Returns the same for the path that a document names.

    Raises:
        ConcordantError: there is no such class in this process.
    """
    found: Any = _classes.get(path)
    if found is None:
        module, _, names = path.partition(":")
        found = sys.modules.get(module)
        for name in names.split("."):
            found = getattr(found, name, None)
    if found is None:
        raise ConcordantError(
            f"a flow was saved with the state class {path}, which this process has not imported: "
            "import it, or give it: MergeFlowPersistence(YourState)"
        )
    return kept_class(found)
