"""A desk that many processes work at: they cause conflicts, claim and settle them, and write down what they hear.

Run as a program it is one of them: ``python desk.py worker URL NAME SEED STEPS BEGAN`` prints ``ready``, works when it
is told to by a line, prints its claims, and at the next line what it has heard; ``python desk.py subscriber URL NAME
LEASE FILE`` appends each event to a file before it acknowledges it, until it is killed.
"""

from __future__ import annotations

import ast
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from concordant import Moment, SqliteOptions, StaleDecisionError, Workspace
from concordant.escalation import Event
from concordant.storage.base import Told
from tests.patience import until

SPACE = ("desk",)
DOCUMENTS = 4
OPENING = ("opened", "reopened")
CLOSING = ("resolved", "dismissed", "superseded", "agreed")


def opened(url: str | None) -> Workspace:
    """The store, looked at often."""
    durable = url is not None and url.startswith("sqlite:")
    options = SqliteOptions(synchronous="normal", poll=0.02) if durable else None
    return Workspace(url, options=options)


def written(event: Event) -> str:
    """An event in one line."""
    return f"{event.kind} {event.escalation!r} {event.escalation.by}"


def work(workspace: Workspace, name: str, seed: str, steps: int, began: Moment) -> list[str]:
    """Writes, claims and decides at random; returns under which names it claimed."""
    rnd = random.Random(f"{seed}/{name}")
    agent = workspace.agent(name, began=began)
    claims = []
    for number in range(steps):
        by = f"{name}.{number}"
        act = rnd.choices(("write", "refresh", "claim", "settle"), (5, 1, 3, 3))[0]
        if act == "write":
            fields = rnd.sample(("status", "owner"), rnd.randint(1, 2))
            value = rnd.choice((by, by, by, "done"))
            agent.write(SPACE, f"d{rnd.randrange(DOCUMENTS)}", dict.fromkeys(fields, value))
        elif act == "refresh":
            agent.refresh()
        else:
            found = workspace.escalations(SPACE)
            if act == "claim":
                found = [escalation for escalation in found if escalation.state == "open"]
            if not found:
                continue
            chosen = rnd.choice(found)
            try:
                if act == "claim":
                    workspace.claim(chosen, by=by)
                    claims.append(by)
                elif rnd.random() < 0.3:
                    workspace.dismiss(chosen, by=by)
                else:
                    workspace.resolve(chosen, by, by=by)
            except StaleDecisionError:
                pass  # somebody was faster
    return claims


def all_events(workspace: Workspace) -> list[Told]:
    """Every transition there was, in the order of the commits."""
    return workspace.storage.events.after(workspace.storage.events.first(), 1_000_000)


def heard_all(workspace: Workspace, heard: Sequence[str]) -> None:
    """Waits until a listener has heard as much as there is, and a little longer for what would be too much."""
    until(lambda: len(heard) >= len(all_events(workspace)), lambda: (len(heard), len(all_events(workspace))))
    time.sleep(0.3)


# -- what must hold ----------------------------------------------------------------------------------------------


def check_lives(told: Iterable[Told], workspace: Workspace, claims: Iterable[str] | None) -> None:
    """Each escalation's transitions follow one upon the other up to what it is now, and one of all who claim at once
    does; ``claims``: who was told so (``None``: some died before they could say)."""
    states: dict[str, str] = {}
    claimed = []
    for kind, escalation in ((t.event.kind, t.event.escalation) for t in told):
        before = states.get(escalation.id, "never")
        if kind in OPENING:
            assert before == ("never" if kind == "opened" else "closed"), (kind, before)
            states[escalation.id] = "open"
        elif kind == "claimed":
            assert before == "open", "two claimed what was open"
            claimed.append(escalation.by)
            states[escalation.id] = "claimed"
        else:
            assert before in ("open", "claimed"), (kind, before)
            if kind in CLOSING:
                states[escalation.id] = "closed"
    if claims is not None:
        assert sorted(claimed) == sorted(claims)
    now = {e.id: e.state if e.state in ("open", "claimed") else "closed" for e in workspace.escalations(state="all")}
    assert now == states


def check_heard(told: Sequence[Told], heard: Sequence[str]) -> None:
    """Each once."""
    wanted = Counter(written(t.event) for t in told)
    assert Counter(heard) == wanted


def check_received(told: Sequence[Told], received: Sequence[str]) -> None:
    """Each at least once, and those of a document for the first time in the order of its commits: documents under
    different clocks do not wait for each other."""
    keys = {written(t.event): t.event.escalation.key for t in told}
    assert set(received) == set(keys)
    for key in set(keys.values()):
        came = dict.fromkeys(text for text in received if keys[text] == key)
        assert list(came) == [text for text in keys if keys[text] == key]


# -- as a process ------------------------------------------------------------------------------------------------


def worker(url: str, name: str, seed: str, steps: str, began: str) -> None:
    heard: list[str] = []
    with opened(url) as workspace:
        workspace.on_escalation(lambda event: heard.append(written(event)))
        say("ready")
        sys.stdin.readline()
        say(json.dumps(work(workspace, name, seed, int(steps), Moment(*ast.literal_eval(began)))))
        sys.stdin.readline()
        heard_all(workspace, heard)
        say(json.dumps(heard))


def subscriber(url: str, name: str, lease: str, file: str) -> None:
    with opened(url) as workspace, workspace.subscribe(name, lease=float(lease), from_start=True) as inbox:
        say("ready")
        out = os.open(Path(file), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for event in inbox:
            os.write(out, (written(event) + "\n").encode())


def say(line: str) -> None:
    print(line, flush=True)


ROLES: dict[str, Callable[..., Any]] = {"worker": worker, "subscriber": subscriber}


def main(role: str, *arguments: str) -> None:
    ROLES[role](*arguments)
