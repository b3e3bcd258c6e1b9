"""Run in processes of their own: hears of escalations and says so, line by line, until it is killed or told enough."""

from __future__ import annotations

import sys
import time

from concordant import Workspace


def main() -> None:
    """``listen.py URL NAME LEASE HOW``: receives under the name; ``hang`` never comes back from the first event."""
    url, name, lease, how = sys.argv[1:]
    with Workspace(url) as workspace, workspace.subscribe(name, lease=float(lease)) as inbox:
        print("ready", flush=True)
        for event in inbox:
            print(event.kind, event.escalation.key, flush=True)
            while how == "hang":
                time.sleep(1)


if __name__ == "__main__":
    main()
