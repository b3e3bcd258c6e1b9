"""Two agents and you in one document. Run: make live.

The agents work at a brief for as long as this runs, a sentence at a time, each by what it has read. The desk opens its
editor on it, for this machine alone; open the address in another window to be there twice.
"""

from __future__ import annotations

import argparse
import getpass
import random
import re
import threading
import webbrowser
from typing import Annotated, Any

from pydantic import BaseModel

from concordant import Counter, Scalar, Text, Workspace

PLACE = ("briefs",), "launch"


class Brief(BaseModel):
    title: Annotated[str, Text()] = ""
    body: Annotated[str, Text()] = ""
    status: Annotated[str, Scalar()] = "draft"
    edits: Annotated[int, Counter()] = 0


START = {
    "title": "Launch of the reading service",
    "body": (
        "The service reads what a team writes down. It answers with the sentence and its source.\n"
        "We launch in May. Support answers within a day.\n"
        "Twelve sources were read for this brief. Two of them are new."
    ),
}
FACTS = (
    "Every answer links to its source.",
    "It works without an account.",
    "A trial lasts thirty days.",
    "The text of a page is read once a night.",
    "Whoever asks sees only what they may read.",
    "Answers come within two seconds.",
)
WORDS = {
    "Twelve": "Fourteen",
    "Fourteen": "Twelve",
    "a day": "an hour",
    "an hour": "a day",
    "May": "June",
    "June": "May",
}


def research(body: str, chance: random.Random) -> str:
    """The researcher adds a fact behind a sentence, or takes one of hers out again."""
    written = [fact for fact in FACTS if fact in body]
    if written and (len(written) > 3 or chance.random() < 0.3):
        return re.sub(rf"[ \n]?{re.escape(chance.choice(written))}", "", body, count=1)
    fact = chance.choice([fact for fact in FACTS if fact not in body])
    ends = [found.end() for found in re.finditer(r"[.](?=\s|$)", body)] or [len(body)]
    at = chance.choice(ends)
    return f"{body[:at]} {fact}{body[at:]}"


def rewrite(body: str, chance: random.Random) -> str:
    """The writer puts another word for one that stands there."""
    found = [word for word in WORDS if re.search(rf"\b{word}\b", body)]
    return re.sub(rf"\b{word}\b", WORDS[word], body, count=1) if (word := chance.choice(found or [""])) else body


def work(ws: Workspace, name: str, does: Any, seed: int, pace: float, ended: threading.Event) -> None:
    """What an agent does until the end: it reads, thinks, and edits what it has read."""
    agent, chance = ws.agent(name), random.Random(seed)
    while not ended.wait(pace * chance.uniform(0.5, 1.5)):
        with agent.edit(*PLACE) as brief:
            body = does(brief.body, chance)
            ended.wait(pace * 0.4)  # it thinks; others write meanwhile
            brief.body, brief.edits = body, brief.edits + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", help="a SQLite file to keep it in; by default it is gone at the end")
    parser.add_argument("--port", type=int, default=8738, help="the port on this machine; 0: a free one")
    parser.add_argument("--by", default=getpass.getuser(), help="your name")
    parser.add_argument("--pace", type=float, default=3.0, help="seconds between two edits of an agent, about")
    parser.add_argument("--no-open", action="store_true", help="open no browser")
    given = parser.parse_args()
    from concordant.desk.serving import serve

    ended = threading.Event()
    with Workspace(f"sqlite:///{given.store}" if given.store else None, schemas={PLACE[0]: Brief}) as ws:
        if ws.get(*PLACE) is None:
            ws.agent("planner").write(*PLACE, START)
        agents = [
            threading.Thread(target=work, args=(ws, name, does, seed, given.pace, ended))
            for seed, (name, does) in enumerate((("researcher", research), ("writer", rewrite)))
        ]

        def announce(link: str) -> None:
            address = link.replace("/?", "/editor?doc=briefs:launch&")
            print(f"The editor: {address}\nTwo agents are at work. It ends with Ctrl-C.", flush=True)
            for agent in agents:
                agent.start()
            if not given.no_open:
                webbrowser.open(address)

        try:
            serve(ws, name=given.by, port=given.port, announce=announce)
        finally:
            ended.set()
            for agent in agents:
                if agent.ident is not None:
                    agent.join()


if __name__ == "__main__":
    main()
