"""What a workspace does, told to OpenTelemetry (extra ``concordant[otel]``) and to logs.

Nothing of it is in the way where it is not installed: a workspace is wrapped from outside, call by call, and without
that its calls are those that they were.

>>> from concordant import Workspace, telemetry
>>> ws = Workspace()
>>> uninstall = telemetry.install(ws)  # spans and metrics, to the providers that the process has set
>>> _ = ws.agent("ada").write(("plans",), "launch", {"status": "draft"})
>>> uninstall()
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from concordant.errors import ConcordantError, StorageError
from concordant.escalation import Escalation, Event
from concordant.storage.base import Column, Namespace, Result, State, TransactionView, Update
from concordant.workspace import Workspace
from concordant.workspace.document import Document, Receipt
from concordant.workspace.reading import Reading
from concordant.workspace.scope import Scope
from concordant.workspace.transaction import Pending
from concordant.workspace.writing import Draft

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["install", "log_events"]

SCOPE = "concordant"
DECIDED = ("resolved", "dismissed", "superseded", "agreed")
STRONGEST = ("escalated", "settled", "agreed", "merged")
"""What may become of a field that met others, what asks most of people first."""
WAITS = (60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 259_200.0, 604_800.0)
"""The bounds of the histogram of times to decide, in seconds: a minute to a week."""

_NOTHING: Mapping[str, str] = {}


def install(
    workspace: Workspace,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> Callable[[], None]:
    """Tells OpenTelemetry what a workspace does from now on.

    Spans ``concordant.commit``, ``concordant.read`` and ``concordant.list``, with namespace, key, agent and outcome,
    never with a value. Counters ``concordant.writes`` (by act and outcome) and ``concordant.escalations`` (transitions
    that this workspace makes, by reason and state), a gauge ``concordant.escalations.open`` of the questions of the
    whole store, and a histogram ``concordant.decision.duration`` of the seconds from the opening of a question until it
    was settled.

    Args:
        tracer_provider, meter_provider: those of the process, unless others are given.

    Returns:
        A function that ends it.

    Raises:
        ConcordantError: the extra is not installed.

    >>> from opentelemetry.sdk.metrics import MeterProvider
    >>> from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    >>> reader = InMemoryMetricReader()
    >>> ws = Workspace()
    >>> _ = install(ws, meter_provider=MeterProvider([reader]))
    >>> _ = ws.agent("ada").write(("plans",), "launch", {"status": "draft"})
    >>> [metric.name for one in reader.get_metrics_data().resource_metrics for metric in one.scope_metrics[0].metrics]
    ['concordant.writes']
    """
    try:
        from opentelemetry import metrics, trace
    except ImportError as error:
        raise ConcordantError("telemetry needs a further library: pip install 'concordant[otel]'") from error
    tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
    meter = metrics.get_meter(SCOPE, meter_provider=meter_provider)
    wrapping = _Wrapping()
    spans = _Spans(tracer)
    counts = _Counts(meter)
    commits = _Commits(spans, counts)
    commits.wrap(workspace, wrapping)
    _Reads(spans).wrap(workspace.reading, wrapping)
    wrapping.around(workspace.core.subscribers, "deliver", _after_events(counts.events, commits.apart))
    counts.watch(workspace, wrapping.ended)
    return wrapping.end


def log_events(
    workspace: Workspace, logger: logging.Logger | None = None, level: int = logging.INFO
) -> Callable[[], None]:
    """Logs each transition of a question that a workspace makes from now on, as a record with attributes.

    Args:
        logger: by default ``concordant.events``.

    Returns:
        A function that ends it. A record has ``concordant_event`` (``escalation.opened``, ...), ``concordant_id``, and
        of the question ``concordant_escalation``, ``_namespace``, ``_key``, ``_path``, ``_reason``, ``_state``, ``_by``
        and ``_agents``; no values.
    """
    log = logging.getLogger("concordant.events") if logger is None else logger

    def tell(events: Iterable[Event]) -> None:
        for event in events:
            question = event.escalation
            extra = {
                "concordant_event": f"escalation.{event.kind}",
                "concordant_id": event.id,
                "concordant_escalation": question.id,
                "concordant_namespace": question.namespace,
                "concordant_key": question.key,
                "concordant_path": question.path,
                "concordant_reason": question.reason,
                "concordant_state": question.state,
                "concordant_by": question.by,
                "concordant_agents": tuple(dict.fromkeys(name for side in question.contenders for name in side.agents)),
            }
            log.log(level, "a question was %s: %s", event.kind, question.id, extra=extra)

    wrapping = _Wrapping()
    wrapping.around(workspace.core.subscribers, "deliver", _after_events(tell, nullcontext))
    return wrapping.end


class _Wrapping:
    """What is put around calls of one workspace, until it is taken off again.

    Attributes:
        ended: is set once it tells no more.
    """

    def __init__(self) -> None:
        self.ended = threading.Event()
        self._made: list[tuple[Any, str, Any]] = []

    def around(self, whose: Any, name: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Has calls of a method of one object go through a wrapper."""
        inner = getattr(whose, name)
        outer = wrapper(inner)

        @wraps(inner)
        def call(*args: Any, **kwargs: Any) -> Any:
            return (inner if self.ended.is_set() else outer)(*args, **kwargs)

        setattr(whose, name, call)
        self._made.append((whose, name, call))

    def end(self) -> None:
        """Tells no more; takes off what nobody has wrapped since."""
        self.ended.set()
        for whose, name, call in reversed(self._made):
            if vars(whose).get(name) is call:
                delattr(whose, name)
                inner = call.__wrapped__
                if inner != getattr(whose, name):  # somebody's before
                    setattr(whose, name, inner)
        self._made.clear()


