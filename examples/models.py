"""Every kind with its options, and what two concurrent writers make of it. Run: python examples/models.py."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel

from concordant import Agent, Counter, Document, List, Map, Scalar, Schema, Set, Text, Workspace, priority


class Report(BaseModel):
    tags: Annotated[set[str], Set()]
    seen: Annotated[set[str], Set(grow_only=True)]  # an edit adds, and never removes
    owners: Annotated[dict[str, str], Map()]  # each key merges like a Scalar
    votes: Annotated[dict[str, Annotated[int, Counter()]], Map()]  # each key merges like a Counter
    draft: Annotated[str, Text()]
    slogan: Annotated[str, Text(overlap="merge")]  # two rewrites of one sentence both stay
    log: Annotated[str, Text(separator=" | ", grow_only=True)]  # an edit's changed lines are appended
    tokens: Annotated[int, Counter()]
    cost: Annotated[Decimal, Counter()]
    steps: Annotated[list[str], List()]
    title: Annotated[str | None, Scalar()] = None  # two values: escalates, the last agreed one is read
    language: Annotated[str | None, Scalar(provisional="latest")] = None  # escalates, the latest is read
    approved: Annotated[bool | None, Scalar(sticky=True)] = None  # escalates until somebody decides
    deadline: Annotated[str | None, Scalar(resolve="min")] = None  # the policy settles it
    confidence: Annotated[float | None, Scalar(resolve="max")] = None
    verdict: Annotated[str | None, Scalar(resolve=priority("editor", "writer*"))] = None


class Source(BaseModel):
    id: Annotated[str, Scalar()] = ""
    title: Annotated[str | None, Scalar(resolve="latest")] = None
    quotes: Annotated[list[str], List()] = []


class Library(BaseModel):
    sources: Annotated[list[Source], Set(by="id")]  # records, each merged field by field
    main: Source = Source()  # a nested record needs no kind of its own


def writer_edits(report: Report) -> None:
    report.tags.remove("old")
    report.seen.clear()
    report.owners["intro"] = "ada"
    report.votes["yes"] = report.votes.get("yes", 0) + 1
    report.draft = report.draft.replace("quick", "quick and brown")
    report.slogan = "Buy today"
    report.log = "writer was here"
    report.tokens += 10
    report.cost += Decimal("0.10")
    report.steps.insert(0, "plan")
    report.title, report.language, report.approved = "Foxes", "fr", True
    report.deadline, report.confidence, report.verdict = "2030-02-01", 0.5, "accept"


def editor_edits(report: Report) -> None:
    report.tags.add("crdt")
    report.seen.add("p2")
    report.owners["end"] = "bob"
    report.votes["yes"] = report.votes.get("yes", 0) + 1
    report.draft = report.draft.replace("jumps", "jumps high")
    report.slogan = "Buy soon"
    report.log = "editor was here"
    report.tokens += 5
    report.cost += Decimal("0.25")
    report.steps.append("review")
    report.title, report.language, report.approved = "On foxes", "de", False
    report.deadline, report.confidence, report.verdict = "2030-01-01", 0.7, "reject"


def show(document: Document) -> None:
    for field, value in document.value.items():
        print(f"{field:<11}", repr(value))
    for escalation in document.contested.values():
        print("contested  ", *escalation.path, [contender.value for contender in escalation.contenders])
    print()


def report(ws: Workspace, writer: Agent, editor: Agent) -> None:
    """Two edits of what both have read, open at the same time."""
    with writer.edit(("reports",), "r1") as one, editor.edit(("reports",), "r1") as other:
        writer_edits(one)
        editor_edits(other)
    show(ws.get(("reports",), "r1"))


def library(ws: Workspace, writer: Agent, editor: Agent) -> None:
    """Two contributions (fields left out are untouched, nothing is removed), then an edit by one who has seen both."""
    writer.write(("libraries",), "l1", {"sources": [{"id": "a", "quotes": ["one"]}], "main": {"title": "Dots"}})
    editor.write(("libraries",), "l1", {"sources": [{"id": "a", "quotes": ["two"]}, {"id": "b"}]})
    with editor.edit(("libraries",), "l1") as shelf:
        shelf.sources[0].quotes.remove("one")
        shelf.sources.append(Source(id="c", title="Clocks"))
        shelf.main.id = "a"
    show(ws.get(("libraries",), "l1"))


def main() -> None:
    schemas = {("reports",): Report, ("libraries",): Schema(Library, on_delete="update", on_invalid="raise")}
    with Workspace(schemas=schemas) as ws:
        planned = {"tags": ["old"], "seen": ["p1"], "draft": "The fox is quick. It jumps.", "slogan": "Buy now"}
        planned |= {"steps": ["read", "write"], "title": "Untitled", "language": "en"}
        ws.agent("planner").write(("reports",), "r1", planned)
        writer, editor = ws.agent("writer"), ws.agent("editor")  # both begin here: what they write is concurrent
        report(ws, writer, editor)
        library(ws, writer, editor)


if __name__ == "__main__":
    main()
