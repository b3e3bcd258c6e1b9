"""Which schema a namespace has."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from copy import copy
from difflib import SequenceMatcher
from typing import Any

from concordant.errors import Fault, InvalidWriteError, SchemaError, told
from concordant.limits import Limits
from concordant.schema import OPEN_SCHEMA, OPEN_TREE_SCHEMA, Compiled, compile_schema
from concordant.workspace.limiting import check_body, check_place, plain_size
from concordant.workspace.names import check_key, check_namespace, is_text

__all__ = ["Registry"]

log = logging.getLogger("concordant")

_NOTHING: Mapping[tuple[str, ...], bytes] = {}

MOST_MET = 10_000
"""How many namespaces without a schema are looked at for misspellings."""

ALIKE = 0.8
"""From what share of common letters on one name may be meant for another."""


class Registry:
    """Schemas by namespace pattern: a pattern matches a whole namespace, ``*`` is one segment, the most specific wins.

    Raises:
        SchemaError: a pattern or a model is wrong; it lists every fault of every model.
    """

    def __init__(self, schemas: Mapping[tuple[str, ...], Any], undeclared: str, limits: Limits) -> None:
        self.limits = limits
        if not isinstance(undeclared, str) or undeclared not in ("merge", "tree", "reject"):
            fault = Fault(("undeclared",), f"undeclared={told(undeclared)}", 'Use "merge", "tree" or "reject"')
            raise SchemaError("Workspace", [fault])
        self._reject = undeclared == "reject"
        self._open = OPEN_TREE_SCHEMA if undeclared == "tree" else OPEN_SCHEMA
        self._patterns: dict[tuple[str, ...], Compiled] = {}
        self._found: dict[tuple[str, ...], Compiled] = {}
        self._plain = plain_size(self.limits)
        self._writable: dict[tuple[str, ...], Compiled] = {}  # of namespaces to which anybody may write
        self._met: set[tuple[str, ...]] = set()  # namespaces without a schema that were used
        self.declare(schemas)

    def declare(self, schemas: Mapping[tuple[str, ...], Any]) -> None:
        """Adds schemas, all or none; one that is declared already may be declared again, but not another way.

        Raises:
            SchemaError: as for the constructor; or a pattern has another schema already.
        """
        compiled: dict[tuple[str, ...], Compiled] = {}
        faults: list[Fault] = []
        names: list[str] = []
        for pattern, schema in _items(schemas):
            fault = _fault_of(pattern)
            if fault is not None:
                faults.append(fault)
                continue
            try:
                compiled[pattern] = compile_schema(schema)
            except SchemaError as error:
                faults += error.faults
                names.append(error.model)
                continue
            known = self._patterns.get(pattern)
            if known is not None and known.declaration != compiled[pattern].declaration:
                problem = f"the namespace {'/'.join(pattern)} has another schema already"
                faults.append(Fault((pattern,), problem, "Use one schema for it, or another namespace"))
        if faults:
            raise SchemaError(", ".join(dict.fromkeys(names)) or "schemas", faults)
        self._patterns = {**self._patterns, **compiled}
        self._found = {}
        self._writable = {}
        self._models: str | None = None
        self._met = set()

    def snapshot(self) -> Registry:
        """Tells what is declared now, whatever is declared later."""
        twin = copy(self)
        twin._found, twin._writable = {}, {}
        return twin

    @property
    def models(self) -> str:
        """Tells the schemas declared here from others; empty if there are none."""
        if self._models is None:
            parts = sorted(f"{pattern!r} {s.fingerprint.partition('?')[0]}" for pattern, s in self._patterns.items())
            self._models = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] if parts else ""
        return self._models

    def find(self, namespace: tuple[str, ...]) -> Compiled:
        """Returns the schema of a namespace; that of no model where none is declared."""
        try:
            found = self._found.get(namespace)
        except Exception:  # what cannot be hashed is no namespace
            check_namespace(namespace)
            raise
        if found is None:
            check_namespace(namespace)
            best = min((p for p in self._patterns if _matches(p, namespace)), key=_generality, default=None)
            found = self._patterns[best] if best is not None else self._open
            if best is None and self._patterns:
                self._ask_whether_misspelt(namespace)
            if len(self._found) > 100_000:
                self._found.clear()
            self._found[namespace] = found
        return found

    def below(self, prefix: tuple[str, ...]) -> list[Compiled]:
        """Returns the schemas that namespaces may have which go on after a prefix."""
        depth = len(prefix)
        declared = [s for p, s in self._patterns.items() if len(p) > depth and _matches(p[:depth], prefix)]
        return [self._open, *declared]

    def readable(self, namespace: tuple[str, ...], key: str) -> Compiled:
        """Returns the schema, for a read.

        Raises:
            InvalidWriteError: this is no namespace, or no key.
        """
        try:
            found = self._found[namespace]
        except Exception:  # it was not asked for before, or cannot be hashed
            found = self.find(namespace)
        if type(key) is not str or not key.isascii():
            check_key(namespace, key)
        return found

    def incoming(
        self, schema: Compiled, namespace: tuple[str, ...], key: str, value: Any, spelt: bool = False
    ) -> tuple[bytes, Mapping[tuple[str, ...], bytes]]:
        """Validates a write (``Compiled.incoming``) that is to be stored.

        Raises:
            InvalidWriteError: it does not fit the model, or is beyond a limit.
        """
        parked, body = _NOTHING, schema.plain(value)
        if body is None:
            body, parked = schema.closely(namespace, key, value, spelt)
        if parked or len(body) > self._plain or (schema.root.counts and b"E" in body):
            for text in (body, *parked.values()):
                check_body(schema, namespace, key, text, self.limits)
        return body, parked

    def writable(self, namespace: tuple[str, ...], key: str) -> Compiled:
        """Returns the schema, for a write of a value.

        Raises:
            InvalidWriteError: as ``changeable``; or the namespace or key is too long.
        """
        try:
            found = self._writable[namespace]
        except Exception:
            found = self._made_writable(namespace, key)
        if type(key) is not str or len(key) > 64 or not key.isascii():
            check_key(namespace, key)
            check_place(namespace, key, self.limits)
        return found

    def _made_writable(self, namespace: tuple[str, ...], key: str) -> Compiled:
        found = self.changeable(namespace, key)
        check_place(namespace, key, self.limits)
        if len(self._writable) > 100_000:
            self._writable.clear()
        self._writable[namespace] = found
        return found

    def changeable(self, namespace: tuple[str, ...], key: str) -> Compiled:
        """Returns the schema, for a change of what is there, wherever it came from.

        Raises:
            InvalidWriteError: this is no namespace, or no key; or the namespace has no schema and
                ``undeclared="reject"``.
        """
        found = self.readable(namespace, key)
        if self._reject and found is self._open:
            raise _rejected(namespace, key, self._meant(namespace))
        return found

    def _ask_whether_misspelt(self, namespace: tuple[str, ...]) -> None:
        """Warns once of a namespace without a model, where there are some, that looks like one that has a model."""
        if namespace in self._met or len(self._met) >= MOST_MET:
            return
        self._met.add(namespace)
        meant = self._meant(namespace)
        if meant is not None:
            log.warning("the namespace %r has no schema; %r has one: is it misspelt?", namespace, meant)

    def _meant(self, namespace: tuple[str, ...]) -> tuple[str, ...] | None:
        """The pattern that a namespace may have been meant to match."""
        return next((pattern for pattern in self._patterns if _resembles(pattern, namespace)), None)


def _rejected(namespace: tuple[str, ...], key: str, meant: tuple[str, ...] | None) -> InvalidWriteError:
    mend = "Declare a model for it in schemas=, or leave out undeclared='reject'"
    if meant is not None:
        mend = f"{meant!r} has one: is it misspelt? {mend}"
    return InvalidWriteError(namespace, key, [Fault((), "the namespace has no schema", mend)])


def _resembles(pattern: tuple[str, ...], namespace: tuple[str, ...]) -> bool:
    """Whether a namespace that does not match a pattern looks as if it were meant to."""
    if len(pattern) != len(namespace):
        return False
    return all(part in ("*", name) or _is_near(part, name) for part, name in zip(pattern, namespace, strict=True))


def _is_near(one: str, other: str) -> bool:
    """Whether two names differ as misspellings do, and not by a number."""
    letters, others = ("".join(c for c in name.casefold() if not c.isdigit()).strip() for name in (one, other))
    if letters == others:
        return one.casefold().strip() == other.casefold().strip()
    return len(letters) > 2 and SequenceMatcher(None, letters, others, autojunk=False).ratio() >= ALIKE


def _items(schemas: Any) -> list[tuple[Any, Any]]:
    if not isinstance(schemas, Mapping):
        mend = 'Give a dict, such as {("briefs",): Brief}'
        raise SchemaError("schemas", [Fault((), f"schemas={told(schemas)} is no mapping", mend)])
    try:
        return list(schemas.items())
    except Exception as error:
        raise SchemaError("schemas", [Fault((), f"it cannot be read ({error})", "Give a dict")]) from error


def _fault_of(pattern: Any) -> Fault | None:
    """What is wrong with a namespace pattern."""
    words = isinstance(pattern, tuple) and pattern and all(isinstance(part, str) and part for part in pattern)
    if not words or not all(map(is_text, pattern)):
        mend = 'Write it as a tuple, such as ("users", "*")'
        return Fault((pattern,), f"the namespace pattern {told(pattern)} is no tuple of words", mend)
    if any("*" in part and part != "*" for part in pattern):
        mend = 'Use "*", which is one whole segment, and a pattern for each depth: ("users", "*"), ("users", "*", "*")'
        return Fault((pattern,), f"the namespace pattern {told(pattern)} has a segment with * in it", mend)
    return None


def _matches(pattern: tuple[str, ...], namespace: tuple[str, ...]) -> bool:
    return len(pattern) == len(namespace) and all(
        part in ("*", name) for part, name in zip(pattern, namespace, strict=True)
    )


def _generality(pattern: tuple[str, ...]) -> tuple[int, tuple[bool, ...]]:
    return pattern.count("*"), tuple(part == "*" for part in pattern)
