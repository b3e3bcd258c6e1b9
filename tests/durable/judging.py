"""One process of a fleet whose questions go to a judge: ``main``, in a process of its own."""

from __future__ import annotations

import ast
import json
import os
import time
from typing import Annotated, Any

from pydantic import create_model

from concordant import Moment, Scalar, Workspace, judges
from concordant.judges import Case, Judge, Ruling

SPACE = ("plans",)
DOCUMENTS = 12


class Logging(Judge):
    """A judge that notes in a file what it is asked; it abstains about every third document."""

    name = "logging"

    def __init__(self, log: str) -> None:
        self._log = log
        self._judge = judges.llm(self._say, sides_only=True)

    def rule(self, case: Case) -> Ruling:
        question = case.escalation
        with open(self._log, "a", encoding="utf-8") as log:
            log.write(json.dumps([question.key, question.id, question.version]) + "\n")
        return self._judge.rule(case)

    def _say(self, prompt: str) -> str:
        time.sleep(0.01)
        if any(f'"key": "d{number}"' in prompt for number in range(0, DOCUMENTS, 3)):
            return '{"abstain": true, "reason": "Ask the customer."}'
        return '{"take": 1, "confidence": 1, "reason": "It came first."}'


def schemas(log: str) -> dict[tuple[str, ...], Any]:
    return {SPACE: create_model("Judged", x=(Annotated[int, Scalar(resolve=Logging(log))], 0))}


def run(url: str, log: str, worker: int, began: Moment) -> None:
    with Workspace(url, schemas=schemas(log)) as workspace:
        agent = workspace.agent(f"w{worker}", began=began)
        for number in range(DOCUMENTS):
            agent.write(SPACE, f"d{number}", {"x": worker})
        assert workspace.join_judges(120.0)


def main(url: str, log: str, worker: str, began: str) -> None:
    run(url, log, int(worker), Moment(*ast.literal_eval(began)))
    os.write(1, b"0\n")
