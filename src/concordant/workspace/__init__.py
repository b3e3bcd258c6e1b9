"""The engine's face: agents and their scopes, documents, escalations."""

from concordant.escalation import ABSTAIN, DELETED, Contender, Escalation, Event
from concordant.workspace.agent import Agent
from concordant.workspace.document import Credit, Document, HistoryEntry, Receipt
from concordant.workspace.merging import Update, merge
from concordant.workspace.scope import Moment, TaskScope
from concordant.workspace.undoing import Skipped, Undone, UndoneDocument
from concordant.workspace.workspace import Workspace

__all__ = [
    "ABSTAIN",
    "DELETED",
    "Agent",
    "Contender",
    "Credit",
    "Document",
    "Escalation",
    "Event",
    "HistoryEntry",
    "Moment",
    "Receipt",
    "Skipped",
    "TaskScope",
    "Undone",
    "UndoneDocument",
    "Update",
    "Workspace",
    "merge",
]
