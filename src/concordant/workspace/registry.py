"""Which schema a namespace has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from copy import copy
from typing import Any

from concordant.errors import Fault, InvalidWriteError, SchemaError
from concordant.schema import OPEN_SCHEMA, Compiled, compile_schema

__all__ = ["Registry"]


class Registry:
    """Schemas by namespace pattern: a pattern matches a whole namespace, ``*`` is one segment, the most specific wins.

    Raises:
        SchemaError: a pattern or a model is wrong; it lists every fault of every model.
    """

    def __init__(self, schemas: Mapping[tuple[str, ...], Any], undeclared: str) -> None:
        if undeclared not in ("merge", "reject"):
            fault = Fault(("undeclared",), f"undeclared={undeclared!r}", 'Use "merge" or "reject"')
            raise SchemaError("Workspace", [fault])
        self._reject = undeclared == "reject"
        self._patterns: dict[tuple[str, ...], Compiled] = {}
        self._found: dict[tuple[str, ...], Compiled] = {}
        self.declare(schemas)

    def declare(self, schemas: Mapping[tuple[str, ...], Any]) -> None:
        """Adds schemas, all or none; one that is declared already may be declared again, but not another way.

        Raises:
            SchemaError: as for the constructor; or a pattern has another schema already.
        """
        compiled: dict[tuple[str, ...], Compiled] = {}
        faults: list[Fault] = []
        names: list[str] = []
        for pattern, schema in schemas.items():
            if (
                not isinstance(pattern, tuple)
                or not pattern
                or not all(isinstance(part, str) and part for part in pattern)
            ):
                mend = 'Write it as a tuple, such as ("users", "*")'
                faults.append(Fault((pattern,), f"the namespace pattern {pattern!r} is no tuple of words", mend))
                continue
            try:
                compiled[pattern] = compile_schema(schema)
            except SchemaError as error:
                faults += error.faults
                names.append(error.model)
                continue
            if not _are_alike(self._patterns.get(pattern), compiled[pattern]):
                problem = f"the namespace {'/'.join(pattern)} has another schema already"
                faults.append(Fault((pattern,), problem, "Use one schema for it, or another namespace"))
        if faults:
            raise SchemaError(", ".join(dict.fromkeys(names)) or "schemas", faults)
        self._patterns = {**self._patterns, **compiled}
        self._found = {}
        self._models: str | None = None

    def snapshot(self) -> Registry:
        """What is declared now, whatever is declared later."""
        twin = copy(self)
        twin._found = {}
        return twin

    @property
    def models(self) -> str:
        """Tells the schemas declared here from others; empty if there are none."""
        if self._models is None:
            parts = sorted(f"{pattern!r} {s.fingerprint.partition('?')[0]}" for pattern, s in self._patterns.items())
            self._models = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] if parts else ""
        return self._models

    def find(self, namespace: tuple[str, ...]) -> Compiled:
        """The schema of a namespace; ``OPEN_SCHEMA`` where none is declared."""
        found = self._found.get(namespace)
        if found is None:
            _check(namespace)
            best = min((p for p in self._patterns if _matches(p, namespace)), key=_generality, default=None)
            found = self._patterns[best] if best is not None else OPEN_SCHEMA
            if len(self._found) > 100_000:
                self._found.clear()
            self._found[namespace] = found
        return found

    def below(self, prefix: tuple[str, ...]) -> list[Compiled]:
        """The schemas that namespaces may have which go on after a prefix."""
        depth = len(prefix)
        declared = [s for p, s in self._patterns.items() if len(p) > depth and _matches(p[:depth], prefix)]
        return [OPEN_SCHEMA, *declared]

    def readable(self, namespace: tuple[str, ...], key: str) -> Compiled:
        """The schema, for a read.

        Raises:
            InvalidWriteError: this is no namespace, or no key.
        """
        try:
            found = self._found.get(namespace) or self.find(namespace)
        except TypeError:  # unhashable
            _check(namespace)
            raise
        if type(key) is not str:
            _check_key(namespace, key)
        return found

    def writable(self, namespace: tuple[str, ...], key: str) -> Compiled:
        """The same, where writing is allowed.

        Raises:
            InvalidWriteError: the namespace has no schema and ``undeclared="reject"``.
        """
        found = self.readable(namespace, key)
        if not key.isascii():
            _check_key(namespace, key)
        if found is OPEN_SCHEMA and self._reject:
            mend = "Declare a model for it in schemas=, or leave out undeclared='reject'"
            raise InvalidWriteError(namespace, key, [Fault((), "the namespace has no schema", mend)])
        return found


def _are_alike(known: Compiled | None, new: Compiled) -> bool:
    if known is None:
        return True
    return _options(known) == _options(new)


def _options(schema: Compiled) -> tuple[Any, ...]:
    return schema.model, schema.on_delete, schema.on_invalid, schema.renamed


def _check_key(namespace: tuple[str, ...], key: Any) -> None:
    if not isinstance(key, str):
        raise InvalidWriteError(
            namespace, str(key), [Fault((), f"the key {key!r} is a {type(key).__name__}", "Use a string")]
        )
    if not _is_text(key):
        raise InvalidWriteError(
            namespace, repr(key), [Fault((), "the key is text that is no valid Unicode", "Repair it")]
        )


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(namespace: Any) -> None:
    """Refuses what is no namespace, before anything is stored under a name that nobody finds again."""
    if (
        not isinstance(namespace, tuple)
        or not namespace
        or not all(isinstance(p, str) and p and _is_text(p) for p in namespace)
    ):
        mend = 'Write it as a tuple of non-empty strings, such as ("briefs",)'
        fault = Fault((), f"the namespace {namespace!r} is no tuple of names", mend)
        raise InvalidWriteError((str(namespace),), "", [fault])


def _matches(pattern: tuple[str, ...], namespace: tuple[str, ...]) -> bool:
    return len(pattern) == len(namespace) and all(
        part in ("*", name) for part, name in zip(pattern, namespace, strict=True)
    )


def _generality(pattern: tuple[str, ...]) -> tuple[int, tuple[bool, ...]]:
    return pattern.count("*"), tuple(part == "*" for part in pattern)
