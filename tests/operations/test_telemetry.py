"""What a workspace tells OpenTelemetry and logs, looked at with the exporters in memory of OpenTelemetry's SDK."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Annotated, Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel

from concordant import (
    ConcordantError,
    InvalidWriteError,
    Scalar,
    Set,
    StaleDecisionError,
    StorageError,
    Workspace,
    telemetry,
)
from concordant_langgraph import MergeStore

FreshUrl = Callable[[str], str | None]
EVERY = pytest.mark.parametrize("kind", ["memory", "sqlite", "folder"])
NS = ("briefs",)


class Brief(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    status: Annotated[str | None, Scalar()] = None
    budget: Annotated[int, Scalar(resolve="max")] = 0


SCHEMAS = {NS: Brief}


class Told:
    """What was exported."""

    def __init__(self) -> None:
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers, self.meters = TracerProvider(), MeterProvider([self.reader])
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))

    def install(self, ws: Workspace) -> Callable[[], None]:
        return telemetry.install(ws, tracer_provider=self.tracers, meter_provider=self.meters)

    def spans(self, name: str = "") -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if name in ("", span.name)]

    def points(self, name: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        resources = [] if data is None else data.resource_metrics
        metrics = [m for one in resources for scope in one.scope_metrics for m in scope.metrics if m.name == name]
        return [point for metric in metrics for point in metric.data.data_points]

    def counted(self, name: str) -> dict[tuple[Any, ...], int]:
        """The points of a counter or gauge, by the values of their attributes in the order of their names."""
        return {tuple(v for _, v in sorted(point.attributes.items())): point.value for point in self.points(name)}


@pytest.fixture
def told() -> Iterator[Told]:
    found = Told()
    yield found
    found.tracers.shutdown()
    found.meters.shutdown()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return {name.removeprefix("concordant."): value for name, value in (span.attributes or {}).items()}


@EVERY
def test_writes_are_counted_by_what_became_of_them(kind: str, fresh_url: FreshUrl, told: Told) -> None:
    """As the journal has them: ordered, merged, agreed, settled, escalated; and what was refused or changed nothing."""
    with Workspace(fresh_url(kind), schemas=SCHEMAS) as ws:
        told.install(ws)
        began = ws.moment()
        ada, bob = ws.agent("ada", began=began), ws.agent("bob", began=began)
        ada.write(NS, "a", {"tags": ["x"], "status": "draft", "budget": 1})
        for given in ({"tags": ["y"]}, {"status": "draft"}, {"budget": 2}, {"status": "final", "tags": ["z"]}):
            bob.write(NS, "a", given)
        with ws.agent("eve").edit(NS, "a"):
            pass
        with ws.agent("eve").edit(NS, "a") as brief:
            brief.tags.discard("x")
        with pytest.raises(InvalidWriteError):
            ada.write(NS, "b", {"nothing": 1})
        ws.put(NS, "c", {"status": "new"})
        ws.remove(NS, "c")
        [question] = ws.escalations()
        ws.resolve(question, "final", by="maria")
        with pytest.raises(StaleDecisionError):
            ws.resolve(question, "draft", by="maria")
        assert told.counted("concordant.writes") == {
            ("write", "ordered"): 1,
            ("write", "merged"): 1,
            ("write", "agreed"): 1,
            ("write", "settled"): 1,
            ("write", "escalated"): 1,
            ("edit", "unchanged"): 1,
            ("edit", "ordered"): 1,
            ("write", "refused"): 1,
            ("put", "ordered"): 1,
            ("delete", "ordered"): 1,
            ("resolve", "ordered"): 1,
            ("resolve", "refused"): 1,
        }
        journal = Counter(entry.act for entry in ws.log(limit=100))
        counted: Counter[str] = Counter()
        for (act, outcome), count in told.counted("concordant.writes").items():
            counted[act] += count if outcome not in ("unchanged", "refused") else 0
        assert +counted == journal


@EVERY
def test_spans_of_commits_and_reads(kind: str, fresh_url: FreshUrl, told: Told) -> None:
    """One for each call, below the span in which it was made, with who, where and what came of it, and no value."""
    with Workspace(fresh_url(kind), schemas=SCHEMAS) as ws:
        told.install(ws)
        with told.tracers.get_tracer("test").start_as_current_span("outside") as outside:
            ws.agent("ada").write(NS, "a", {"status": "my own words"})
            ws.agent("bob", began=ws.moment()).read(NS, "a")
            assert ws.get(NS, "none") is None
            assert len([*ws.list(NS)]) == 1
            with pytest.raises(InvalidWriteError):
                ws.put(NS, "a", {"status": {"my own words": 1}, "x": "my own words"})
        [written, refused] = told.spans("concordant.commit")
        [read, none] = told.spans("concordant.read")
        [listed] = told.spans("concordant.list")
        assert attributes(written) == {
            **{"namespace": NS, "key": "a", "agent": "ada", "act": "write", "version": 1, "outcome": "ordered"}
        }
        assert attributes(read) == {"namespace": NS, "key": "a", "found": True, "version": 1, "contested": 0}
        assert attributes(none) == {"namespace": NS, "key": "none", "found": False}
        assert attributes(listed) == {"namespace": NS, "documents": 1}
        assert attributes(refused)["error.type"] == "InvalidWriteError" and not refused.status.is_ok
        for span in told.spans():
            assert span.name == "outside" or (span.parent and span.parent.span_id == outside.get_span_context().span_id)
            assert "my own words" not in span.to_json()


@EVERY
def test_writes_of_coroutines(kind: str, fresh_url: FreshUrl, told: Told) -> None:
    """Those that are committed together are told one by one, each below its coroutine's span."""

    async def write(ws: Workspace, number: int) -> None:
        with told.tracers.get_tracer("test").start_as_current_span(f"outside {number}"):
            await ws.agent(f"a{number}").awrite(NS, f"k{number % 3}", {"tags": [str(number)]})
            await ws.aput(NS, "put", {"tags": [str(number)]})
            await ws.aget(NS, "put")

    async def run(ws: Workspace) -> None:
        await asyncio.gather(*(write(ws, number) for number in range(9)))

    with Workspace(fresh_url(kind), schemas=SCHEMAS) as ws:
        told.install(ws)
        asyncio.run(run(ws))
        assert sum(told.counted("concordant.writes").values()) == len(ws.log(limit=100)) == 18
        outside = {span.context.span_id: span.name for span in told.spans() if span.context and span.parent is None}
        children = Counter(outside[span.parent.span_id] for span in told.spans() if span.parent)
        assert children == {f"outside {number}": 3 for number in range(9)}
        assert {span.name for span in told.spans("concordant.commit") if "version" not in attributes(span)} == set()


