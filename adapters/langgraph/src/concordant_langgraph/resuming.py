"""Where a view that outlives its processes is taken up again.

It begins with what was committed since it was last known to hold everything. That is noted in the view's own store, so
that a view that was deleted is made anew. What is noted is a minute old: whoever was killed after writing an older
value over a newer one had read it by then.
"""

from __future__ import annotations

import logging
from typing import Any

from langgraph.store.base import GetOp, PutOp

from concordant import Workspace
from concordant.spi import has_reached, last_commit
from concordant_langgraph.backlog import Backlog
from concordant_langgraph.steps import Steps

__all__ = ["note", "resume"]

log = logging.getLogger("concordant")

_PLACE = (("concordant-view",), "cursor")


def resume(workspace: Workspace, backlog: Backlog) -> Steps[None]:
    """Begins where the view was when that was last noted; from the beginning if that cannot be told."""
    noted: dict[str, Any] = {}
    try:
        [item] = yield [GetOp(*_PLACE, refresh_ttl=False)]
        noted = item.value if item is not None else {}
    except Exception as error:
        log.warning("The view cannot be read (%s: %s): searches look at all of it", type(error).__name__, error)
    replica, _ = last_commit(workspace)
    # Of another store, or of this one before it was restored from a back-up, nothing holds.
    known = noted.get("replica") == replica and has_reached(workspace, noted["n"])
    backlog.begin(noted["n"] if known else None, ())


def note(workspace: Workspace, backlog: Backlog) -> Steps[None]:
    """Notes how far the view has come, if that is news."""
    n = backlog.settled()
    if n is None:
        return
    try:
        yield [PutOp(*_PLACE, {"replica": last_commit(workspace)[0], "n": n}, index=False)]
    except Exception:
        log.debug("How far the view has come could not be noted; more is looked at again", exc_info=True)
