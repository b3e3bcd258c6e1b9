"""Concordant for LangGraph: a store that keeps what parallel nodes write."""

from concordant_langgraph.adoption import AdoptionError
from concordant_langgraph.channel import StateConflictError, edited
from concordant_langgraph.conflicts import PutConflictError
from concordant_langgraph.items import MergedItem, MergedSearchItem
from concordant_langgraph.judging import ask_model
from concordant_langgraph.review import review_conflicts
from concordant_langgraph.server import server_store
from concordant_langgraph.state import state_schema
from concordant_langgraph.store import MergeStore
from concordant_langgraph.tools import memory_tools

__all__ = [
    "AdoptionError",
    "MergeStore",
    "MergedItem",
    "MergedSearchItem",
    "PutConflictError",
    "StateConflictError",
    "ask_model",
    "edited",
    "memory_tools",
    "review_conflicts",
    "server_store",
    "state_schema",
]
