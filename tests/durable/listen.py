"""Run in processes of their own: hears of escalations and says so, line by line, until it is killed or told enough."""

from __future__ import annotations

import time

from concordant import Workspace


def main(url: str, name: str, lease: str, how: str) -> None:
    """Receives under the name; ``hang`` never comes back from the first event."""
    with Workspace(url) as workspace, workspace.subscribe(name, lease=float(lease)) as inbox:
        print("ready", flush=True)
        for event in inbox:
            print(event.kind, event.escalation.key, flush=True)
            while how == "hang":
                time.sleep(1)
