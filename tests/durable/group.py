"""A process of writing threads, to be killed."""

from __future__ import annotations

import itertools
import os
import threading
from typing import Annotated

from pydantic import BaseModel

from concordant import Set, Workspace

NS = ("plans",)


class Plan(BaseModel):
    tags: Annotated[set[str], Set()] = set()


def main(url: str, turn: str) -> None:
    """Writes pairs, and prints the number of each after it was acknowledged."""
    numbers = itertools.count()
    with Workspace(url, schemas={NS: Plan}) as ws:

        def work() -> None:
            while True:
                number = next(numbers)
                value = {"tags": [f"{turn}.{number}"]}
                ws.put_all([(NS, "left", value), (NS, "right", value)])
                os.write(1, f"{number}\n".encode())

        for _ in range(12):
            threading.Thread(target=work, daemon=True).start()
        threading.Event().wait()
