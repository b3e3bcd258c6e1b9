"""No framework: threads that write one ticket, a resolver that settles what it can, and a person who settles the rest.

Run: python examples/plain_python.py
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

from pydantic import BaseModel

from concordant import ABSTAIN, Escalation, Scalar, Set, StaleDecisionError, Text, Workspace


def most_urgent_team(escalation: Escalation) -> object:
    """A resolver: security always takes a ticket; between other teams it does not choose."""
    return "security" if any(c.value == "security" for c in escalation.contenders) else ABSTAIN


class Ticket(BaseModel):
    labels: Annotated[set[str], Set()]
    log: Annotated[str, Text()]
    severity: Annotated[int | None, Scalar(resolve="max")] = None
    team: Annotated[str | None, Scalar(resolve=most_urgent_team)] = None


TICKETS = ("tickets",)
FINDINGS = {
    "T-1": {
        "logs": {"labels": ["login"], "log": "500 on /login", "severity": 3, "team": "web"},
        "scan": {"labels": ["token"], "log": "token in the URL", "severity": 5, "team": "security"},
    },
    "T-2": {
        "logs": {"labels": ["slow"], "log": "p99 is 4 s", "severity": 2, "team": "web"},
        "scan": {"labels": ["slow"], "log": "a query without an index", "severity": 2, "team": "database"},
    },
}


def work(ws: Workspace) -> None:
    """All workers begin at one moment, so what they write is concurrent, whichever of them comes first."""
    began = ws.moment()

    def triage(name: str) -> None:
        agent = ws.agent(name, began=began)
        for key, findings in FINDINGS.items():
            agent.write(TICKETS, key, findings[name])

    with ThreadPoolExecutor() as pool:
        list(pool.map(triage, ["logs", "scan"]))


def settle(ws: Workspace, person: str, answers: dict[str, str]) -> None:
    """Works through the inbox; an answer that comes too late is refused, and the question is looked at again."""
    for escalation in ws.escalations(TICKETS):
        print("open:", escalation.key, escalation.path, sorted(c.value for c in escalation.contenders))
        claimed = ws.claim(escalation, by=person)
        try:
            ws.resolve(claimed, answers[escalation.key], by=person)
        except StaleDecisionError as error:
            print("changed meanwhile:", error.current)


def main() -> None:
    with Workspace(schemas={TICKETS: Ticket}) as ws:
        work(ws)
        settle(ws, "maria", {"T-2": "database"})
        for ticket in ws.list(TICKETS):
            value = ticket.value
            print(
                ticket.key, sorted(value["labels"]), sorted(value["log"].splitlines()), value["severity"], value["team"]
            )
        for escalation in ws.escalations(state="resolved"):
            print(f"{escalation.key} {escalation.path[0]}: {escalation.decision} by {escalation.by}")


if __name__ == "__main__":
    main()
