"""What a storage is told of how records are shown."""

from __future__ import annotations

from typing import Any, Protocol

from concordant.record import Record

__all__ = ["ALIEN", "Projection", "is_present"]


class Projection(Protocol):
    """Tells how records are shown, for a storage that keeps that beside them."""

    def shown(self, namespace: tuple[str, ...], record: Record) -> bytes | None:
        """The JSON of the value that a record shows; ``None`` if it shows none, whatever the time."""
        ...

    def fingerprint(self, namespace: tuple[str, ...]) -> str:
        """Changes with what a namespace's records show for reasons of the schema."""
        ...

    def shape(self, namespace: tuple[str, ...]) -> str:
        """How the fields of a namespace's documents merge, as text; the same where the fingerprint is."""
        ...

    def written_under(self, shape: str | None, row: tuple[Any, ...]) -> tuple[Any, ...] | Record:
        """The state of a document whose only write was made under a model with another fingerprint.

        Args:
            shape: that of the other model; ``None`` if it is not known.
        """
        ...

    def below(self, prefix: tuple[str, ...]) -> frozenset[str]:
        """The fingerprints that namespaces may have which go on after a prefix."""
        ...


ALIEN = "!"
"""Ends the fingerprint of a record which holds what the model does not make."""


def is_present(fingerprint: str | None, present: str) -> bool:
    """Whether a document with this fingerprint was saved under the present model, as far as can be told between
    processes, and holds only what that model makes."""
    if fingerprint is None or fingerprint.endswith(ALIEN):
        return False
    return fingerprint == present or fingerprint.partition("?")[0] == present.partition("?")[0]
