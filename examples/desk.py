"""A team that disagrees, and the desk on which a person decides. Run: make desk.

When the agents are done, the desk opens in a browser, for this machine alone.
"""

from __future__ import annotations

import argparse
import getpass
import webbrowser
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from concordant import Counter, Map, Scalar, Set, Text, Workspace

BRIEFS, PAGES = ("briefs", "2026"), ("pages",)


class Brief(BaseModel):
    status: Annotated[Literal["new", "draft", "ready", "dropped"] | None, Scalar()] = None
    due: Annotated[date | None, Scalar()] = None
    euros: Annotated[int | None, Field(ge=0), Scalar(resolve="max")] = None
    notes: Annotated[str, Text()] = ""
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    tokens: Annotated[int, Counter()] = 0


class Page(BaseModel):
    title: Annotated[str | None, Scalar()] = None
    body: Annotated[str, Text()] = ""


SCHEMAS: dict[tuple[str, ...], Any] = {("briefs", "*"): Brief, PAGES: Page}
NOTES = (
    "We launch in May. The page says what the library does and what it costs. "
    "Support answers within a day. Press gets the text a week before."
)


def at_once(ws: Workspace, namespace: tuple[str, ...], key: str, sides: dict[str, dict[str, Any]]) -> None:
    """Agents who have all read the same edit it, none having seen the others' changes."""
    document = ws.get(namespace, key)
    seen = document.token if document is not None else ws.moment().token
    for agent, fields in sides.items():
        with ws.agent(agent, seen=seen).edit(namespace, key) as draft:
            for name, value in fields.items():
                setattr(draft, name, value(getattr(draft, name)) if callable(value) else value)


def work(ws: Workspace) -> None:
    """What the team wrote: most of it merges, the rest is asked."""
    planner = ws.agent("planner")
    planner.write(BRIEFS, "launch", {"status": "new", "due": "2026-05-04", "notes": NOTES, "tags": ["launch"]})
    planner.write(BRIEFS, "launch", {"owners": {"docs": "eve", "press": "zoe"}, "euros": 2000, "tokens": 100})
    planner.write(PAGES, "start", {"title": "Start here", "body": "Install it. Then run the demo."})
    at_once(
        ws,
        BRIEFS,
        "launch",
        {
            "researcher": {
                "status": "draft",
                "notes": lambda text: text.replace("what it costs", "what it costs a team of five"),
                "tags": lambda tags: tags | {"crdt"},
                "euros": 2500,
                "tokens": lambda n: n + 900,
            },
            "writer": {
                "status": "ready",
                "notes": lambda text: text.replace("The page says", "The first page says").replace("a day", "an hour"),
                "tags": lambda tags: tags | {"memory"},
                "euros": 1800,
                "owners": {"docs": "carl", "press": "zoe"},
                "due": date(2026, 5, 11),
            },
            "editor": {
                "status": "ready",
                "due": date(2026, 5, 18),
                "owners": {"docs": "ada", "press": "zoe"},
                "notes": lambda text: text.replace("within a day", "within two days"),
            },
        },
    )
    at_once(
        ws,
        PAGES,
        "start",
        {
            "writer": {"title": "Begin here", "body": "Install it with pip. Then run the demo."},
            "editor": {"title": "Your first merge", "body": "Install it from a checkout. Then run the demo."},
        },
    )
    [title] = [question for question in ws.escalations(PAGES) if question.path == ("title",)]
    ws.resolve(title, "Your first merge", by="maria")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", help="a SQLite file to keep it in; by default it is gone at the end")
    parser.add_argument("--port", type=int, default=8737, help="the port on this machine; 0: a free one")
    parser.add_argument("--no-open", action="store_true", help="open no browser")
    parser.add_argument("--no-serve", action="store_true", help="end after the team's work")
    given = parser.parse_args()
    with Workspace(f"sqlite:///{given.store}" if given.store else None, schemas=SCHEMAS) as ws:
        work(ws)
        print(f"{len(ws.escalations())} questions wait for you.")
        if given.no_serve:
            return
        from concordant.desk.serving import serve

        def announce(link: str) -> None:
            print(f"The desk: {link}\nIt ends with Ctrl-C.", flush=True)
            if not given.no_open:
                webbrowser.open(link)

        serve(ws, name=getpass.getuser(), port=given.port, announce=announce)


if __name__ == "__main__":
    main()
