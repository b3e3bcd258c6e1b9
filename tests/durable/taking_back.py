"""Run in a process of its own: ``python taking_back.py URL`` takes back what bob did, until it is done or killed."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel

from concordant import Counter, Scalar, Set, Text, Workspace

NS = ("docs",)


class Page(BaseModel):
    title: Annotated[str, Scalar()] = ""
    body: Annotated[str, Text()] = ""
    tags: Annotated[list[str], Set()] = []
    views: Annotated[int, Counter()] = 0


SCHEMAS = {NS: Page}


def main(url: str) -> None:
    with Workspace(url, schemas=SCHEMAS) as ws:
        print("open", flush=True)
        ws.undo(agent="bob", by="maria", dry_run=False)
        print("done", flush=True)
