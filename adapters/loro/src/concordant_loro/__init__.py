"""Concordant documents as Loro documents: people's editors speak Loro, and so do other tools (docs/live.md)."""

from concordant_loro.errors import LoroError, RefusedUpdateError
from concordant_loro.exchange import from_loro, to_loro

__all__ = ["LoroError", "RefusedUpdateError", "from_loro", "to_loro"]
