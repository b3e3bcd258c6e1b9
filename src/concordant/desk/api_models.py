"""What the JSON API takes and gives, as models: they validate what is sent, and make the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from concordant.workspace.judging import MOST_WHY

State = Literal["open", "claimed", "resolved", "dismissed", "superseded", "agreed"]
Reason = Literal["scalar", "type", "text", "delete", "schema", "invalid"]


class Strict(BaseModel):
    """What is sent has no other names than these."""

    model_config = ConfigDict(extra="forbid", title=None)


class Contender(BaseModel):
    """One side of a question. ``deleted`` tells a side that deletes from one whose value is null."""

    value: Any
    deleted: bool
    agent: str
    agents: list[str]
    at: str
    origin: str


class Remark(BaseModel):
    """Why somebody decided so, or was asked and did not decide."""

    by: str
    text: str


class Question(BaseModel):
    """An open question, or one that was open (docs/web.md)."""

    id: str
    version: str
    namespace: list[str]
    key: str
    path: list[str]
    reason: Reason
    state: State
    base: Any
    has_base: bool
    contenders: list[Contender]
    more: int
    asked: bool
    suggestion: str | None
    opened_at: str
    closed_at: str | None
    by: str | None
    decision: Any
    decision_deleted: bool
    remarks: list[Remark]


class Questions(BaseModel):
    """Questions, and where the next page begins."""

    questions: list[Question]
    total: int
    next: int | None


class Receipt(BaseModel):
    """What became of a write: the document's version, and the questions that it has a part in."""

    version: int
    escalations: list[Question]


class Document(BaseModel):
    """A document as it was read; ``token`` says so when something is written on the strength of it."""

    namespace: list[str]
    key: str
    version: int
    token: str
    value: dict[str, Any]
    contested: list[Question]
    undeclared: list[str]
    created_at: str
    updated_at: str
    expires_at: str | None


class Summary(BaseModel):
    """A document in a list."""

    place: str
    namespace: list[str]
    key: str
    version: int
    updated_at: str
    open: int


class Documents(BaseModel):
    """Documents, and where the next page begins."""

    documents: list[Summary]
    next: int | None


class Settled(BaseModel):
    """What a policy settled with a change."""

    path: list[str]
    policy: str


class Change(BaseModel):
    """One change of a document; ``met`` tells what became of fields that met what their writer had not seen."""

    version: int
    at: str
    agent: str
    act: str
    value: Any
    paths: list[list[str]]
    origin: str
    settled: list[Settled]
    namespace: list[str]
    key: str
    met: dict[str, str]


class Changes(BaseModel):
    """Changes, the newest first."""

    changes: list[Change]


class Credit(BaseModel):
    """Who stands for a value, an element, or a part of a text."""

    path: list[str]
    value: Any
    agent: str
    agents: list[str]
    at: str


class Credits(BaseModel):
    """Who stands for each part of a document."""

    credits: list[Credit]


class Difference(BaseModel):
    """What became of one value."""

    path: list[str]
    added: bool
    removed: bool
    before: Any
    after: Any


class Differences(BaseModel):
    """What differs between two versions of a document."""

    differences: list[Difference]


Why = Annotated[str | None, Field(max_length=MOST_WHY, description="The reason, which stays on record.")]


class Decision(Strict):
    """What is decided: exactly one of the names, and why."""

    value: Annotated[Any, Field(description="A value of the field's type; for a text, of the contested range.")] = None
    take: Annotated[int | None, Field(ge=1, description="The number of a side, 1 for the first.")] = None
    suggestion: Annotated[bool, Field(description="The merge by words.")] = False
    deleted: Annotated[bool, Field(description="Decides for the deletion.")] = False
    why: Why = None


class Dismissal(Strict):
    """Why all sides are dismissed."""

    why: Why = None


class Nothing(Strict):
    """An empty object."""


class Picked(Strict):
    """A question as it was looked at."""

    id: str
    version: str


class Bulk(Strict):
    """What many questions are to become."""

    choice: Literal["agent", "latest", "base", "dismiss"]
    agent: str = ""
    questions: list[Picked]
    why: Why = None


class Refused(BaseModel):
    """A question that was not decided, and why."""

    id: str
    why: str


class BulkOutcome(BaseModel):
    """What became of many questions."""

    decided: list[str]
    refused: list[Refused]


class Put(Strict):
    """Fields to write: added to what is there; with the token of a read they are changed from that."""

    value: dict[str, Any]
    token: str | None = None


class Restore(Strict):
    """To which version a document goes back."""

    version: int


class Undo(Strict):
    """Whose contributions are taken back, and since when; without ``dry_run: false`` it is only shown."""

    agent: str
    since: Annotated[int | str | None, Field(description="A version, or a time (ISO 8601, UTC by default).")] = None
    namespace: str = ""
    dry_run: bool = True


class UndoneDocument(BaseModel):
    """What becomes of one document."""

    namespace: list[str]
    key: str
    versions: list[int]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    questions: list[Question]
    version: int


class Skipped(BaseModel):
    """What cannot be taken back, and why."""

    namespace: list[str]
    key: str
    reason: str


class Undone(BaseModel):
    """What taking back does, or would do."""

    agent: str
    by: str
    applied: bool
    documents: list[UndoneDocument]
    skipped: list[Skipped]
    before: int
    writers: list[str]


class Subscription(BaseModel):
    """Who hears of questions under a name: how many events wait, since when, and whether somebody receives now."""

    name: str
    waiting: int
    since: str | None
    receiving: bool


class Subscriptions(BaseModel):
    """All subscriptions, by name."""

    subscriptions: list[Subscription]


class Forget(Strict):
    """Which subscription is forgotten."""

    name: str


class Ask(Strict):
    """What is asked about in a document."""

    path: list[str]


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, Any]] | None = None
    current: Question | None = None