@EVERY
def test_questions_are_counted(kind: str, fresh_url: FreshUrl, told: Told) -> None:
    """Their transitions by reason and state, those that are open, and how long people took."""
    with Workspace(fresh_url(kind)) as ws, Workspace() as other:
        told.install(ws)
        heard: list[str] = []
        ws.on_escalation(lambda event: heard.append(event.kind))
        began = ws.moment()
        for key in ("a", "b", "c"):
            for agent in ("ada", "bob", "eve"):
                ws.agent(agent, began=began).write(NS, key, {"status": agent})
        first, second, _ = ws.escalations()
        ws.resolve(ws.claim(first, by="maria"), "ada", by="maria")
        ws.claim(second, by="maria")
        for agent in ("ada", "bob"):
            other.agent(agent, began=other.moment()).write(NS, "away", {"status": "x"})
        other.agent("zoe", began=ws.moment()).delete(NS, "none")
        assert told.counted("concordant.escalations.open") == {("scalar", "claimed"): 1, ("scalar", "open"): 1}
        counted = told.counted("concordant.escalations")
        assert counted == {
            ("opened", "scalar", "open"): 3,
            ("grew", "scalar", "open"): 3,
            ("claimed", "scalar", "claimed"): 2,
            ("resolved", "scalar", "resolved"): 1,
        }
        assert sum(counted.values()) == len(heard)
        [point] = told.points("concordant.decision.duration")
        closed = ws.escalation(first.id)
        assert closed is not None and closed.closed_at is not None
        assert point.count == 1 and dict(point.attributes) == {
            "concordant.reason": "scalar",
            "concordant.state": "resolved",
        }
        assert timedelta(seconds=point.sum) == closed.closed_at - closed.opened_at
        assert point.explicit_bounds[0] == 60 and point.explicit_bounds[-1] == 7 * 86_400
    if kind != "memory":  # which can be read for ever
        assert told.points("concordant.escalations.open") == []


