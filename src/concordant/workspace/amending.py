"""The part of a workspace that carries out agents' tool calls: changes that say what they add and what they take away.

A value put back after a read tells its additions and removals only by comparison with what was read. A tool call names
both, so nobody has to have read anything: what it adds is contributed, what it removes or replaces is taken from what
its writer has seen, in one transaction.

A model writes the arguments of a call before the call begins. So a field whose whole value is one of them
(``put_said``) is no change of what the tool's code has read since; that read, made for the put, was shown to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from concordant.errors import Fault, InvalidWriteError
from concordant.merge.causality import SeenBy
from concordant.merge.kinds import Look
from concordant.merge.kinds.base import reading
from concordant.merge.record import Record
from concordant.merge.registers import as_seen, leaf_at, supporters_below
from concordant.schema import Compiled
from concordant.storage import State
from concordant.storage.cut import Cut
from concordant.values import ABSENT, canonical, encode
from concordant.workspace.core import Core
from concordant.workspace.document import Document
from concordant.workspace.evidence import Evidence, evidence_of, is_mine
from concordant.workspace.executions import Retries
from concordant.workspace.reading import Reading
from concordant.workspace.scope import ReadSnapshot, Scope
from concordant.workspace.scoping import ANONYMOUS
from concordant.workspace.states import expanded, tree_of, value_of
from concordant.workspace.transaction import Pending
from concordant.workspace.visibility import seen_by
from concordant.workspace.writing import Writing

__all__ = ["Amended", "Amending", "Changes", "Company", "Part"]


class Changes(NamedTuple):
    """What to do to a document, as JSON values by field.

    Attributes:
        contribution: what to add, as for ``write``.
        before, after: parts of what was seen, and what becomes of them; only their difference counts.
    """

    contribution: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]


class Company(NamedTuple):
    """What others wrote to a field that the writer had not seen: who they are, and their part of the value (``ABSENT``
    where nothing of it stands)."""

    agents: tuple[str, ...]
    value: Any


class Amended(NamedTuple):
    """What became of it: which fields were changed (none: nothing was asked), for each of them what others had written
    there unseen, the document after it, and up to which commit that is known."""

    fields: tuple[str, ...]
    company: Mapping[str, Company]
    document: Document | None
    at: int


class Part(NamedTuple):
    """Some lines of a document's text, of so many."""

    lines: range
    total: int


