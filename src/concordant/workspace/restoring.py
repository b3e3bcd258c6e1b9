"""Going back: a document to an earlier version, a decision to the question that it answered.

Nothing is taken out of the journal for that: going back is a write like others, by one who has seen what stands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from concordant.errors import ConcordantError, UnknownEscalationError, told
from concordant.escalation import DELETED, Escalation
from concordant.merge.causality import Register
from concordant.merge.record import Record
from concordant.merge.record.parked import spot_of
from concordant.merge.registers import Path, leaf_at
from concordant.schema import Compiled
from concordant.storage import Address
from concordant.values import ABSENT, alike, same
from concordant.workspace.agent import Agent
from concordant.workspace.amending import Amending, Changes
from concordant.workspace.core import Core
from concordant.workspace.deciding import Deciding
from concordant.workspace.decisions import leads_through_dicts
from concordant.workspace.document import Receipt
from concordant.workspace.history import state_at
from concordant.workspace.names import check_name
from concordant.workspace.permission import check_decider, check_writer, on_behalf
from concordant.workspace.reading import Reading
from concordant.workspace.reopening import (
    AskingAgain,
    Plan,
    ReopeningPending,
    decided,
    is_register,
    refused,
    registers_at,
    waits_beside,
)
from concordant.workspace.scope import Moment
from concordant.workspace.writing import Writing

__all__ = ["Restoring"]

Side = tuple[str, Any]
"""An agent, and what it says; ``ABSENT`` for a deletion."""
OPEN = ("open", "claimed")
Names = tuple[str, ...]


class Standing(NamedTuple):
    """What stands where the question was (``ABSENT``: nothing), and when that was."""

    moment: Moment
    value: Any


class Restoring:
    """Goes back: gives documents earlier values, and asks settled questions again.

    Args:
        core, reading, writing, amending, deciding: the workspace's.
    """

    def __init__(self, core: Core, reading: Reading, writing: Writing, amending: Amending, deciding: Deciding) -> None:
        self.core = core
        self.reading = reading
        self.writing = writing
        self.amending = amending
        self.deciding = deciding

    def agent(self, name: str, began: Moment | None = None) -> Agent:
        """Returns a handle for an agent, with a scope of its own."""
        return Agent(self.core, self.reading, self.writing, name, self.core.scoping.opened(name, began))

    def restore(self, namespace: tuple[str, ...], key: str, version: int, by: str) -> Receipt:
        """Gives a document the value that it had at a version (``Workspace.restore``)."""
        check_name(by, "by=", self.core.storage.limits.name)
        schema = self.core.registry.changeable(namespace, key)
        check_writer(schema, namespace, key, by)
        past = self.reading.get(namespace, key, version, strict=False)
        if past is None:
            agent = self.agent(by)
            agent.read(namespace, key)
            return agent.delete(namespace, key)
        if not schema.declared:
            with self.core.scoping.acting_as(by):
                return self.writing.put(namespace, key, past.value)
        wanted = past.value
        if self.reading.get(namespace, key, None, strict=False) is None:  # deleted or expired: it begins anew
            return self.agent(by).write(namespace, key, wanted)
        empty = schema.build({})
        defaults = schema.values_of(empty, empty)

        def plan(seen: Any) -> Changes:
            unset = {name: defaults[name] for name in seen if name not in wanted and name in defaults}
            return Changes({}, seen, {**unset, **wanted})

        with self.core.scoping.acting_as(by):
            document = self.amending.amend(namespace, key, plan, rewrites=True).document
        assert document is not None, "it has been written to just now"
        return Receipt(document.version, tuple(document.contested.values()))

    def reopen(self, escalation: Escalation | str, by: str) -> Escalation:
        """Asks a settled question again (``Workspace.reopen``): what was agreed before stands, and all its sides are
        contenders."""
        check_name(by, "by=", self.core.storage.limits.name)
        id_ = escalation.id if isinstance(escalation, Escalation) else escalation
        if not isinstance(id_, str):
            raise ConcordantError(f"reopen takes an escalation, or the id of one, not {told(escalation)}")
        settled = self.deciding.escalation(id_)
        if settled is None:
            raise UnknownEscalationError(id_)
        if settled.state in OPEN:
            return settled
        if settled.more:
            raise refused(settled, "not all of its sides are known any more")
        document = (settled.namespace, settled.key)
        schema = self.core.registry.find(settled.namespace)
        spot = spot_of(schema.root, settled.path)
        if is_register(settled, schema) or (spot is not None and waits_beside(settled, spot)):
            plan = AskingAgain(settled, by)
            return self._ask(document, settled.path, by, plan, lambda why: refused(settled, why))
        check_decider(schema, *document, by)
        with on_behalf():
            self._have_said_again(settled, by)
        again = self._open_at(document, settled.path)
        if not again:  # then a policy has settled it again
            return self.ask(*document, settled.path, by)
        return next((one for one in again if one.id == id_), again[-1])

    def ask(self, namespace: tuple[str, ...], key: str, path: tuple[str, ...], by: str) -> Escalation:
        """Asks people what a declared policy has settled (``Workspace.ask``)."""
        check_name(by, "by=", self.core.storage.limits.name)
        schema = self.core.registry.readable(namespace, key)
        if not isinstance(path, tuple) or not all(isinstance(part, str) for part in path):
            raise ConcordantError(f"path= is a tuple of names, such as ('status',), not {told(path)}")
        document = (namespace, key)
        known = self._open_at(document, path)
        if known:
            return known[-1]
        before = self._settled_before(schema, document, path)

        def plan(record: Record, schema: Compiled) -> tuple[Path, Register]:
            found = next(registers_at(record.tree, schema, path), None)
            if found is not None:
                return found
            if before is None:
                raise problem("no policy has settled anything there, as far as the journal reaches")
            place, then = before
            leaf = leaf_at(record.tree, place)
            now: Register = leaf if isinstance(leaf, tuple) else ()
            values = [entry.value for entry in now]
            return place, (*(one for one in then if not any(same(one.value, value) for value in values)), *now)

        def problem(why: str) -> ConcordantError:
            where = f"{'.'.join(path) or 'the document'} of {'/'.join(namespace)}:{key}"
            return ConcordantError(f"It cannot be asked about {where}: {why}. Write the value that is to stand.")

        return self._ask(document, path, by, plan, problem)

    def _ask(
        self, document: Address, path: Names, by: str, plan: Plan, problem: Callable[[str], ConcordantError]
    ) -> Escalation:
        schema = self.core.registry.changeable(*document)
        scope = self.core.scoping.opened(by)
        pending = ReopeningPending(schema, self.core.storage, document, scope, path, plan, problem)
        self.writing.commit(pending)
        return pending.question

    def _open_at(self, document: Address, path: Names) -> list[Escalation]:
        return [one for one in self.core.storage.open_of(document).values() if one.path == path]

    def _settled_before(self, schema: Compiled, document: Address, path: Names) -> tuple[Path, Register] | None:
        """What stood when a policy last settled something at a path, where it no longer does."""
        storage = self.core.storage
        with storage.reading():
            state = storage.load(*document)
            if isinstance(state, Record) and any(registers_at(state.tree, schema, path)):
                return None
            newest = next((row.n for row in storage.rows(*document) if path in {at for at, _ in row.settled}), None)
            past = None if newest is None else state_at(storage, schema, *document, state, newest)
            if not isinstance(past, Record):
                return None
            found = registers_at(past.tree, schema, path)
            return next((one for one in found if one[0][-1] is not None), None)

    def _have_said_again(self, settled: Escalation, by: str) -> None:
        """Has each side say again what it said, concurrently: a text, a deletion, a part of a tree."""
        _check(self, settled)
        standing = _standing(self, settled)
        base, sides = _sides(self, settled, standing.value)
        if base is not ABSENT or settled.path:
            _say(self, settled, standing, by, base)
            standing = _standing(self, settled)
        for agent, value in sides:
            _say(self, settled, standing, agent, value)


def _check(restoring: Restoring, settled: Escalation) -> None:
    schema = restoring.core.registry.find(settled.namespace)
    if schema.declared:
        spot = spot_of(schema.root, settled.path)
        if not leads_through_dicts(schema, settled.path if spot is None else spot.public):
            raise refused(settled, "it is about a part of a list")
    elif any(isinstance(one.value, list) for one in settled.contenders):
        raise refused(settled, "it is about a list that no model describes")


def _sides(restoring: Restoring, settled: Escalation, present: Any) -> tuple[Any, list[Side]]:
    """What was agreed, and what each agent says, beside each other as values of the whole field."""
    base = settled.base if settled.has_base else ABSENT
    sides = [
        (agent, ABSENT if contender.value is DELETED else contender.value)
        for contender in settled.contenders
        for agent in contender.agents
    ]
    if settled.reason == "text":
        return _in_place(restoring, settled, present, base, sides)
    if not any(_is_same(present, one) for one in (base, decided(settled), *(value for _, value in sides))):
        sides += [(agent, present) for agent in _authors(restoring, settled)]  # a later write's value is a side too
    return base, sides


def _in_place(
    restoring: Restoring, settled: Escalation, text: Any, base: Any, sides: list[Side]
) -> tuple[str, list[Side]]:
    """The whole text with what was agreed in the contested range, and with each side of it; what a later write made of
    the range is a side too."""
    later: tuple[str, ...] = ()
    chosen = decided(settled)
    if settled.state == "superseded":
        chosen, later = _made_later(restoring, settled)
    if not isinstance(text, str) or not isinstance(chosen, str) or not isinstance(base, str):
        raise refused(settled, "its range of the text is gone")
    if not chosen.strip() or text.count(chosen) != 1:
        raise refused(settled, "what was made of it does not stand in the text any more, or more than once")

    def with_(part: Any) -> str:
        return text.replace(chosen, part)

    told = [part for _, part in sides]
    sides = [*sides, *((agent, chosen) for agent in later if chosen not in told)]
    return with_(base), [(agent, with_(part)) for agent, part in sides if isinstance(part, str)]


def _made_later(restoring: Restoring, settled: Escalation) -> tuple[Any, tuple[str, ...]]:
    """What a later write made of the contested range of a text, and who wrote it; ``ABSENT`` where it changed more."""
    place = (settled.namespace, settled.key)
    entry = next((one for one in restoring.reading.history(*place) if one.at == settled.closed_at), None)
    if entry is None:
        raise refused(settled, "the journal does not reach back to where it was settled")
    found = (_value_at(restoring, settled, version) for version in (entry.version - 1, entry.version))
    before, after = (text if isinstance(text, str) else "" for text in found)
    if before.count(settled.base) != 1:
        return ABSENT, ()
    head, tail = before.split(settled.base)
    if len(after) < len(head) + len(tail) or not (after.startswith(head) and after.endswith(tail)):
        return ABSENT, ()
    return after[len(head) : len(after) - len(tail)], (entry.agent,)


def _value_at(restoring: Restoring, settled: Escalation, version: int | None = None) -> Any:
    """What stands where the question was, or stood there at a version; ``ABSENT`` if nothing."""
    document = restoring.reading.get(settled.namespace, settled.key, version, strict=False)
    value: Any = ABSENT if document is None else document.value
    for part in settled.path:
        value = value.get(part, ABSENT) if isinstance(value, dict) else ABSENT
    return value


def _say(restoring: Restoring, settled: Escalation, standing: Standing, agent: str, value: Any) -> None:
    """Has an agent, who has seen what stood, give the contested place a value; ``ABSENT`` takes it away."""
    namespace, key, path = settled.namespace, settled.key, settled.path
    writer = restoring.agent(agent, began=standing.moment)
    schema = restoring.core.registry.find(namespace)
    spot = spot_of(schema.root, path)
    is_inside = spot is not None and bool(spot.rest)  # a part of a ``Tree``, of which a write would be an addition
    if settled.reason == "text" or (value is ABSENT and path) or (is_inside and schema.declared):
        if _is_same(standing.value, value) or not schema.declared:
            return
        changed = Changes({}, _nested(path, standing.value), _nested(path, value))
        with restoring.core.scoping.acting_as(agent, began=standing.moment):
            restoring.amending.amend(namespace, key, lambda _: changed)
    elif value is ABSENT:
        writer.delete(namespace, key)
    else:
        writer.write(namespace, key, _nested(path, value))


def _nested(path: Names, value: Any) -> dict[str, Any]:
    """The document's part that has a value at a path; ``ABSENT``: that has none there."""
    found = {} if value is ABSENT else value
    for part in reversed(path[:-1] if value is ABSENT else path):
        found = {part: found}
    return found if isinstance(found, dict) else {}


def _standing(restoring: Restoring, settled: Escalation) -> Standing:
    return Standing(restoring.core.scoping.moment(), _value_at(restoring, settled))


def _authors(restoring: Restoring, settled: Escalation) -> tuple[str, ...]:
    credits = restoring.reading.blame(settled.namespace, settled.key).get(settled.path, ())
    return tuple(dict.fromkeys(agent for credit in credits for agent in credit.agents))


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (one is not ABSENT and other is not ABSENT and alike(one, other))
