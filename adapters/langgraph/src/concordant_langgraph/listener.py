"""What LangChain's callbacks tell beside a run's config: attempts of tasks, and tool calls."""

from __future__ import annotations

import inspect
import sys
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook
from langgraph.callbacks import GraphCallbackHandler, GraphResumeEvent

from concordant import Instant
from concordant.spi import are_looks_wanted, look
from concordant_langgraph.attempts import attempt_begins, graph_goes_on, is_call
from concordant_langgraph.beginnings import task_begins
from concordant_langgraph.taking import listen_to_calls
from concordant_langgraph.toolcalls import (
    listen_to_threads,
    runnable_begins,
    tool_call,
    tool_call_begins,
    tool_call_ends,
)

__all__ = ["listen"]


class _Listener(GraphCallbackHandler):
    run_inline = True  # in the context of the call, not in a thread

    def on_resume(self, event: GraphResumeEvent) -> None:
        graph_goes_on("|".join(event.checkpoint_ns))

    def on_chain_start(
        self,
        serialized: Any,
        inputs: Any,
        *,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        namespace = metadata.get("langgraph_checkpoint_ns") if metadata else None
        if metadata is None or not isinstance(namespace, str) or not namespace:
            return
        now = Instant.now()
        runnable_begins(namespace, now)
        step, path = metadata.get("langgraph_step"), metadata.get("langgraph_path")
        # Only the run of a node itself has this tag, whatever runs in it; that of a `@task` has its name.
        if (tags and f"graph:step:{step}" in tags) or (
            is_call(path) and kwargs.get("name") == metadata.get("langgraph_node")
        ):
            task_begins(namespace, now)
            attempt_begins(namespace, parent_run_id, step, path, now)

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, metadata: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        namespace = metadata.get("langgraph_checkpoint_ns") if metadata else None
        if isinstance(namespace, str) and namespace:
            runnable_begins(namespace, Instant.now())

    def on_tool_start(
        self,
        serialized: Any,
        input_str: str,
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        tool_call_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        namespace = (metadata or {}).get("langgraph_checkpoint_ns")
        # Without the model's id, code has called the tool, as it would a function.
        if isinstance(tool_call_id, str) and tool_call_id and isinstance(namespace, str) and namespace:
            tool_call_begins(run_id, tool_call_id, namespace, inputs)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        tool_call_ends(run_id, failed=False)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        tool_call_ends(run_id, failed=True)


# Plain attributes in the place of properties: LangChain asks at each event.
for _name in ("chain", "agent", "chat_model"):
    setattr(_Listener, f"ignore_{_name}", False)
for _name in ("llm", "retriever", "retry", "custom_event"):
    setattr(_Listener, f"ignore_{_name}", True)


class _Looker(BaseCallbackHandler):
    """Before a coroutine's task begins, looks at the stores beside the event loop, which nothing here may hold up.

    LangChain awaits it where it calls its handlers in a coroutine. Elsewhere it is ignored: the listener looks
    there, or nobody (in a call that is no coroutine, on an event loop).
    """

    run_inline = True  # and before the listener

    @property
    def ignore_llm(self) -> bool:
        return True

    @property
    def ignore_chain(self) -> bool:
        return not _is_coroutine(sys._getframe(1))

    @property
    def ignore_chat_model(self) -> bool:
        return not _is_coroutine(sys._getframe(1))

    @property
    def ignore_agent(self) -> bool:
        return not _is_coroutine(sys._getframe(1))

    async def on_chain_start(self, *_: Any, metadata: dict[str, Any] | None = None, **__: Any) -> None:
        if metadata and metadata.get("langgraph_checkpoint_ns"):
            await look()

    on_chat_model_start = on_chain_start

    async def on_tool_end(self, *_: Any, **__: Any) -> None:
        if tool_call() is not None:
            await look()

    on_tool_error = on_tool_end


def _is_coroutine(frame: Any) -> bool:
    return bool(frame.f_code.co_flags & inspect.CO_COROUTINE)


class _WhereWanted:
    """Stands for a context variable: the looker where stores want to be looked at, else nothing that would cost."""

    def get(self) -> BaseCallbackHandler | None:
        return _LOOKER if are_looks_wanted() else None


_LOOKER: BaseCallbackHandler = _Looker()
_looker: Any = _WhereWanted()
_LISTENER: BaseCallbackHandler = _Listener()
_listener: ContextVar[BaseCallbackHandler | None] = ContextVar("concordant_langgraph_listener", default=_LISTENER)
_listening: list[bool] = []


def listen() -> None:
    """Has LangChain tell of tasks and tool calls from now on, in all of this process."""
    if not _listening:
        _listening.append(True)
        listen_to_calls()
        listen_to_threads()
        register_configure_hook(_looker, inheritable=True)
        register_configure_hook(_listener, inheritable=True)
