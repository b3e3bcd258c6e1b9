"""Concordant documents as Loro documents: people's editors speak Loro, and so do other tools (docs/live.md)."""

from concordant_loro.errors import LoroError, LostReplicaError, RefusedUpdateError
from concordant_loro.exchange import from_loro, to_loro
from concordant_loro.live import LiveDocument, Session
from concordant_loro.server import Access, LiveServer, Rate

__all__ = [
    "Access",
    "LiveDocument",
    "LiveServer",
    "LoroError",
    "LostReplicaError",
    "Rate",
    "RefusedUpdateError",
    "Session",
    "from_loro",
    "to_loro",
]