def test_what_a_subscriber_writes_is_told_by_itself(told: Told) -> None:
    """A callback that writes has a span of its own, below that of the write that it hears of."""
    with Workspace() as ws:
        told.install(ws)
        ws.on_escalation(lambda event: ws.put(("log",), event.id, {"kind": event.kind}) and None)
        began = ws.moment()
        for agent in ("ada", "bob"):
            ws.agent(agent, began=began).write(NS, "a", {"status": agent})
        spans = told.spans("concordant.commit")
        assert [attributes(span)["outcome"] for span in spans] == ["ordered", "ordered", "escalated"]
        assert spans[1].parent and spans[2].context and spans[1].parent.span_id == spans[2].context.span_id
        assert sum(told.counted("concordant.writes").values()) == 3


def test_several_at_once_and_other_ways_of_writing(told: Told) -> None:
    """A batch is one span with a count; an import, an undo, an expiry are told too."""
    store = MergeStore()
    ws = store.workspace
    told.install(ws)
    ws.put_all([(NS, "a", {"x": 1}), (NS, "b", {"x": 2})])
    store.put(NS, "c", {"x": 3})
    assert store.get(NS, "c") is not None and len(store.search(NS)) == 3
    ws.undo(agent="anonymous", prefix=NS, by="maria", dry_run=False)
    with Workspace() as other:
        other.agent("zoe").write(NS, "z", {"x": 9})
        ws.import_(other.export())
    ws.put(NS, "short", {"x": 1}, ttl=0.0)
    ws.sweep()
    assert attributes(told.spans("concordant.commit")[0])["writes"] == 2
    acts = {act for act, _ in told.counted("concordant.writes")}
    assert {"put", "undo", "import", "expire"} <= acts
    assert told.spans("concordant.list")


