"""A web service over a workspace: what is read goes out with a token, what is written comes back with it.

Any number of workers, each a process of its own, on one database:

    CONCORDANT_URL=postgresql://host/team uvicorn --app-dir examples web_service:app --workers 3

No worker keeps anything between two requests, so that each may answer any of them, also after a restart.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from concordant import (
    ConcordantError,
    Counter,
    HistoryExpiredError,
    InvalidTokenError,
    InvalidWriteError,
    Scalar,
    Set,
    StaleDecisionError,
    StorageBusyError,
    Text,
    UnknownEscalationError,
    Workspace,
)


class Brief(BaseModel):
    title: Annotated[str | None, Scalar()] = None
    tags: Annotated[list[str], Set()] = []
    notes: Annotated[str, Text()] = ""
    views: Annotated[int, Counter()] = 0


class Form(BaseModel):
    """A brief as its reader left it, with the token of what she had been shown; fields left out are untouched."""

    token: str
    value: Brief


class Decision(BaseModel):
    """An answer to the question that had this version; without a value the last agreed one stays."""

    version: str
    value: Any = None
    dismiss: bool = False


BRIEFS = ("briefs",)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Each worker opens the workspace for itself, and closes it at its end."""
    with Workspace(os.environ.get("CONCORDANT_URL"), schemas={BRIEFS: Brief}) as app.state.workspace:
        yield


def workspace(request: Request) -> Workspace:
    return request.app.state.workspace


def user(x_user: Annotated[str, Header()]) -> str:
    """Who is asking. Your own authentication goes here."""
    return x_user


Store = Annotated[Workspace, Depends(workspace)]
User = Annotated[str, Depends(user)]
app = FastAPI(title="Briefs", lifespan=lifespan)

STATUS = {
    InvalidTokenError: 400,
    UnknownEscalationError: 404,
    StaleDecisionError: 409,
    HistoryExpiredError: 410,
    InvalidWriteError: 422,
    StorageBusyError: 503,
}


@app.exception_handler(ConcordantError)
def refused(request: Request, error: ConcordantError) -> JSONResponse:
    """Every refusal says in words what to do."""
    status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)
    return JSONResponse({"detail": str(error)}, status)


# Plain functions run in threads, which may wait for the database; in an `async def` it is `await ws.aget(...)`.
@app.get("/briefs/{key}")
def read(key: str, ws: Store) -> Any:
    document = ws.get(BRIEFS, key)
    if document is None:  # what is to be made of nothing has a token too: that of this moment
        return JSONResponse({"detail": f"there is no brief {key}", "token": ws.moment().token}, 404)
    return document.to_dict()


@app.put("/briefs/{key}")
def save(key: str, form: Form, ws: Store, who: User) -> Any:
    """Stores what somebody made of what she had been shown: removals are of that, and what came since is kept."""
    with ws.agent(who, seen=form.token).edit(BRIEFS, key) as brief:
        for name in form.value.model_fields_set:
            setattr(brief, name, getattr(form.value, name))
    return read(key, ws)


@app.post("/briefs/{key}")
def add(key: str, brief: Brief, ws: Store, who: User) -> Any:
    """Adds: tags, a line of notes, views. Nothing has to be read for that."""
    return ws.agent(who).write(BRIEFS, key, brief).to_dict()


@app.delete("/briefs/{key}")
def delete(key: str, token: str, ws: Store, who: User) -> Any:
    return ws.agent(who, seen=token).delete(BRIEFS, key).to_dict()


@app.get("/briefs/{key}/history")
def history(key: str, ws: Store) -> Any:
    return [entry.to_dict() for entry in ws.history(BRIEFS, key)]


@app.get("/questions")
def questions(ws: Store) -> Any:
    return [question.to_dict() for question in ws.escalations(BRIEFS)]


@app.post("/questions/{id}")
def decide(id: str, decision: Decision, ws: Store, who: User) -> Any:
    """Settles a question as it was looked at; if its contenders changed since, it is to be looked at again."""
    if decision.dismiss:
        return ws.dismiss(id, by=who, version=decision.version).to_dict()
    return ws.resolve(id, decision.value, by=who, version=decision.version).to_dict()


@app.get("/health")
def health(ws: Store) -> Any:
    return {"worker": os.getpid(), "documents": ws.stats().documents}
