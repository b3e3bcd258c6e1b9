"""The part of a workspace that decides: escalations, their claims and resolutions, and who is told of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from concordant.errors import ConcordantError, UnknownEscalationError, told
from concordant.escalation import Escalation, Event
from concordant.schema import Compiled
from concordant.values import ABSENT
from concordant.workspace.core import Core, Namespace
from concordant.workspace.decisions import Claiming, DecisionPending, Remarking, leads_through_dicts
from concordant.workspace.document import Receipt
from concordant.workspace.judging import MOST_WHY, Case
from concordant.workspace.names import check_name, checked_prefix, is_text
from concordant.workspace.permission import check_decider
from concordant.workspace.resolvers import Resolvers
from concordant.workspace.scope import Scope
from concordant.workspace.survey import survey
from concordant.workspace.writing import Writing

__all__ = ["Deciding"]

_STATES = ("open", "claimed", "resolved", "dismissed", "superseded", "agreed", "all")


class Deciding:
    """Finds escalations and decides them, as people and resolvers say.

    Args:
        core: the workspace's.
        writing: the part that writes; a decision is a write.
    """

    def __init__(self, core: Core, writing: Writing) -> None:
        self.core = core
        self.storage = core.storage
        self.writing = writing
        self.resolvers = Resolvers(self, core.acall)
        core.subscribers.ask_with(self.resolvers.ask)

    def escalations(self, namespace: Namespace, state: str) -> Iterable[Escalation]:
        """Returns the escalations under a namespace prefix (``Workspace.escalations``)."""
        if not isinstance(state, str) or state not in _STATES:
            raise ConcordantError(f"unknown state {told(state)}: use one of {', '.join(_STATES)}")
        prefix = checked_prefix(namespace)
        unstored = survey(self.core)
        found = list(self.storage.escalations(prefix, state))
        if unstored and state in ("open", "all"):
            stored = {escalation.id for escalation in found}
            found += [e for e in unstored if e.namespace[: len(prefix)] == prefix and e.id not in stored]
        return found

    def escalation(self, id: str) -> Escalation | None:
        """Returns the escalation with an id (``Workspace.escalation``)."""
        if not isinstance(id, str):
            raise ConcordantError(f"an escalation's id is a string, not {told(id)}")
        # An id is ASCII; what a database cannot even be asked for is none.
        return self.storage.escalation(id) if id.isascii() and id.isprintable() else None

    def resolve(
        self, escalation: Escalation | str, value: Any, by: str, version: str | None = None, why: str | None = None
    ) -> Receipt:
        """Decides for a value (``Workspace.resolve``)."""
        return self._decide(self._meant(escalation, version), value, by, dismisses=False, why=_checked_why(why))

    def remark(self, escalation: Escalation, by: str, text: str) -> None:
        """Keeps on record why somebody who was asked did not decide, unless the contenders have changed since."""
        remarking = Remarking(escalation, by, text)
        self.storage.commit(escalation.namespace, escalation.key, remarking.update)

    def claimant(self, escalation: Escalation) -> str | None:
        """Tells who has claimed an escalation, as long as its contenders are those."""
        current = self.storage.escalation(escalation.id)
        is_claimed = current is not None and current.state == "claimed" and current.version == escalation.version
        return current.by if current is not None and is_claimed else None

    def case(self, escalation: Escalation) -> Case | None:
        """Tells what a judge is told of an escalation; ``None`` if it is settled, claimed, or has other contenders by
        now."""
        current = self.storage.escalation(escalation.id)
        if current is None or current.state != "open" or current.version != escalation.version:
            return None
        schema = self.core.registry.find(escalation.namespace)
        document = self.writing.reading.get(escalation.namespace, escalation.key, None, strict=False)
        value = None if document is None else document.value
        description = schema.description_of(escalation.path)
        return Case(escalation, value, *description, fit=lambda answer: _fitting(schema, escalation, value, answer))

    def dismiss(
        self, escalation: Escalation | str, by: str, version: str | None = None, why: str | None = None
    ) -> Receipt:
        """Decides against all contenders (``Workspace.dismiss``)."""
        return self._decide(self._meant(escalation, version), None, by, dismisses=True, why=_checked_why(why))

    def claim(self, escalation: Escalation | str, by: str, version: str | None) -> Escalation:
        """Marks an escalation as somebody's (``Workspace.claim``)."""
        check_name(by, "by=", self.storage.limits.name)
        wanted = self._meant(escalation, version)
        check_decider(self.core.registry.find(wanted.namespace), wanted.namespace, wanted.key, by)
        if isinstance(escalation, str):
            wanted = replace(wanted, state="open")
        claiming = Claiming(wanted, by)
        self.storage.commit(wanted.namespace, wanted.key, claiming.update)
        if claiming.made is not None:
            self.core.subscribers.deliver([claiming.made])
        return claiming.claimed

    def on_escalation(self, callback: Callable[[Event], Any]) -> Callable[[], None]:
        """Calls back for every transition (``Workspace.on_escalation``)."""
        if not callable(callback):
            raise ConcordantError(f"on_escalation takes a function of an event, not {told(callback)}")
        stop = self.core.subscribers.add(callback)
        try:
            self.core.subscribers.follow()
        except BaseException:
            stop()
            raise
        return stop

    def _meant(self, escalation: Escalation | str, version: str | None) -> Escalation:
        """The escalation that a decision is about, with the version on which it was made."""
        if version is not None and not isinstance(version, str):
            raise ConcordantError(f"version= is an escalation's version, a string, not {told(version)}")
        if isinstance(escalation, Escalation):
            return escalation if version is None else replace(escalation, version=version)
        if not isinstance(escalation, str):
            raise ConcordantError(f"decide on an escalation, or on the id of one, not on {told(escalation)}")
        if version is None:
            problem = "with an id version= says on which contenders it was decided: give escalation.version"
            raise ConcordantError(f"{problem} ({told(escalation)})")
        found = self.escalation(escalation)
        if found is None:
            raise UnknownEscalationError(escalation)
        return replace(found, version=version)

    def answer(self, escalation: Escalation, value: Any, by: str, why: str | None = None) -> Receipt:
        """Decides for what a function or judge says that the schema declares."""
        return self._decide(escalation, value, by, dismisses=False, why=why, by_schema=True)

    def _decide(
        self,
        escalation: Escalation,
        value: Any,
        by: str,
        *,
        dismisses: bool,
        why: str | None = None,
        by_schema: bool = False,
    ) -> Receipt:
        check_name(by, "by=", self.storage.limits.name)
        namespace, key = escalation.namespace, escalation.key
        scope = Scope(by, f"{self.storage.replica}:decision", None)
        schema = self.core.registry.find(namespace)
        if not by_schema:
            check_decider(schema, namespace, key, by)
        pending = DecisionPending(schema, self.storage, namespace, key, scope, None, "decide")
        pending.escalation, pending.chosen, pending.dismisses = escalation, value, dismisses
        pending.act, pending.why = "dismiss" if dismisses else "resolve", why
        pending.by_schema = by_schema
        return self.writing.commit(pending)


def _checked_why(why: Any) -> str | None:
    if why is not None and (not isinstance(why, str) or not is_text(why) or len(why) > MOST_WHY):
        raise ConcordantError(f"why= is a text of at most {MOST_WHY:,} characters, not {told(why)}")
    return why


def _fitting(schema: Compiled, escalation: Escalation, shown: Any, answer: Any) -> Any:
    """The form in which an answer would be stored, ``ABSENT`` if it fits neither field nor document."""
    found = schema.fit(escalation.path, answer)
    if found is ABSENT or not (schema.checked and escalation.path and leads_through_dicts(schema, escalation.path)):
        return found
    whole = deepcopy(shown) if isinstance(shown, dict) else {}
    holder = whole
    for part in escalation.path[:-1]:
        holder = holder.setdefault(part, {})
    holder[escalation.path[-1]] = found
    return found if schema.fits(whole) else ABSENT
