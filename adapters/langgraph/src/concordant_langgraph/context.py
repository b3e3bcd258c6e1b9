"""Who is writing right now: the task that LangGraph's own context tells of, with no code in the user's nodes.

A node's config has the ids in `configurable` and the names in `metadata`. Code in a node that invokes a
runnable with a config of its own (`chain.invoke(x, {"configurable": {...}})`) replaces that half, so whatever
is missing is looked for in the other half, and in the metadata of the callback manager, which such a call
leaves alone.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any
from uuid import uuid4

from langchain_core.runnables.config import var_child_runnable_config

from concordant import Instant

from .attempts import first_begun, identity_of, invocation_of, settled, superstep_follows
from .beginnings import began as began_at
from .lineage import Segment, Task, encode, kin_of, lineage, outermost, segments

_KNOWN_LIMIT = 4096
_FIRST = sys.maxsize  # of attempts that cannot be counted
_UUID_EPOCH = 0x01B21DD213814000  # 1582-10-15 to 1970-01-01 in units of 100 ns

# The last config read in this context, with its task. LangGraph makes a config per attempt of a task and does
# not change it afterwards; the reference kept here is why its identity cannot come back as another config's.
_last: ContextVar[tuple[object, Task | None] | None] = ContextVar("concordant_langgraph_task", default=None)

# checkpoint_ns -> (token, began) of tasks read whole: what a replaced `configurable` cannot tell any more.
_known: dict[str, tuple[str, Instant | float]] = {}


def current_task() -> Task | None:
    """The LangGraph task that the calling code runs in; None outside of a graph. Never raises."""
    config: Any = var_child_runnable_config.get()
    last = _last.get()
    if last is not None and last[0] is config:
        return last[1]
    if not config:
        if last is not None:
            _last.set(None)  # do not keep a finished task's config alive
        return None
    try:
        task = _read(config)
    except Exception:  # whatever stands in a config, a store call must not fail for it
        task = None
    _last.set((config, task))
    return task


def message_of(config: Any, tool_call: str) -> str:
    """The id of the message in which a model makes a tool call, as far as the graph's state tells it; else ``""``."""
    try:
        messages = config["configurable"]["__pregel_read"]("messages")
        for message in reversed(messages):
            if any(call["id"] == tool_call for call in getattr(message, "tool_calls", ())):
                return str(message.id or "")
    except Exception:  # a graph without messages, or of another form
        return ""
    return ""


def _read(config: Any) -> Task | None:
    configurable = config.get("configurable") or {}
    metadata = config.get("metadata") or {}
    checkpoint_ns = configurable.get("checkpoint_ns")
    steps = configurable.get("checkpoint_map")
    if not (isinstance(checkpoint_ns, str) and checkpoint_ns and isinstance(steps, dict)):
        return _read_remains(config, metadata)
    path = segments(checkpoint_ns)
    step = steps.get(path[-1].graph)
    if len(path) == 1 and not path[0].call:
        token, kin = outermost(step, path[0].task)
    else:
        token = encode(settled(checkpoint_ns, lineage(path, steps)))
        kin = kin_of(token)
    info = getattr(configurable.get("__pregel_runtime"), "execution_info", None)
    first, attempt = _seconds(getattr(info, "node_first_attempt_time", None)), _attempt(info)
    execution = f"{int(first * 1e6)}/{attempt}" if first else ""
    # If nobody noted it, LangGraph's time, or that of the superstep's beginning: too early, so at worst "concurrent".
    began = _began(checkpoint_ns, attempt) or first or uuid_seconds(str(step)) or time.time()
    if len(_known) >= _KNOWN_LIMIT:
        _known.clear()
    _known[checkpoint_ns] = (token, began)
    identity = identity_of(checkpoint_ns) or path[-1].task
    floor = _floor(path, configurable)
    task = (token, *_name(config, metadata, path), identity, execution, began, checkpoint_ns, kin, floor)
    return tuple.__new__(Task, task)  # the class's own is slower, being Python


def _floor(path: Sequence[Segment], configurable: Any) -> Instant | None:
    """An instant before the superstep of the outermost graph. A run without checkpoints makes all of its supersteps;
    of another one the first may have begun before it, or elsewhere."""
    outermost = path[1].caller if len(path) > 1 else f"{path[0].node}:{path[0].task}"
    if len(path) == 1 and configurable.get("__pregel_checkpointer", path) is None:
        run = invocation_of(outermost)
        return run.began if run is not None else None
    return superstep_follows(outermost)


def _read_remains(config: Any, metadata: Any) -> Task | None:
    """The task of a call whose `configurable` was replaced: the namespace survives, the rest does not.

    Its puts cannot be told from those of the task's other executions, so that it gets an identity of its own:
    taking the place of a put that was another one would lose it, while not recognising a retry loses nothing.
    """
    callbacks = config.get("callbacks")
    checkpoint_ns = metadata.get("langgraph_checkpoint_ns")
    if not isinstance(checkpoint_ns, str):
        checkpoint_ns = _callback_metadata(callbacks, "langgraph_checkpoint_ns")
    if not isinstance(checkpoint_ns, str) or not checkpoint_ns:
        return None
    path = segments(checkpoint_ns)
    known = _known.get(checkpoint_ns)
    # The run id of a runnable holds the time at which it started.
    started = uuid_seconds(str(getattr(callbacks, "parent_run_id", None))) or time.time()
    token, began = known or (encode(lineage(path, {})), _began(checkpoint_ns, _FIRST) or started)
    identity = f"{path[-1].task}~{uuid4().hex}"
    return Task(token, *_name(config, metadata, path), identity, "", began, checkpoint_ns, kin_of(token), None)


def _name(config: Any, metadata: Any, path: Sequence[Segment]) -> tuple[str, bool]:
    name = _agent(config, metadata)
    return (_nodes(path), False) if name is None else (name, True)


def _nodes(path: Sequence[Segment]) -> str:
    return path[0].node if len(path) == 1 else "/".join([segment.node for segment in path])


def _agent(config: Any, metadata: Any) -> str | None:
    name = metadata.get("lc_agent_name") or _callback_metadata(config.get("callbacks"), "lc_agent_name")
    return name if isinstance(name, str) and name else None


def _callback_metadata(callbacks: Any, key: str) -> Any:
    metadata = getattr(callbacks, "metadata", None)
    return metadata.get(key) if isinstance(metadata, dict) else None


def _began(checkpoint_ns: str, attempt: int) -> Instant | None:
    """When the present execution of the task began, as it was noted."""
    return began_at(checkpoint_ns, attempt) or first_begun(checkpoint_ns)


def _attempt(info: Any) -> int:
    """Which attempt of its execution the task makes."""
    told = getattr(info, "node_attempt", None)
    return told if isinstance(told, int) and told > 0 else 1


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and 0 < value < math.inf else None


def uuid_seconds(text: str) -> float | None:
    """The time in a UUID of version 6 (supersteps) or 7 (runs)."""
    if len(text) != 36 or text[14] not in "67":
        return None
    if text[14] == "7":
        return int(text[:8] + text[9:13], 16) / 1e3
    return (int(text[:8] + text[9:13] + text[15:18], 16) - _UUID_EPOCH) / 1e7