class Amending:
    """Carries out the calls of agents' tools, each judged by what its agent was shown.

    Args:
        core: the workspace's.
        reading: the part that reads.
        writing: the part that writes.
        retries: knows what a task's earlier executions wrote.
    """

    def __init__(self, core: Core, reading: Reading, writing: Writing, retries: Retries) -> None:
        self.storage = core.storage
        self.registry = core.registry
        self.scoping = core.scoping
        self.reading = reading
        self.writing = writing
        self.retries = retries

    def amend(
        self,
        namespace: tuple[str, ...],
        key: str,
        plan: Callable[[Mapping[str, Any]], Changes],
        *,
        rewrites: bool = False,
    ) -> Amended:
        """Changes a document in the scope in force.

        Args:
            plan: given the document's values as far as the scope has seen them, returns what to do; what it raises ends
                the call before anything is written.
            rewrites: whether what it returns says what all of the document is to be (``evidence_of``).

        Raises:
            InvalidWriteError: a value does not fit the model, whatever the namespace's ``on_invalid`` is; nothing was
                written.
        """
        document = (namespace, key)
        scope = self.scoping.current(document)
        self.scoping.note_run(document, scope)
        schema = self.registry.writable(namespace, key)
        if not schema.declared:
            fault = Fault((), "its namespace has no model", "Declare one: a tool changes fields, each by its kind")
            raise InvalidWriteError(namespace, key, [fault])
        if scope.seen_tokens is not None:
            self.reading.recall(scope, namespace, key)
        evidence = evidence_of(self.scoping, scope, document, schema.root.fields, rewrites=rewrites)
        n, seen = self.as_seen_by(evidence, schema, namespace, key)
        changes = plan(seen)
        writes: list[Pending] = []
        if changes.before != changes.after:
            fixed = {basis: basis.up_to(n) for basis in evidence.values()}
            edited = {name: fixed[basis] for name, basis in evidence.items()}
            writes.append(self._pending(edited, changes.before, namespace, key, "edit", changes.after))
        if changes.contribution:
            writes.append(self._pending(evidence, None, namespace, key, "write", changes.contribution))
        if writes:
            self.writing.commit_together(writes)
            scope.note_written(document, True)
        fields = tuple(dict.fromkeys([*changes.after, *changes.contribution]))
        with self.storage.reading():
            at, state = self.storage.peek(namespace, key)
            company = self._company({name: evidence[name] for name in fields}, schema, state)
            return Amended(fields, company, self.reading.document_of(namespace, key, state, schema), at)

    def withdraw(self, places: Sequence[tuple[tuple[str, ...], str]]) -> None:
        """Deletes documents in the scope in force, as far as its agent was shown them: all of them or none."""
        writes: list[Pending] = []
        for document in places:
            scope = self.scoping.current(document)
            self.scoping.note_run(document, scope)
            schema = self.registry.changeable(*document)
            if scope.seen_tokens is not None:
                self.reading.recall(scope, *document)
            [basis] = evidence_of(self.scoping, scope, document, [""], rewrites=True).values()
            snapshot = ReadSnapshot(basis.at, None) if basis.at >= 0 else None
            writes.append(Pending(schema, self.storage, *document, basis.scope, snapshot, "delete"))
            writes[-1].existed = True
        self.writing.commit_together(writes)
        for write in writes:
            write.scope.note_written((write.namespace, write.key), False)

    def put_said(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any],
        says: Callable[[Any], bool],
        settings: Mapping[str, Any] | None,
        ttl: float | None,
    ) -> None:
        """Puts a value inside a tool call, after a read of the same document in that call.

        What the model gave was decided before the tool read anything: such fields are judged by what the call was
        decided by. The others are an edit of what the tool has read. And that read was made for the put, and shown to
        nobody.

        Args:
            says: whether a value is one that the model gave.
        """
        scope = self.scoping.current()
        read = self._read_for_it(scope, namespace, key)
        told = self._told(namespace, key, value, says) if read is not None else []
        if scope is None or read is None or not told:
            self.writing.put(namespace, key, value, settings=settings, ttl=ttl)
            return
        schema = self.registry.writable(namespace, key)
        body, _ = schema.incoming(namespace, key, value)
        given = {name: value[name] for name in told}
        rest = {name: one for name, one in value.items() if name not in given}
        base = {name: known for name, known in (read.values() or {}).items() if name not in given}
        snapshot = read._replace(base=base, leave=read.leave | frozenset(told))
        self.scoping.note_run((namespace, key), scope)
        write = Pending(schema, self.storage, namespace, key, scope, snapshot, "put")
        said, write.parked = schema.incoming(namespace, key, rest)
        write.body = schema.as_read(base, None, rest, said)
        write.replaces_all = not schema.declared
        write.settings, write.ttl = self.writing.stored_beside(namespace, key, settings, ttl)
        self.writing.commit_together([write, *self._edits(scope, schema, namespace, key, given)])
        scope.note_put((namespace, key), body, read, schema.declared)

    def show(
        self,
        namespace: tuple[str, ...],
        key: str,
        part_of: Callable[[Document], Part | None] = lambda _: None,
    ) -> Document | None:
        """Reads a document to show it to an agent: its later calls are decided by that.

        Args:
            part_of: tells which part of it is shown, if not all. A part shows nothing anew of what the agent knows
                already, until parts of one version make up the whole.
        """
        document = (namespace, key)
        scope = self.scoping.current()
        if scope is None:
            found = self.reading.read(None, namespace, key)
            if found is not None:
                part_of(found)
            return found
        found, snapshot = self.reading.read_as(scope, namespace, key)
        audience = self.scoping.audience()
        part = part_of(found) if found is not None else None
        if found is not None and part is not None and audience is not None:
            whole = audience.tool_reads.completes(document, found.version, *part)
            if not whole and (not part.lines or audience.tool_reads.of(document)):
                return found
        self.scoping.note_shown(document, scope, snapshot.at, value=snapshot.base)
        return found

    def note_read(self, namespace: tuple[str, ...], key: str) -> None:
        """Notes that the call under way shows its agent what it has read of a document last."""
        scope = self.scoping.current()
        snapshot = scope.snapshot((namespace, key)) if scope is not None else None
        if scope is not None and snapshot is not None and snapshot.at >= 0:
            self.scoping.note_shown((namespace, key), scope, snapshot.at, value=snapshot.base)

    def note_shown(self, namespace: tuple[str, ...], key: str, at: Cut, fields: frozenset[str]) -> None:
        """Notes that the call under way shows all there is in fields of a document, up to a commit."""
        self.scoping.note_shown((namespace, key), self._scope(), at, fields)

    def agent(self) -> str:
        """Returns the name of the agent that makes the call under way."""
        return self._scope().agent

    def is_mine(self, agent: str, origin: str) -> bool:
        """Tells whether the agent that makes the call under way wrote something, by its agent and origin."""
        return is_mine(self.scoping, self._scope(), agent, origin)

    def _scope(self) -> Scope:
        """The scope in force; without one, that of nobody in particular."""
        return self.scoping.current() or Scope(ANONYMOUS, "", None)

    def _read_for_it(self, scope: Scope | None, namespace: tuple[str, ...], key: str) -> ReadSnapshot | None:
        """What the call has read of the document and not put yet, which is then no sight of its agent."""
        audience, document = self.scoping.audience(), (namespace, key)
        if scope is None or scope.seen_tokens is not None or audience is None:
            return None
        read = scope.snapshot(document)
        if read is None or read.at < 0:
            return None
        audience.tool_reads.withdraw(document, scope.origin, audience.run.call)
        return read if not read.put else None

    def _edits(
        self, scope: Scope, schema: Compiled, namespace: tuple[str, ...], key: str, given: Mapping[str, Any]
    ) -> Iterator[Pending]:
        """What a call makes of fields, as changes of what it was decided by."""
        evidence = evidence_of(self.scoping, scope, (namespace, key), given, unread=True)
        _, seen = self.as_seen_by(evidence, schema, namespace, key)
        for basis in dict.fromkeys(evidence.values()):
            mine = {name: value for name, value in given.items() if evidence[name] is basis}
            before = {name: seen[name] for name in mine if name in seen}
            write = Pending(schema, self.storage, namespace, key, basis.scope, ReadSnapshot(basis.at, before), "edit")
            body, write.parked = schema.incoming(namespace, key, mine)
            write.body, write.act = schema.as_read(before, None, mine, body), "put"
            yield write

    def _told(self, namespace: tuple[str, ...], key: str, value: Any, says: Callable[[Any], bool]) -> list[str]:
        """The fields of a value that are the model's own words: scalars and texts."""
        if not isinstance(value, Mapping):
            return []
        schema = self.registry.changeable(namespace, key)
        words = ("value", "text")
        fields = {name for name, field in schema.root.fields.items() if field.kind.holds in words}
        return [name for name, given in value.items() if says(given) and (not schema.declared or name in fields)]

    def _pending(
        self,
        evidence: Mapping[str, Evidence],
        before: Mapping[str, Any] | None,
        namespace: tuple[str, ...],
        key: str,
        mode: str,
        values: Mapping[str, Any],
    ) -> Pending:
        """One write of several fields, each judged by its own evidence."""
        schema = self.registry.find(namespace)
        concerned = {name: evidence[name] for name in dict.fromkeys([*(before or ()), *values]) if name in evidence}
        main = min(concerned.values(), key=lambda basis: basis.at)
        snapshot = ReadSnapshot(main.at, dict(before) if before is not None else None)
        pending = Pending(
            schema,
            self.storage,
            namespace,
            key,
            main.scope,
            snapshot if before is not None or main.at >= 0 else None,
            mode,
        )
        pending.apart = {
            name: (basis.scope, ReadSnapshot(basis.at, None)) for name, basis in concerned.items() if basis is not main
        }
        if schema.declared:  # refused at once: whoever calls can mend a value, so it is not parked for others
            schema.strict.incoming(namespace, key, values)
        body, pending.parked = self.registry.incoming(schema, namespace, key, values)
        pending.body = schema.as_read(before, None, values, body)
        return pending

    def as_seen_by(
        self, evidence: Mapping[str, Evidence], schema: Compiled, namespace: tuple[str, ...], key: str
    ) -> tuple[int, dict[str, Any]]:
        """Returns the number of the last commit, and the document's values, each as far as the scope has seen it; a
        task does not see its own earlier execution."""
        values: dict[str, Any] = {}
        with self.storage.reading():
            n, state = self.storage.peek(namespace, key)
            if state is None or not evidence:
                return n, values
            state, _ = self.retries.as_read_by(next(iter(evidence.values())).scope, (namespace, key), state, schema)
            record = expanded(state, schema, self.storage.replica)
            tree = tree_of(record, schema)
            for basis in dict.fromkeys(evidence.values()):
                known = as_seen(tree, self._seen(basis, record))
                value = value_of(known, record, schema)
                found = _with_replaced(schema, basis.values(), {} if value is ABSENT else value)
                values.update((name, one) for name, one in found.items() if evidence.get(name) is basis)
        return n, values

    def _company(self, evidence: Mapping[str, Evidence], schema: Compiled, state: State | None) -> dict[str, Company]:
        """What others have written to fields, as far as it stands and the scope has not seen it."""
        found: dict[str, Company] = {}
        if state is None:
            return found
        record = expanded(state, schema, self.storage.replica)
        tree = tree_of(record, schema)
        for name, basis in evidence.items():
            field = schema.root.fields[name]
            cell = leaf_at(tree, (field.slot,))
            unseen = self._unseen(basis, record)
            agents = _agents(cell, unseen)
            if agents:
                found[name] = Company(agents, reading(field, cell, Look("update", unseen)))
        return found

    def _unseen(self, basis: Evidence, record: Record) -> SeenBy:
        seen, scope = self._seen(basis, record), basis.scope
        return lambda stamp: not seen(stamp) and not is_mine(self.scoping, scope, stamp.agent, stamp.origin)

    def _seen(self, basis: Evidence, record: Record) -> SeenBy:
        return seen_by(basis.scope, ReadSnapshot(basis.at, None), record, self.storage.replica)


