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
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from concordant import Instant

from .attempts import Invocation, first_begun, known_as, settled, superstep_began
from .beginnings import began as began_at
from .lineage import Segment, encode, kin_of, lineage, outermost, segments

_KNOWN_LIMIT = 4096
_FIRST = sys.maxsize  # of attempts that cannot be counted
_UUID_EPOCH = 0x01B21DD213814000  # 1582-10-15 to 1970-01-01 in units of 100 ns

# checkpoint_ns -> (token, began) of tasks read whole: what a replaced `configurable` cannot tell any more.
_known: dict[str, tuple[str, Instant | float]] = {}


class TaskExecution(NamedTuple):
    """One execution of one LangGraph task, as far as a writer needs to know it."""

    token: str
    """The lineage, stored with each write; what `relation` compares."""
    name: str
    """The agent's name, else the node names from the root on, joined by `/`."""
    named: bool
    """Whether that is the agent's own name."""
    task: str
    """Identity of the task, the same across retries (of itself and of what it is in), resumes and crashes."""
    execution: str
    """Tells one execution of the task from the next; "" where LangGraph does not say."""
    began: Instant | float
    """When this execution began (at the first attempt, for retries); in epoch seconds where only LangGraph tells."""
    namespace: str
    """Its `checkpoint_ns`."""
    kin: str
    """What the tokens of its siblings, at whatever level, begin with; "" where any may be one."""
    floor: Instant | None
    """An instant before all that its siblings wrote, at whatever level; None where none is known."""
    run: Invocation | None
    """The run of the graph that it is in; None where its beginning was not noted."""


def task_of(config: Any) -> TaskExecution | None:
    """Returns the LangGraph task whose config it is; None where it is none's. Never raises."""
    try:
        return _read(config) if config else None
    except Exception:  # whatever stands in a config, a store call must not fail for it
        return None


def message_of(config: Any, tool_call: str) -> str:
    """Returns the id of the message in which a model makes a tool call, as far as the graph's state tells it; else
    ``""``."""
    try:
        messages = config["configurable"]["__pregel_read"]("messages")
        for message in reversed(messages):
            if any(call["id"] == tool_call for call in getattr(message, "tool_calls", ())):
                return str(message.id or "")
    except Exception:  # a graph without messages, or of another form
        return ""
    return ""


def _read(config: Any) -> TaskExecution | None:
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
    first, attempt = _execution(getattr(configurable.get("__pregel_runtime"), "execution_info", None))
    execution = f"{int(first * 1e6)}/{attempt}" if first else ""
    # If nobody noted it, LangGraph's time, or that of the superstep's beginning: too early, so at worst "concurrent".
    noted = began_at(checkpoint_ns, attempt) or first_begun(checkpoint_ns)
    began = noted or first or uuid_seconds(str(step)) or time.time()
    if len(_known) >= _KNOWN_LIMIT:
        _known.clear()
    _known[checkpoint_ns] = (token, began)
    identity, run = known_as(checkpoint_ns)
    floor = _floor(checkpoint_ns, path, configurable)
    name, named = _name(config, metadata, path)
    task = (token, name, named, identity or path[-1].task, execution, began, checkpoint_ns, kin, floor, run)
    return tuple.__new__(TaskExecution, task)  # the class's own is slower, being Python


def _floor(checkpoint_ns: str, path: Sequence[Segment], configurable: Any) -> Instant | None:
    """An instant before the superstep of the outermost graph. A run without checkpoints makes all of its supersteps;
    of another one the first may have begun before it, or elsewhere."""
    if len(path) > 1:
        return superstep_began(path[1].caller, False)
    return superstep_began(checkpoint_ns, configurable.get("__pregel_checkpointer", path) is None)


def _read_remains(config: Any, metadata: Any) -> TaskExecution | None:
    """The task of a call whose `configurable` was replaced: the namespace survives, the rest does not.

    Its puts cannot be told from those of the task's other executions, so that it gets an identity of its own:
    taking the place of a put that was another one would lose it, while not recognising a retry loses nothing.
    """
    callbacks = config.get("callbacks")
    checkpoint_ns = metadata.get("langgraph_checkpoint_ns")
    if not isinstance(checkpoint_ns, str):
        checkpoint_ns = _callback_metadata(callbacks).get("langgraph_checkpoint_ns")
    if not isinstance(checkpoint_ns, str) or not checkpoint_ns:
        return None
    path = segments(checkpoint_ns)
    known = _known.get(checkpoint_ns)
    # The run id of a runnable holds the time at which it started.
    started = uuid_seconds(str(getattr(callbacks, "parent_run_id", None))) or time.time()
    noted = began_at(checkpoint_ns, _FIRST) or first_begun(checkpoint_ns)
    token, began = known if known is not None else (encode(lineage(path, {})), noted or started)
    identity, run = f"{path[-1].task}~{uuid4().hex}", known_as(checkpoint_ns)[1]
    return TaskExecution(
        token, *_name(config, metadata, path), identity, "", began, checkpoint_ns, kin_of(token), None, run
    )


def _name(config: Any, metadata: Any, path: Sequence[Segment]) -> tuple[str, bool]:
    """The agent's name, or that of the nodes; and whether it is the agent's."""
    name = metadata.get("lc_agent_name") or _callback_metadata(config.get("callbacks")).get("lc_agent_name")
    if isinstance(name, str) and name:
        return name, True
    return (path[0][2] if len(path) == 1 else "/".join([segment.node for segment in path])), False


def _callback_metadata(callbacks: Any) -> Mapping[str, Any]:
    metadata = getattr(callbacks, "metadata", None)
    return metadata if isinstance(metadata, dict) else {}


def _execution(info: Any) -> tuple[float | None, int]:
    """When an execution of a task began, in epoch seconds, where LangGraph tells, and which attempt of it this is."""
    began, attempt = getattr(info, "node_first_attempt_time", None), getattr(info, "node_attempt", None)
    return (
        float(began) if isinstance(began, (int, float)) and 0 < began < math.inf else None,
        attempt if isinstance(attempt, int) and attempt > 0 else 1,
    )


def uuid_seconds(text: str) -> float | None:
    """Returns the time in a UUID of version 6 (supersteps) or 7 (runs)."""
    if len(text) != 36 or text[14] not in "67":
        return None
    if text[14] == "7":
        return int(text[:8] + text[9:13], 16) / 1e3
    return (int(text[:8] + text[9:13] + text[15:18], 16) - _UUID_EPOCH) / 1e7