class _Noted:
    """What became of the writes of one call.

    Attributes:
        watched: whether its updates are watched already, further up.
    """

    def __init__(self) -> None:
        self.watched = False
        self.found: list[tuple[Any, ...]] = []

    def watch(self, update: Update) -> Update:
        """An update that notes what comes of it; of several runs the last counts."""
        place = len(self.found)
        self.found.append(())

        def run(state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
            result = update(state, n, time, tx)
            self.found[place] = () if result is None or result[1] is None else tuple(result[1])
            return result

        return run

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """The journal's rows of what was written."""
        return [row for row in self.found if row]


def _outcome(row: Sequence[Any]) -> str:
    met = row[_MET] if len(row) > _MET else _NOTHING
    return next((one for one in STRONGEST if one in met.values()), "ordered")


_MET = 13
"""Where a row has what became of the fields in which it met others."""


def _texts(namespace: Any) -> list[str]:
    """A namespace as an attribute; what was given instead of one is for the call to refuse."""
    return [_text(part) for part in namespace] if isinstance(namespace, tuple) else []


def _text(name: Any) -> str:
    return name.encode(errors="replace").decode() if isinstance(name, str) else ""


class _Spans:
    """Makes spans.

    Args:
        tracer: of OpenTelemetry.
    """

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer

    @contextmanager
    def around(self, name: str, namespace: Namespace, key: str) -> Iterator[Span]:
        """A span of a call about a document. An error is told by its type: its text may have values in it."""
        from opentelemetry.trace import Status, StatusCode

        about = {"concordant.namespace": _texts(namespace), "concordant.key": _text(key)}
        with self._tracer.start_as_current_span(
            name, attributes=about, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise

    def begun(self, name: str, prefix: Namespace) -> Span:
        """A span that its maker ends, and that is nobody's parent."""
        span: Span = self._tracer.start_span(name, attributes={"concordant.namespace": _texts(prefix)})
        return span

    def tell(self, span: Span, noted: _Noted) -> None:
        """Says on the span of a commit what came of it."""
        rows = noted.rows
        if not rows:
            span.set_attribute("concordant.outcome", "unchanged")
        elif len(rows) == 1:
            [row] = rows
            span.set_attribute("concordant.agent", row[Column.AGENT])
            span.set_attribute("concordant.act", row[Column.ACT])
            span.set_attribute("concordant.version", row[Column.N])
            span.set_attribute("concordant.outcome", _outcome(row))
        else:
            span.set_attribute("concordant.writes", len(rows))


class _Counts:
    """The metrics of a workspace."""

    def __init__(self, meter: Any) -> None:
        self._meter = meter
        self._writes = meter.create_counter("concordant.writes", "{write}", "Writes, by act and what became of them")
        self._escalations = meter.create_counter(
            "concordant.escalations", "{event}", "Transitions of questions, by reason, event and state"
        )
        self._waits = meter.create_histogram(
            "concordant.decision.duration",
            "s",
            "From the opening of a question until it was settled",
            explicit_bucket_boundaries_advisory=WAITS,
        )

    def writes(self, noted: _Noted, act: str) -> None:
        """Counts what became of writes; ``act`` is what was meant, where nothing came of it."""
        for row in noted.rows:
            self.write(row[Column.ACT], _outcome(row))
        if not noted.rows:
            self.write(act, "unchanged")

    def write(self, act: str, outcome: str) -> None:
        """Counts one write."""
        self._writes.add(1, {"concordant.act": act, "concordant.outcome": outcome})

    def events(self, events: Iterable[Event]) -> None:
        """Counts transitions, and how long what was settled had been open."""
        for event in events:
            question = event.escalation
            about = {"concordant.reason": question.reason, "concordant.state": question.state}
            self._escalations.add(1, {**about, "concordant.event": event.kind})
            if question.closed_at is not None and event.kind in DECIDED:
                waited = (question.closed_at - question.opened_at).total_seconds()
                self._waits.record(max(waited, 0.0), about)

    def watch(self, workspace: Workspace, ended: threading.Event) -> None:
        """Has the open questions counted whenever metrics are collected, until it has ended."""
        from opentelemetry.metrics import Observation

        found = weakref.ref(workspace.storage)  # the meter keeps what it calls

        def look(options: CallbackOptions) -> Iterable[Observation]:
            storage = found()
            if storage is None or ended.is_set():
                return []
            counted: dict[tuple[str, str], int] = {}
            try:
                for question in storage.escalations((), "open"):
                    place = (question.reason, question.state)
                    counted[place] = counted.get(place, 0) + 1
            except StorageError:  # it is away, or was closed
                return []
            return [
                Observation(count, {"concordant.reason": reason, "concordant.state": state})
                for (reason, state), count in counted.items()
            ]

        self._meter.create_observable_gauge(
            "concordant.escalations.open", [look], "{question}", "Open questions of the store, by reason and state"
        )


class _Commits:
    """Spans and counts of what is written: around the calls that write, and in the storage, where every way ends."""

    def __init__(self, spans: _Spans, counts: _Counts) -> None:
        self._spans = spans
        self._counts = counts
        self._joint: dict[int, _Noted] = {}  # writes of coroutines, by the id of what is pending
        self._current: ContextVar[_Noted | None] = ContextVar("concordant_telemetry", default=None)

    def wrap(self, workspace: Workspace, wrapping: _Wrapping) -> None:
        """Puts them around the calls of a workspace."""
        writing, storage = workspace.writing, workspace.storage
        for name, act, first in (
            ("put", "put", 0),
            ("write", "write", 1),
            ("remove", "delete", 0),
            ("delete", "delete", 1),
        ):
            wrapping.around(writing, name, partial(self._writes, act, first))
            wrapping.around(writing, f"a{name}", partial(self._awrites, act, first))
        wrapping.around(writing, "close", self._edits)
        wrapping.around(writing, "put_all", self._puts)
        wrapping.around(writing, "commit_together", self._puts)
        wrapping.around(workspace.deciding, "_decide", self._decides)
        wrapping.around(writing.joint, "make", self._makes)
        wrapping.around(storage, "create", self._creates)
        wrapping.around(storage, "commit", self._commits)
        wrapping.around(storage, "commit_all", self._commits_all)
        wrapping.around(storage, "commit_each", self._commits_each)

    @contextmanager
    def _call(self, namespace: Namespace, key: str, act: str = "other") -> Iterator[_Noted]:
        """A call that writes, or a part of one."""
        noted = self._current.get()
        if noted is not None:
            yield noted
            return
        noted = _Noted()
        token = self._current.set(noted)
        try:
            with self._spans.around("concordant.commit", namespace, key) as span:
                yield noted
                self._spans.tell(span, noted)
        except StorageError:
            self._counts.write(act, "failed")
            raise
        except ConcordantError:
            self._counts.write(act, "refused")
            raise
        finally:
            self._current.reset(token)
        self._counts.writes(noted, act)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """What is done in it is no part of the call under way."""
        token = self._current.set(None)
        try:
            yield
        finally:
            self._current.reset(token)

    @contextmanager
    def _watching(self, namespace: Namespace, key: str) -> Iterator[Callable[[Update], Update]]:
        """What watches the updates of a commit, unless that is done already: a storage may call itself."""
        with self._call(namespace, key) as noted:
            if noted.watched:
                yield lambda update: update
                return
            noted.watched = True
            try:
                yield noted.watch
            finally:
                noted.watched = False

    def _writes(self, act: str, first: int, inner: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            namespace, key = args[first : first + 2]
            with self._call(namespace, key, act):
                return inner(*args, **kwargs)

        return call

    def _awrites(self, act: str, first: int, inner: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            namespace, key = args[first : first + 2]
            with self._call(namespace, key, act):
                return await inner(*args, **kwargs)

        return call

    def _edits(self, inner: Callable[..., Receipt]) -> Callable[..., Receipt]:
        def call(scope: Scope, draft: Draft) -> Receipt:
            with self._call(draft.namespace, draft.key, "edit"):
                return inner(scope, draft)

        return call

    def _puts(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def call(writes: Any) -> Any:
            with self._call((), "", "put"):
                return inner(writes)

        return call

    def _decides(self, inner: Callable[..., Receipt]) -> Callable[..., Receipt]:
        def call(escalation: Escalation, *args: Any, **kwargs: Any) -> Receipt:
            with self._call(escalation.namespace, escalation.key, "resolve"):
                return inner(escalation, *args, **kwargs)

        return call

    def _makes(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        async def call(prepare: Callable[[], Pending | Receipt]) -> Receipt:
            noted, made = self._current.get(), []

            def prepared() -> Pending | Receipt:
                found = prepare()
                if isinstance(found, Pending) and noted is not None:
                    made.append(id(found))
                    self._joint[id(found)] = noted
                return found

            try:
                receipt: Receipt = await inner(prepared)
            finally:
                for one in made:
                    self._joint.pop(one, None)
            return receipt

        return call

    def _creates(self, inner: Callable[..., int]) -> Callable[..., int]:
        def call(namespace: Namespace, key: str, agent: str, origin: str, act: str, *rest: Any) -> int:
            n = inner(namespace, key, agent, origin, act, *rest)
            noted = self._current.get()
            if n and noted is not None:
                noted.found.append((namespace, key, n, 0.0, agent, origin, act))
            return n

        return call

    def _commits(self, inner: Callable[..., None]) -> Callable[..., None]:
        def call(namespace: Namespace, key: str, update: Update) -> None:
            with self._watching(namespace, key) as watch:
                inner(namespace, key, watch(update))

        return call

    def _commits_all(self, inner: Callable[..., None]) -> Callable[..., None]:
        def call(updates: Sequence[tuple[Namespace, str, Update]], *, hasty: bool = False) -> None:
            with self._watching((), "") as watch:
                inner([(namespace, key, watch(update)) for namespace, key, update in updates], hasty=hasty)

        return call

    def _commits_each(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def call(updates: Sequence[tuple[Namespace, str, Update]]) -> Any:
            watched = []
            for namespace, key, update in updates:
                noted = self._joint.get(id(getattr(update, "__self__", None)))
                watched.append((namespace, key, update if noted is None else noted.watch(update)))
            return inner(watched)

        return call


class _Reads:
    """Spans of what is read."""

    def __init__(self, spans: _Spans) -> None:
        self._spans = spans

    def wrap(self, reading: Reading, wrapping: _Wrapping) -> None:
        """Puts them around the calls that read."""
        wrapping.around(reading, "read", partial(self._reads, 1))
        wrapping.around(reading, "get", partial(self._reads, 0))
        wrapping.around(reading, "list", self._lists)
        wrapping.around(reading, "current", self._lists)

    def _reads(self, first: int, inner: Callable[..., Document | None]) -> Callable[..., Document | None]:
        def call(*args: Any, **kwargs: Any) -> Document | None:
            with self._spans.around("concordant.read", *args[first : first + 2]) as span:
                document = inner(*args, **kwargs)
                span.set_attribute("concordant.found", document is not None)
                if document is not None:
                    span.set_attribute("concordant.version", document.version)
                    span.set_attribute("concordant.contested", len(document.contested))
                return document

        return call

    def _lists(self, inner: Callable[..., Iterator[Document]]) -> Callable[..., Iterator[Document]]:
        def told(found: Iterator[Document], span: Span) -> Iterator[Document]:
            count = 0
            try:
                for document in found:
                    count += 1
                    yield document
            finally:
                span.set_attribute("concordant.documents", count)
                span.end()

        def call(prefix: Namespace, *args: Any, **kwargs: Any) -> Iterator[Document]:
            found = inner(prefix, *args, **kwargs)
            return told(found, self._spans.begun("concordant.list", prefix))

        return call


def _after_events(
    tell: Callable[[Iterable[Event]], None], apart: Callable[[], AbstractContextManager[None]]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Has what was committed here told, before the subscribers hear of it."""

    def wrapper(inner: Callable[..., None]) -> Callable[..., None]:
        def deliver(events: Iterable[Event], *elsewhere: Any) -> None:
            events = list(events)
            tell(events)
            with apart():  # what a subscriber writes is a call of its own
                inner(events, *elsewhere)

        return deliver

    return wrapper
