"""Concordant: state shared by agents, where concurrent writes are kept, merged as declared, or escalated.

>>> from typing import Annotated
>>> from pydantic import BaseModel
>>> from concordant import Scalar, Set, Workspace
>>> class Brief(BaseModel):
...     tags: Annotated[set[str], Set()] = set()
...     status: Annotated[str | None, Scalar()] = None
>>> ws = Workspace(schemas={("briefs",): Brief})
>>> ada, bob = ws.agent("ada"), ws.agent("bob")
>>> _ = ada.write(("briefs",), "launch", {"tags": ["crdt"], "status": "draft"})
>>> _ = bob.write(("briefs",), "launch", {"tags": ["agents"], "status": "final"})
>>> ws.get(("briefs",), "launch").value["tags"]
['crdt', 'agents']
>>> [(c.value, c.agent) for c in ws.escalations()[0].contenders]
[('draft', 'ada'), ('final', 'bob')]
"""

from concordant.errors import (
    ConcordantError,
    ContestedError,
    CorruptFrameError,
    DamagedDocumentError,
    HistoryExpiredError,
    InvalidContributionError,
    InvalidTokenError,
    InvalidWriteError,
    MissingBaseError,
    NotAllowedError,
    SchemaError,
    StaleDecisionError,
    StaleReplicaError,
    StaleWriteError,
    StorageBusyError,
    StorageError,
    UnknownEscalationError,
)
from concordant.limits import Limits
from concordant.merge.kinds import Counter, List, Map, Scalar, Set, Text, Tree, priority
from concordant.schema import Schema
from concordant.storage import Instant, PostgresOptions, SqliteOptions
from concordant.workspace import (
    ABSTAIN,
    DELETED,
    Agent,
    Contender,
    Credit,
    Document,
    Escalation,
    Event,
    HistoryEntry,
    Moment,
    Receipt,
    Skipped,
    TaskScope,
    Undone,
    UndoneDocument,
    Update,
    Workspace,
    merge,
)

__all__ = [
    "ABSTAIN",
    "DELETED",
    "Agent",
    "ConcordantError",
    "Contender",
    "ContestedError",
    "CorruptFrameError",
    "Counter",
    "Credit",
    "DamagedDocumentError",
    "Document",
    "Escalation",
    "Event",
    "HistoryEntry",
    "HistoryExpiredError",
    "Instant",
    "InvalidContributionError",
    "InvalidTokenError",
    "InvalidWriteError",
    "Limits",
    "List",
    "Map",
    "MissingBaseError",
    "Moment",
    "NotAllowedError",
    "PostgresOptions",
    "Receipt",
    "Scalar",
    "Schema",
    "SchemaError",
    "Set",
    "Skipped",
    "SqliteOptions",
    "StaleDecisionError",
    "StaleReplicaError",
    "StaleWriteError",
    "StorageBusyError",
    "StorageError",
    "TaskScope",
    "Text",
    "Tree",
    "Undone",
    "UndoneDocument",
    "UnknownEscalationError",
    "Update",
    "Workspace",
    "merge",
    "priority",
]