def _with_replaced(schema: Compiled, shown: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    """What stands of what was seen, with keys and elements that were shown and are replaced since: they may be taken
    away, which is a conflict with what replaced them."""
    found = dict(seen)
    for name, value in shown.items():
        field = schema.root.fields.get(name)
        if field is None:
            continue
        kind = field.kind
        if kind.holds == "keys" and isinstance(value, dict):
            found[name] = {**value, **found.get(name, {})}
        elif kind.is_free:
            found[name] = _over(value, found.get(name, {}))
        elif kind.holds in ("elements", "records") and isinstance(value, list):
            there = {_key(one, kind.key_field) for one in found.get(name, ())}
            found[name] = [*found.get(name, ()), *(one for one in value if _key(one, kind.key_field) not in there)]
    return found


def _over(shown: Any, seen: Any) -> Any:
    """What stands of a tree that was seen, with keys that were shown in it and are replaced since."""
    if not isinstance(shown, dict) or not isinstance(seen, dict):
        return seen
    return {**shown, **{name: _over(shown.get(name), item) for name, item in seen.items()}}


def _key(element: Any, by: str | None) -> bytes:
    return canonical(encode(element if by is None else element[by]))


def _agents(cell: Any, included: SeenBy) -> tuple[str, ...]:
    stamps = supporters_below(cell) if cell is not None else ()
    return tuple(dict.fromkeys(stamp.agent for stamp in stamps if included(stamp)))
