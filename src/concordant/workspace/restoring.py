"""Going back: a document to an earlier version, a decision to the question that it answered.

Nothing is taken out of the journal for that: going back is a write like others, by one who has seen what stands.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from concordant.errors import ConcordantError, UnknownEscalationError, told
from concordant.escalation import DELETED, Escalation
from concordant.values import ABSENT, alike
from concordant.workspace.agent import Agent
from concordant.workspace.amending import Amending, Changes
from concordant.workspace.core import Core
from concordant.workspace.deciding import Deciding
from concordant.workspace.decisions import leads_through_dicts
from concordant.workspace.document import Receipt
from concordant.workspace.names import check_name
from concordant.workspace.reading import Reading
from concordant.workspace.scope import Moment
from concordant.workspace.writing import Writing

__all__ = ["Restoring"]

Path = tuple[str, ...]
Side = tuple[str, Any]
"""An agent, and what it says; ``ABSENT`` for a deletion."""
OPEN = ("open", "claimed")
REASONS = ("scalar", "text", "delete")


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
        """A handle for an agent, with a scope of its own."""
        return Agent(self.core, self.reading, self.writing, name, self.core.scoping.opened(name, began))

    def restore(self, namespace: tuple[str, ...], key: str, version: int, by: str) -> Receipt:
        """Gives a document the value that it had at a version (``Workspace.restore``)."""
        check_name(by, "by=", self.core.storage.limits.name)
        past = self.reading.get(namespace, key, version, strict=False)
        schema = self.core.registry.find(namespace)
        if past is None:
            agent = self.agent(by)
            agent.read(namespace, key)
            return agent.delete(namespace, key)
        if not schema.declared:
            with self.core.scoping.acting_as(by):
                return self.writing.put(namespace, key, past.value)
        wanted = past.value
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
        _check(self, settled)
        standing = _standing(self, settled)
        base, sides = _sides(self, settled, standing.value)
        if base is not ABSENT or settled.path:
            _say(self, settled, standing, by, base)
            standing = _standing(self, settled)
        for agent, value in sides:
            _say(self, settled, standing, agent, value)
        found = self.core.storage.open_of((settled.namespace, settled.key)).values()
        again = [one for one in found if one.path == settled.path and one.reason in REASONS]
        if not again:
            raise _refused(settled, "its sides say the same by now")
        return next((one for one in again if one.id == id_), again[-1])


def _check(restoring: Restoring, settled: Escalation) -> None:
    schema = restoring.core.registry.find(settled.namespace)
    fits = not schema.declared or leads_through_dicts(schema, settled.path)
    if settled.reason not in REASONS or not fits:
        raise _refused(settled, "its sides do not fit the model, or stand in a list")
    if settled.more:
        raise _refused(settled, "not all of its sides are known any more")


def _sides(restoring: Restoring, settled: Escalation, present: Any) -> tuple[Any, list[Side]]:
    """What was agreed, and what each agent says, beside each other as values of the whole field."""
    base = settled.base if settled.has_base else ABSENT
    sides = [
        (agent, ABSENT if contender.value is DELETED else contender.value)
        for contender in settled.contenders
        for agent in contender.agents
    ]
    if settled.reason == "text":
        return _in_place(settled, present, base, sides)
    if not any(_is_same(present, one) for one in (base, _decided(settled), *(value for _, value in sides))):
        sides += [(agent, present) for agent in _authors(restoring, settled)]  # a later write's value is a side too
    return base, sides


def _in_place(settled: Escalation, text: Any, base: Any, sides: list[Side]) -> tuple[str, list[Side]]:
    """The whole text with what was agreed in the contested range, and with each side of it."""
    decided = _decided(settled)
    if not isinstance(text, str) or not isinstance(decided, str) or not isinstance(base, str):
        raise _refused(settled, "its range of the text is gone")
    if not decided.strip() or text.count(decided) != 1:
        raise _refused(settled, "what was decided does not stand in the text any more, or more than once")

    def with_(part: Any) -> str:
        return text.replace(decided, part)

    return with_(base), [(agent, with_(part)) for agent, part in sides if isinstance(part, str)]


def _say(restoring: Restoring, settled: Escalation, standing: Standing, agent: str, value: Any) -> None:
    """Has an agent, who has seen what stood, give the contested place a value; ``ABSENT`` takes it away."""
    namespace, key, path = settled.namespace, settled.key, settled.path
    writer = restoring.agent(agent, began=standing.moment)
    if settled.reason == "text" or (value is ABSENT and path):
        if _is_same(standing.value, value) or not restoring.core.registry.find(namespace).declared:
            return
        changed = Changes({}, _nested(path, standing.value), _nested(path, value))
        with restoring.core.scoping.acting_as(agent, began=standing.moment):
            restoring.amending.amend(namespace, key, lambda _: changed)
    elif value is ABSENT:
        writer.delete(namespace, key)
    else:
        writer.write(namespace, key, _nested(path, value))


def _nested(path: Path, value: Any) -> dict[str, Any]:
    """The document's part that has a value at a path; ``ABSENT``: that has none there."""
    found = {} if value is ABSENT else value
    for part in reversed(path[:-1] if value is ABSENT else path):
        found = {part: found}
    return found if isinstance(found, dict) else {}


def _standing(restoring: Restoring, settled: Escalation) -> Standing:
    moment = restoring.core.scoping.moment()
    document = restoring.reading.get(settled.namespace, settled.key, None, strict=False)
    value: Any = ABSENT if document is None else document.value
    for part in settled.path:
        value = value.get(part, ABSENT) if isinstance(value, dict) else ABSENT
    return Standing(moment, value)


def _decided(settled: Escalation) -> Any:
    """What was decided; what was agreed before, where all sides were dismissed."""
    if settled.state == "dismissed":
        return settled.base if settled.has_base else ABSENT
    return ABSENT if settled.decision is DELETED else settled.decision


def _authors(restoring: Restoring, settled: Escalation) -> tuple[str, ...]:
    credits = restoring.reading.blame(settled.namespace, settled.key).get(settled.path, ())
    return tuple(dict.fromkeys(agent for credit in credits for agent in credit.agents))


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (one is not ABSENT and other is not ABSENT and alike(one, other))


def _refused(settled: Escalation, why: str) -> ConcordantError:
    return ConcordantError(f"The question {settled.id} cannot be asked again: {why}. Write the value that is to stand.")