def test_outages_are_counted(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that the store could not take is `failed`; its error is what it was."""
    with Workspace() as ws:

        def fail(*_: Any) -> Any:
            raise StorageError("the store", "it is gone", "wait")

        monkeypatch.setattr(ws.storage, "create", fail)
        told.install(ws)
        with pytest.raises(StorageError):
            ws.put(NS, "a", {"x": 1})
        assert told.counted("concordant.writes") == {("put", "failed"): 1}


@pytest.mark.parametrize("wrong", [("briefs", "a"), (NS, 7), (("a", 1), "k"), (("\ud800",), "\ud800"), (None, None)])
def test_what_is_no_place_is_refused_as_without(wrong: Any, told: Told) -> None:
    """Telemetry changes no error."""
    with Workspace() as plain, Workspace() as ws:
        told.install(ws)
        errors = []
        for one in (plain, ws):
            with pytest.raises(ConcordantError) as refused:
                one.put(*wrong, {"x": 1})
            errors.append((type(refused.value), str(refused.value)))
        assert errors[0] == errors[1]


def test_what_was_installed_is_taken_off(told: Told) -> None:
    """Nothing is told any more, and the calls are those that they were; twice installed, each is taken off alone."""
    other = Told()
    ws = Workspace()
    parts = (ws.writing, ws.writing.joint, ws.reading, ws.deciding, ws.storage, ws.core.subscribers)
    before = [set(vars(part)) for part in parts]
    first = told.install(ws)
    second = other.install(ws)
    ws.put(NS, "a", {"x": 1})
    first()
    ws.put(NS, "a", {"x": 2})
    assert [len(one.spans("concordant.commit")) for one in (told, other)] == [1, 2]
    second()
    ws.put(NS, "a", {"x": 3})
    assert ws.get(NS, "a") is not None
    assert [len(one.spans()) for one in (told, other)] == [1, 2]
    assert ws.stats().writes == {"put": 3}
    third = told.install(Workspace())
    third()
    alone = Workspace()
    told.install(alone)()
    assert [set(vars(part)) for part in (alone.writing, alone.storage)] == [before[0], before[4]]


def test_a_workspace_is_let_go(told: Told) -> None:
    """The meter, which nobody can take a gauge from, does not keep a closed workspace alive."""
    ws = Workspace()
    told.install(ws)
    gone = weakref.ref(ws.storage)
    ws.close()
    del ws
    gc.collect()
    assert gone() is None and told.points("concordant.escalations.open") == []


def test_a_put_costs_what_it_did() -> None:
    """Where telemetry was never installed, or was taken off, a put makes the calls that it makes without: not one more,
    and OpenTelemetry is not imported."""

    def calls(ws: Workspace) -> Counter[str]:
        counted: Counter[str] = Counter()

        def note(frame: Any, event: str, argument: Any) -> None:
            if event == "call":
                counted[frame.f_code.co_qualname] += 1
            elif event == "c_call":
                counted[f"C {getattr(argument, '__qualname__', '')}"] += 1

        ws.put(NS, "warm", {"x": 1})
        threading.setprofile(None)
        gc.disable()  # whoever is told of a collection is called, too
        sys.setprofile(note)
        try:
            for number in range(20):
                ws.put(NS, f"k{number}", {"x": number})
                ws.put(NS, f"k{number}", {"x": number + 1})
                ws.get(NS, f"k{number}")
        finally:
            sys.setprofile(None)
            gc.enable()
        return counted

    plain, taken_off = Workspace(), Workspace()
    telemetry.install(taken_off)()
    expected = calls(plain)
    assert calls(taken_off) == expected and not any("telemetry" in name for name in expected)
    code = "import sys, concordant; concordant.Workspace().put(('a',), 'k', {'x': 1}); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in modules if "telemetry" in name]


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra there is a clear error."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConcordantError, match=r"pip install 'concordant\[otel\]'"):
        telemetry.install(Workspace())


def test_events_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Each transition is one record with attributes, of what this workspace does, until it is ended."""
    with Workspace() as ws:
        end = telemetry.log_events(ws)
        began = ws.moment()
        with caplog.at_level(logging.INFO, "concordant.events"):
            for agent in ("ada", "bob"):
                ws.agent(agent, began=began).write(NS, "a", {"status": f"the words of {agent}"})
            [question] = ws.escalations()
            ws.resolve(question, "x", by="maria")
            end()
            ws.reopen(question.id, by="maria")
        opened, resolved = caplog.records
        assert {name: value for name, value in vars(resolved).items() if name.startswith("concordant_")} == {
            "concordant_event": "escalation.resolved",
            "concordant_id": resolved.concordant_id,  # type: ignore[attr-defined]
            "concordant_escalation": question.id,
            "concordant_namespace": NS,
            "concordant_key": "a",
            "concordant_path": ("status",),
            "concordant_reason": "scalar",
            "concordant_state": "resolved",
            "concordant_by": "maria",
            "concordant_agents": ("ada", "bob"),
        }
        assert opened.getMessage() == f"a question was opened: {question.id}" and "words" not in str(vars(opened))
