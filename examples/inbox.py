"""A reviewer in a process of its own decides what agents could not merge. It was away, it crashes, and misses nothing.

Agents, reviewer and this program share nothing but a file; with `postgresql://...` instead they may run on many
machines.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from concordant import StaleDecisionError, Workspace

BRIEFS = ("briefs",)


def agents(url: str) -> None:
    """Two agents begin at the same time and disagree about two briefs."""
    with Workspace(url) as ws:
        began = ws.moment()
        ada, bob = ws.agent("ada", began=began), ws.agent("bob", began=began)
        for key in ("launch", "budget"):
            ada.write(BRIEFS, key, {"status": "draft"})
            bob.write(BRIEFS, key, {"status": "final"})


def reviewer(url: str, crash_at: str = "") -> None:
    """Decides for the newest contender. Every step may be done twice: the one before a crash will be."""
    with Workspace(url) as ws, ws.subscribe("reviewer", lease=1.0) as inbox:
        while (event := inbox.receive(timeout=2.0)) is not None:
            question = event.escalation
            if event.kind == "opened":
                try:
                    claimed = ws.claim(question, by="eve")
                    if question.key == crash_at:
                        print(f"eve claims {question.key} and crashes", flush=True)
                        os._exit(1)
                    newest = max(claimed.contenders, key=lambda contender: contender.at)
                    ws.resolve(claimed, newest.value, by="eve")
                    print(f"eve decides {question.key}: {newest.value}, as {newest.agent} wrote", flush=True)
                except StaleDecisionError as error:
                    print(error)  # somebody was faster, or there are other contenders by now: another event tells
            inbox.acknowledge()


def process(role: str, *arguments: str) -> None:
    """Runs a role to its end as a program."""
    subprocess.run([sys.executable, __file__, role, *arguments], check=False, timeout=60)


def main() -> None:
    """The story."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/team.db"
        with Workspace(url) as ws:
            ws.subscribe("reviewer").close()  # from here on nothing is missed
            process("agents", url)
            print("open:", [(question.key, question.state) for question in ws.escalations()], flush=True)
            process("reviewer", url, "launch")
            print("open:", [(question.key, question.state) for question in ws.escalations()], flush=True)
            process("reviewer", url)
            print("open:", ws.escalations(), flush=True)
            print("values:", {document.key: document.value["status"] for document in ws.list(BRIEFS)})


if __name__ == "__main__":
    roles = {"agents": agents, "reviewer": reviewer}
    if len(sys.argv) > 2:
        roles[sys.argv[1]](*sys.argv[2:])
    else:
        main()
