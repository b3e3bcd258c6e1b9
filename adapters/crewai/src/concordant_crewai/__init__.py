"""Concordant for CrewAI: state that crews share, memory that merges, flows that keep what every worker did.

CrewAI takes seconds to import: it is imported when one of these names is first used, not before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concordant_crewai.events import EscalationEvent
    from concordant_crewai.flow import MergeFlow
    from concordant_crewai.installing import install
    from concordant_crewai.memory import MergeStorage
    from concordant_crewai.persistence import MergeFlowPersistence
    from concordant_crewai.shared_state import SharedState

__all__ = ["EscalationEvent", "MergeFlow", "MergeFlowPersistence", "MergeStorage", "SharedState", "install"]

_HOMES = {
    "EscalationEvent": "events",
    "MergeFlow": "flow",
    "MergeFlowPersistence": "persistence",
    "MergeStorage": "memory",
    "SharedState": "shared_state",
    "install": "installing",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return __all__
