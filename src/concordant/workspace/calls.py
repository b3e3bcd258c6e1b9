"""The calls of a workspace: agents, reading, escalations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Self, TypeAlias, TypeVar

from concordant.errors import ConcordantError, UnknownEscalationError, told
from concordant.escalation import Escalation, Event
from concordant.record import MOST_WRITES, Record
from concordant.workspace import expiry, restoring, survey
from concordant.workspace.agent import Agent
from concordant.workspace.decisions import Claiming, DecisionPending
from concordant.workspace.document import Credit, Document, HistoryEntry, Receipt
from concordant.workspace.history import blame, history, log, state_at
from concordant.workspace.keeping import Keeping
from concordant.workspace.names import check_name, checked_prefix
from concordant.workspace.scope import Moment, Scope, TaskScope
from concordant.workspace.scoping import Tokens
from concordant.workspace.statistics import Stats, statistics
from concordant.workspace.subscription import LEASE, Subscription

__all__ = ["Calls"]

T = TypeVar("T")
Listing: TypeAlias = list[T]
"""A list, under a name that ``Calls.list`` does not hide."""


class Calls(Keeping):
    """What a workspace can be asked; ``Workspace`` adds the constructor and the twins for coroutines."""

    # -- agents and scopes ---------------------------------------------------------------------------------------

    def agent(self, name: str, *, began: Moment | None = None, seen: Tokens | None = None) -> Agent:
        """A handle for an agent, with a scope of its own.

        Args:
            began: the common beginning of several workers (``moment()``); by default the task under way, or now.
            seen: the token of what the agent has seen (``Document.token``, ``Moment.token``), or several: it has read
                just that, whatever stands now. With documents' tokens alone it writes to those documents, and to what
                it reads itself, only. Its ``edit`` begins with what it has seen.

        Raises:
            InvalidTokenError: one is no token of this store.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.agent("planner").write(("plans",), "launch", {"status": "draft", "owner": "ada"})
        >>> token = ws.get(("plans",), "launch").token  # goes out with a form
        >>> _ = ws.agent("bob").write(("plans",), "launch", {"status": "final"})
        >>> with ws.agent("maria", seen=token).edit(("plans",), "launch") as plan:  # the form comes back
        ...     plan["status"], plan["owner"] = "dropped", "eve"
        >>> [str(e) for e in ws.escalations()]
        ["plans:launch status (scalar, open): 'final' by bob, 'dropped' by maria"]
        """
        check_name(name, "an agent's name", self.storage.limits.name)
        return Agent(self, name, self._scope(name, began, seen))

    def moment(self) -> Moment:
        """The present point in this store's history: picklable, for ``agent(name, began=...)`` in any worker.

        Its ``token`` is the same as text.
        """
        with self.storage.reading():
            return Moment(self.storage.replica, *self.storage.now())

    def acting_as(
        self, name: str, *, seen: Tokens | None = None, began: Moment | None = None
    ) -> AbstractContextManager[None]:
        """Names the agent of all calls inside the ``with``; outside a framework's task it also begins a scope.

        Args:
            seen: as for ``agent``: the calls are those of one who has read just that, in a task too.
            began: as for ``agent``: the scope began then, in a task too.

        Raises:
            InvalidTokenError: one is no token of this store.
        """
        check_name(name, "an agent's name", self.storage.limits.name)
        return self.scoping.acting_as(name, began, seen)

    def add_scope_provider(self, provider: Callable[[], TaskScope | None]) -> None:
        """Lets an adapter tell in which task of its framework a call is made."""
        self.scoping.add_provider(provider)

    def declare(self, schemas: Mapping[tuple[str, ...], Any]) -> None:
        """Adds schemas to those of the constructor. What was written in their namespaces before is converted, or asked
        about.

        Raises:
            SchemaError: lists every fault of every model; or a pattern has another schema already. Nothing is added.
        """
        survey.declare(self, schemas)

    # -- reading without moving a scope --------------------------------------------------------------------------

    def get(
        self, namespace: tuple[str, ...], key: str, *, at: int | None = None, strict: bool = False
    ) -> Document | None:
        """Reads a document; no scope has seen it for that.

        Args:
            at: a version, to read the document as it was then.
            strict: raise ``ContestedError`` if it has open escalations.

        Raises:
            HistoryExpiredError: the journal does not reach back to ``at``.
        """
        schema = self.registry.readable(namespace, key)
        if at is not None and not isinstance(at, int):
            raise ConcordantError(f"at= is a version, a whole number, not {told(at)}")
        with self.storage.reading():
            state = self.storage.load(namespace, key)
            if at is not None:
                past = state_at(self.storage, schema, namespace, key, state, at)
                return self._document(namespace, key, past, schema, past=past is not state, strict=strict, ever=True)
            return self._document(namespace, key, state, schema, strict=strict)

    def list(self, prefix: tuple[str, ...] = ()) -> Iterator[Document]:
        """All documents whose namespace begins with ``prefix``."""
        found = self.storage.showing(checked_prefix(prefix))
        documents = (self._seen_as(None, namespace, key, state) for namespace, key, state in found)
        return (document for document in documents if document is not None)

    def history(self, namespace: tuple[str, ...], key: str) -> Listing[HistoryEntry]:
        """The changes of a document, newest first, as far as the journal reaches."""
        schema = self.registry.readable(namespace, key)
        with self.storage.reading():
            return [*history(self.storage, schema, namespace, key)]

    def log(
        self, prefix: tuple[str, ...] = (), *, agent: str | None = None, before: int | None = None, limit: int = 100
    ) -> Listing[HistoryEntry]:
        """The changes of all documents, newest first, as far as the journal reaches.

        Args:
            prefix: only of those whose namespace begins with it.
            agent: only what this one wrote or decided.
            before: only what is older than this version: the next page begins before the last entry's.
            limit: how many at most.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.agent("ada").write(("plans",), "launch", {"status": "draft"})
        >>> _ = ws.agent("bob").write(("plans",), "budget", {"euros": 100})
        >>> [(entry.key, entry.agent) for entry in ws.log()]
        [('budget', 'bob'), ('launch', 'ada')]
        >>> [entry.key for entry in ws.log(agent="ada")]
        ['launch']
        """
        if agent is not None:
            check_name(agent, "agent=", self.storage.limits.name)
        for name, number in (("before", before), ("limit", limit)):
            if number is not None and (not isinstance(number, int) or abs(number) > MOST_WRITES):
                raise ConcordantError(f"{name}= is a whole number, not {told(number)}")
        with self.storage.reading():
            return [*log(self.storage, self.registry, checked_prefix(prefix), agent, before, max(limit, 0))]

    def blame(self, namespace: tuple[str, ...], key: str) -> dict[tuple[str, ...], tuple[Credit, ...]]:
        """Who stands for each live value, by path: one credit for a scalar, one for each element, item or span.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.agent("ada").write(("plans",), "launch", {"status": "draft"})
        >>> ws.blame(("plans",), "launch")[("status",)][0].agents
        ('ada',)
        """
        schema = self.registry.readable(namespace, key)
        with self.storage.reading():
            state = self.storage.load(namespace, key)
            if isinstance(state, Record) and state.has_expired(self.storage.time()):
                return {}
            return blame(schema, state, self.storage.replica)

    def stats(self) -> Stats:
        """What became of the writes in the journal, and how many escalations there are."""
        survey.survey(self)
        return statistics(self.storage)

    # -- escalations ---------------------------------------------------------------------------------------------

    def escalations(self, namespace: tuple[str, ...] = (), *, state: str = "open") -> Listing[Escalation]:
        """The escalations under a namespace prefix.

        Args:
            state: ``"open"`` (claimed ones included), ``"claimed"``, one of the closed states, or ``"all"``.
        """
        known = ("open", "claimed", "resolved", "dismissed", "superseded", "agreed", "all")
        if not isinstance(state, str) or state not in known:
            raise ConcordantError(f"unknown state {told(state)}: use one of {', '.join(known)}")
        prefix = checked_prefix(namespace)
        unstored = survey.survey(self)
        found = list(self.storage.escalations(prefix, state))
        if unstored and state in ("open", "all"):
            stored = {escalation.id for escalation in found}
            found += [e for e in unstored if e.namespace[: len(prefix)] == prefix and e.id not in stored]
        return found

    def escalation(self, id: str) -> Escalation | None:
        """The escalation with an id, open or closed; ``None`` if there is none, or it is forgotten with the journal.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> ada, bob = ws.agent("ada"), ws.agent("bob")
        >>> _ = ada.write(("plans",), "launch", {"status": "draft"})
        >>> _ = bob.write(("plans",), "launch", {"status": "final"})
        >>> [question] = ws.escalations()
        >>> _ = ws.resolve(question.id, "final", by="maria", version=question.version)
        >>> ws.escalation(question.id).state
        'resolved'
        """
        if not isinstance(id, str):
            raise ConcordantError(f"an escalation's id is a string, not {told(id)}")
        return self.storage.escalation(id)

    def resolve(self, escalation: Escalation | str, value: Any, *, by: str, version: str | None = None) -> Receipt:
        """Decides an escalation: ``value`` takes the place of all its contenders.

        Args:
            escalation: it, or its id together with ``version``.
            value: a contender's value or another of the field's type; ``DELETED`` decides for a deletion; for reason
                ``text`` the text of the contested range.
            by: who decides.
            version: the ``version`` that was decided on, where that is not what ``escalation`` says.

        Raises:
            StaleDecisionError: the contenders changed since, or it is no longer open.
            UnknownEscalationError: there is none with this id.
            InvalidWriteError: the value does not fit the field.
        """
        return self._decide(self._meant(escalation, version), value, by, dismisses=False)

    def dismiss(self, escalation: Escalation | str, *, by: str, version: str | None = None) -> Receipt:
        """Decides against all contenders: the last agreed value stands, or none if there was none.

        Args:
            escalation: it, or its id together with ``version``.

        Raises:
            StaleDecisionError: the contenders changed since, or it is no longer open.
            UnknownEscalationError: there is none with this id.
        """
        return self._decide(self._meant(escalation, version), None, by, dismisses=True)

    def claim(self, escalation: Escalation | str, *, by: str, version: str | None = None) -> Escalation:
        """Tells others that somebody is working on it; it stays open.

        Who looked at it before another claimed it is refused; who looked at it since takes over. An id does not tell
        when somebody looked, so by id nobody takes over. To claim again what one has claimed changes nothing.

        Args:
            escalation: it, or its id together with ``version``.

        Raises:
            StaleDecisionError: it is no longer open, its contenders changed, or somebody else has claimed it.
            UnknownEscalationError: there is none with this id.
        """
        check_name(by, "by=", self.storage.limits.name)
        wanted = self._meant(escalation, version)
        if isinstance(escalation, str):
            wanted = replace(wanted, state="open")
        place = (wanted.namespace, wanted.key)
        claiming = Claiming(wanted, by)
        self.storage.commit(*place, claiming.update)
        if claiming.made:
            self.subscribers.deliver([Event("claimed", claiming.claimed)])
        return claiming.claimed

    def reopen(self, escalation: Escalation | str, *, by: str) -> Escalation:
        """Asks a settled question again, whoever or whatever settled it: what was agreed before stands, and all its
        sides are contenders, with the agents who said so. What a later write made of it is a side as well.

        Args:
            escalation: it, or its id.
            by: who overrides the decision.

        Returns:
            The open question: another one than before, unless it was open.

        Raises:
            UnknownEscalationError: there is none with this id.
            ConcordantError: its sides are not known any more, do not fit the model, or their place in the text is gone.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.agent("planner").write(("plans",), "launch", {"status": "new"})
        >>> ada, bob = ws.agent("ada"), ws.agent("bob")
        >>> _ = ada.write(("plans",), "launch", {"status": "draft"})
        >>> _ = bob.write(("plans",), "launch", {"status": "final"})
        >>> [question] = ws.escalations()
        >>> _ = ws.resolve(question, "final", by="policy")
        >>> str(ws.reopen(question, by="maria"))
        "plans:launch status (scalar, open): 'draft' by ada, 'final' by bob"
        """
        check_name(by, "by=", self.storage.limits.name)
        id_ = escalation.id if isinstance(escalation, Escalation) else escalation
        if not isinstance(id_, str):
            raise ConcordantError(f"reopen takes an escalation, or the id of one, not {told(escalation)}")
        return restoring.reopen(self, id_, by)

    def restore(self, namespace: tuple[str, ...], key: str, version: int, *, by: str) -> Receipt:
        """Gives a document the value that it had at a version, as an edit by one who has seen what stands now. Open
        questions stay open.

        Args:
            version: the number of one of its changes (``history``).
            by: who does it.

        Raises:
            HistoryExpiredError: the journal does not reach back to the version.
            InvalidWriteError: that value does not fit the present model.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> ada = ws.agent("ada")
        >>> first = ada.write(("plans",), "launch", {"status": "draft"})
        >>> _ = ada.write(("plans",), "launch", {"status": "final"})
        >>> _ = ws.restore(("plans",), "launch", first.version, by="maria")
        >>> ws.get(("plans",), "launch").value
        {'status': 'draft'}
        """
        check_name(by, "by=", self.storage.limits.name)
        return restoring.restore(self, namespace, key, version, by)

    def on_escalation(self, callback: Callable[[Event], Any]) -> Callable[[], None]:
        """Calls ``callback`` once for every transition of an escalation from now on.

        What this workspace does is told after the commit, in the writer's thread, before the call returns. What others
        do that share its database is told in a thread of the workspace's own, soon after it was committed
        (``SqliteOptions.poll``); what happens while this process is not there is told to a named subscriber only
        (``subscribe``). The child of a fork hears of others from its own first call of this on.

        Returns:
            A function that ends the subscription.
        """
        if not callable(callback):
            raise ConcordantError(f"on_escalation takes a function of an event, not {told(callback)}")
        stop = self.subscribers.add(callback)
        try:
            self._follow()
        except BaseException:
            stop()
            raise
        return stop

    def subscribe(self, name: str, *, lease: float = LEASE, from_start: bool = False) -> Subscription:
        """The transitions of escalations for a named subscriber, wherever they are made, each at least once.

        The store remembers how far the subscriber has come, so that it is told what happened while it was away.
        Old events are kept for it (``vacuum``) until ``unsubscribe``.

        Args:
            name: several processes may receive under one name: one does, another goes on where it ended.
            lease: after how many seconds without a sign of life another may go on; longer than dealing with an event
                takes.
            from_start: a new subscriber begins with the oldest event there is, not with the next.

        Raises:
            ConcordantError: this is no name, or no lease.
        """
        return Subscription(self.storage.events, name, lease, from_start=from_start)

    def unsubscribe(self, name: str) -> None:
        """Forgets how far a named subscriber has come."""
        check_name(name, "a subscriber's name", self.storage.limits.name)
        self.storage.events.forget(name)

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

    def _decide(self, escalation: Escalation, value: Any, by: str, *, dismisses: bool) -> Receipt:
        check_name(by, "by=", self.storage.limits.name)
        namespace, key = escalation.namespace, escalation.key
        scope = Scope(by, f"{self.storage.replica}:decision", None)
        schema = self.registry.find(namespace)
        pending = DecisionPending(schema, self.storage, namespace, key, scope, None, "decide")
        pending.escalation, pending.chosen, pending.dismisses = escalation, value, dismisses
        pending.act = "dismiss" if dismisses else "resolve"
        return self._commit(pending)

    # -- expiry, the end -----------------------------------------------------------------------------------------

    def sweep(self) -> int:
        """Clears away what has expired: its escalations close, views hear of it, its content can be dropped.

        Reads show no expired document, swept or not; the sweep is for the room they take.

        Returns:
            How many documents had expired since the last sweep.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.put(("codes",), "ada", {"code": 1234}, ttl=0.0)
        >>> ws.sweep(), ws.sweep()
        (1, 0)
        """
        return expiry.sweep(self)

    def close(self) -> None:
        """Ends what listens for other processes, and releases the storage."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.close()
        self.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
