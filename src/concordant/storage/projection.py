"""What a storage is told of how records are shown."""

from __future__ import annotations

from typing import Protocol

from concordant.record import Record

__all__ = ["Projection"]


class Projection(Protocol):
    """Tells how records are shown, for a storage that keeps that beside them."""

    def shown(self, namespace: tuple[str, ...], record: Record) -> bytes | None:
        """The JSON of the value that a record shows; ``None`` if it shows none, whatever the time."""
        ...

    def fingerprint(self, namespace: tuple[str, ...]) -> str:
        """Changes with what a namespace's records show for reasons of the schema."""
        ...

    def below(self, prefix: tuple[str, ...]) -> frozenset[str]:
        """The fingerprints that namespaces may have which go on after a prefix."""
        ...
