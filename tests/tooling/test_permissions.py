"""What a tool tells an agent that may not write, or may not decide."""

from __future__ import annotations

from concordant import Schema
from tests.tooling.support import Brief, Desk, handles


def test_tools_obey_the_schema() -> None:
    """An update by somebody who is no writer, and an answer by somebody who is no decider, are told as refused; nothing
    is written, and a decider's answer settles."""
    desk = Desk(schema=Schema(Brief, writers=("ada", "bob", "planner"), deciders=("lead",)))
    desk.base(status="draft")
    with desk.task("ada") as ada:
        ada.update(status="review")
    with desk.task("bob") as bob:
        [handle] = handles(bob.update(status="done"))
    with desk.task("mallory", step=3) as mallory:
        refused = mallory.update(size=3)
        assert refused.failed and "'mallory' may not write briefs:launch" in refused.text
    with desk.task("ada", step=4) as ada:
        refused = ada.resolve(id=handle, keep=1)
        assert refused.failed and "may not decide about briefs:launch: its schema names 'lead'" in refused.text
        assert len(desk.ws.escalations()) == 1 and "size" not in desk.value()
    with desk.task("lead", step=5) as lead:
        assert not lead.resolve(id=handle, keep=2).failed
    assert desk.ws.escalations() == [] and desk.value()["status"] == "done"
