"""The workspace: documents under schemas, agents that write them, escalations that agents and people settle.

``Workspace`` is its face: each call is documented here and carried out by one of its parts, which share a ``Core``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeAlias, TypeVar

from concordant.errors import ConcordantError, MissingBaseError, told
from concordant.escalation import Escalation, Event
from concordant.limits import Limits
from concordant.merge.causality import VersionVector
from concordant.merge.record.leases import KEEP
from concordant.storage import Condition, KeyValueStore, Storage, open_storage, plugged
from concordant.storage.base import Lag
from concordant.storage.cut import Cut
from concordant.workspace.agent import Agent
from concordant.workspace.amending import Amending
from concordant.workspace.checking import Checked
from concordant.workspace.core import Core, Namespace
from concordant.workspace.coroutines import off_loop
from concordant.workspace.deciding import Deciding
from concordant.workspace.document import Credit, Document, HistoryEntry, Receipt
from concordant.workspace.executions import Retries
from concordant.workspace.forgetting import Forgetting
from concordant.workspace.frames import RefusedFrame
from concordant.workspace.frontier import DELETED_KEPT, REMOVED_KEPT
from concordant.workspace.maintaining import JOURNAL_KEPT, Maintaining, Vacuumed
from concordant.workspace.names import check_name
from concordant.workspace.reading import Reading
from concordant.workspace.registry import Registry
from concordant.workspace.replicating import Replicating
from concordant.workspace.restoring import Restoring
from concordant.workspace.scope import Moment, Scope, TaskScope
from concordant.workspace.scoping import Scoping, Tokens
from concordant.workspace.statistics import Stats
from concordant.workspace.subscribers import Subscribers
from concordant.workspace.subscription import LEASE, Subscription
from concordant.workspace.undoing import Undoing, Undone
from concordant.workspace.writing import Writing

__all__ = ["Workspace"]

P = ParamSpec("P")
T = TypeVar("T")
Awaited: TypeAlias = Coroutine[Any, Any, T]
Listing: TypeAlias = list[T]
"""A list, under a name that ``Workspace.list`` does not hide."""

MOST_PATIENCE = 10**6
"""The longest time to wait that may be asked for, in seconds."""

MOST_ROWS = 2**31
"""The most that a journal in memory can be asked to keep."""


def for_coroutines(call: Callable[Concatenate[Workspace, P], T]) -> Callable[Concatenate[Workspace, P], Awaited[T]]:
    """Makes the twin of a call for coroutines: the same by ``acall``."""
    name = call.__name__

    @wraps(call)
    async def twin(self: Workspace, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.acall(getattr(self, name), *args, **kwargs)

    twin.__name__, twin.__qualname__ = f"a{name}", f"Workspace.a{name}"
    twin.__doc__ = f"Runs ``{name}`` for coroutines."
    return twin


class Workspace:
    """State shared by agents.

    Args:
        url: where it is kept: ``"sqlite:///team.db"`` (one file, many processes on one machine); ``None`` is this
            process's memory.
        schemas: a state model, or ``Schema(Model, ...)``, by namespace pattern (``*`` is one segment).
        undeclared: what happens to writes where no model is declared: ``"merge"`` treats each top-level field as a
            ``Scalar``, ``"tree"`` merges each document as a ``Tree()``, ``"reject"`` refuses them.
        journal: how many changes the journal keeps in memory.
        read_marks: for how many seconds a read made without framework and name makes a later put of that document
            an edit of what it returned.
        frame_key: a secret with which frames are authenticated (``export``, ``import_``).
        replica: this store's name in dots; made up if not given. No two stores may share one.
        limits: what is refused, or shown in part (``Limits``, docs/limits.md).
        options: settings of the database (``SqliteOptions``).
        storage: where it is kept, instead of a url: a ``KeyValueStore`` of your own (docs/storages.md), or a whole
            ``Storage``; of one workspace, and closed with it.
        forgets: whether with every 16th edit of a large text or list a part of what was removed from it, and nobody
            refers to any more, is forgotten, as ``vacuum`` does with all of it. The journal stays as it is.

    Raises:
        SchemaError: lists every fault of every model at once.
        StorageError: the database cannot be opened.

    >>> ws = Workspace()
    >>> ada, bob = ws.agent("ada"), ws.agent("bob")
    >>> _ = ada.write(("plans",), "launch", {"status": "draft"})
    >>> _ = bob.write(("plans",), "launch", {"status": "final"})
    >>> [str(e) for e in ws.escalations()]
    ["plans:launch status (scalar, open): 'draft' by ada, 'final' by bob"]
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        schemas: Mapping[tuple[str, ...], Any] | None = None,
        undeclared: Literal["merge", "tree", "reject"] = "merge",
        journal: int = 10_000,
        read_marks: float = 30.0,
        frame_key: bytes | None = None,
        replica: str | None = None,
        options: Any = None,
        limits: Limits | None = None,
        storage: Storage | KeyValueStore | None = None,
        forgets: bool = True,
    ) -> None:
        limits = Limits() if limits is None else limits
        if not isinstance(limits, Limits):
            raise ConcordantError(f"limits= is Limits(...), not {told(limits)}")
        registry = Registry({} if schemas is None else schemas, undeclared, limits)
        _check_settings(journal, read_marks, frame_key, replica)
        if not isinstance(forgets, bool):
            raise ConcordantError(f"forgets= is True or False, not {told(forgets)}")
        if storage is None:
            kept = open_storage(url, replica, journal, options)
        else:
            kept = plugged(storage, url, replica, options)
        kept.limits = limits
        core = Core(kept, registry, Subscribers(kept.events), Scoping(kept, read_marks))
        retries = Retries(core)
        self.core, self.storage, self.registry = core, kept, registry
        self.reading = Reading(core, retries)
        self.writing = Writing(core, self.reading, retries, Forgetting(core, forgets))
        self.amending = Amending(core, self.reading, self.writing, retries)
        self.deciding = Deciding(core, self.writing)
        self.restoring = Restoring(core, self.reading, self.writing, self.amending, self.deciding)
        self.undoing = Undoing(core, self.writing)
        self.replicating = Replicating(core, frame_key)
        self.maintaining = Maintaining(core)

    # -- agents and scopes ---------------------------------------------------------------------------------------

    def agent(self, name: str, *, began: Moment | None = None, seen: Tokens | None = None) -> Agent:
        """Returns a handle for an agent, with a scope of its own.

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
        return Agent(self.core, self.reading, self.writing, name, self.core.scoping.opened(name, began, seen))

    def moment(self) -> Moment:
        """Returns the present point in this store's history: picklable, for ``agent(name, began=...)`` in any worker.

        Its ``token`` is the same as text.
        """
        return self.core.scoping.moment()

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
        return self.core.scoping.acting_as(name, began, seen)

    def add_scope_provider(self, provider: Callable[[], TaskScope | None]) -> None:
        """Lets an adapter tell in which task of its framework a call is made."""
        self.core.scoping.add_provider(provider)

    def declare(self, schemas: Mapping[tuple[str, ...], Any]) -> None:
        """Adds schemas to those of the constructor. What was written in their namespaces before is converted, or asked
        about.

        Raises:
            SchemaError: lists every fault of every model; or a pattern has another schema already. Nothing is added.
        """
        self.maintaining.declare(schemas)

    async def acall(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a call of this workspace for a coroutine: where it may wait for a database, beside the event loop; and
        waits for the async resolvers that it started."""
        return await self.core.acall(function, *args, **kwargs)

    # -- reading and writing without an agent's handle ------------------------------------------------------------

    def get(
        self, namespace: tuple[str, ...], key: str, *, at: Cut | None = None, strict: bool = False
    ) -> Document | None:
        """Reads a document; no scope has seen it for that.

        Args:
            at: a version, to read the document as it was then.
            strict: raise ``ContestedError`` if it has open escalations.

        Raises:
            HistoryExpiredError: the journal does not reach back to ``at``.
        """
        return self.reading.get(namespace, key, at, strict=strict)

    def list(self, prefix: tuple[str, ...] = ()) -> Iterator[Document]:
        """Returns all documents whose namespace begins with ``prefix``."""
        return self.reading.list(prefix)

    def put(
        self,
        namespace: Namespace,
        key: str,
        value: Any,
        scope: Scope | None = None,
        seen: Document | None = None,
        settings: Mapping[str, Any] | None = None,
        ttl: float | None = KEEP,
    ) -> Receipt:
        """Stores as a store's put does: an edit of the fields given as far as they were read, else a contribution;
        in a namespace without a model the document is replaced as far as it has been seen.

        Args:
            seen: what the value was made from, for a caller that holds it: the put is an edit of that, whatever else
                the scope has read.
            settings: JSON values to remember about the document beside its value (``Document.setting``); of
                concurrent ones the newest stands, ``None`` unsets.
            ttl: for how many seconds the document is to live, from now and from each ``touch``; ``None``: for ever;
                not given: as long as it would anyway. Of concurrent puts the longest counts.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.put(("codes",), "ada", {"code": 1234}, ttl=0.0)
        >>> ws.get(("codes",), "ada") is None
        True
        """
        return self.writing.put(namespace, key, value, scope, seen, settings, ttl)

    def remove(self, namespace: Namespace, key: str, scope: Scope | None = None) -> Receipt:
        """Deletes as a store's delete does."""
        return self.writing.remove(namespace, key, scope)

    def put_all(self, given: Sequence[tuple[Any, ...]]) -> None:
        """Puts (or, with the value ``None``, removes) several documents in one transaction: all of them or none.

        Args:
            given: of each namespace, key and value, and optionally settings and ttl as for ``put``.
        """
        self.writing.put_all(given)

    def read_current(self, namespace: Namespace, key: str) -> Document | None:
        """Reads as a store's get does: for the task or name in force, else for a later put in this context."""
        return self.reading.read(self.core.scoping.current(), namespace, key)

    def touch(self, documents: Iterable[Document]) -> None:
        """Begins the time to live of documents anew, as far as they have one; nothing is written to them."""
        self.reading.touch(documents)

    def documents_current(self, prefix: Namespace, conditions: Sequence[Condition] = ()) -> Iterator[Document]:
        """Returns the documents under a prefix as the scope in force would read them; ``mark_read`` tells which it
        used.

        Args:
            conditions: documents that do not meet them may be left out.
        """
        return self.reading.current(prefix, conditions)

    def document_current(self, namespace: Namespace, key: str) -> Document | None:
        """Returns one document as the scope in force would read it; ``mark_read`` tells that it was used."""
        return self.reading.document_current(namespace, key)

    def mark_read(self, documents: Sequence[Document]) -> None:
        """Counts documents from ``documents_current`` as read."""
        self.reading.mark_read(documents)

    def namespaces(self, prefix: Namespace = ()) -> Listing[Namespace]:
        """Returns the namespaces under a prefix in which a reader finds documents."""
        return [*self.reading.namespaces(prefix)]

    def declares(self, namespace: Namespace) -> bool:
        """Tells whether the namespace has a model."""
        return self.registry.find(namespace).declared

    # -- the past ------------------------------------------------------------------------------------------------

    def history(self, namespace: tuple[str, ...], key: str) -> Listing[HistoryEntry]:
        """Returns the changes of a document, newest first, as far as the journal reaches."""
        return [*self.reading.history(namespace, key)]

    def log(
        self, prefix: tuple[str, ...] = (), *, agent: str | None = None, before: int | None = None, limit: int = 100
    ) -> Listing[HistoryEntry]:
        """Returns the changes of all documents, newest first, as far as the journal reaches.

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
        return [*self.reading.log(prefix, agent, before, limit)]

    def blame(self, namespace: tuple[str, ...], key: str) -> dict[tuple[str, ...], tuple[Credit, ...]]:
        """Tells who stands for each live value, by path: one credit for a scalar, one for each element, item or span.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.agent("ada").write(("plans",), "launch", {"status": "draft"})
        >>> ws.blame(("plans",), "launch")[("status",)][0].agents
        ('ada',)
        """
        return self.reading.blame(namespace, key)

    def stats(self) -> Stats:
        """Returns what became of the writes in the journal, and how many escalations there are."""
        return self.maintaining.stats()

    # -- escalations ---------------------------------------------------------------------------------------------

    def escalations(self, namespace: tuple[str, ...] = (), *, state: str = "open") -> Listing[Escalation]:
        """Returns the escalations under a namespace prefix.

        Args:
            state: ``"open"`` (claimed ones included), ``"claimed"``, one of the closed states, or ``"all"``.
        """
        return [*self.deciding.escalations(namespace, state)]

    def escalation(self, id: str) -> Escalation | None:
        """Returns the escalation with an id, open or closed; ``None`` if there is none, or it is forgotten with the
        journal.

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
        return self.deciding.escalation(id)

    def resolve(
        self, escalation: Escalation | str, value: Any, *, by: str, version: str | None = None, why: str | None = None
    ) -> Receipt:
        """Decides an escalation: ``value`` takes the place of all its contenders.

        Args:
            escalation: it, or its id together with ``version``.
            value: a contender's value or another of the field's type; ``DELETED`` decides for a deletion; for reason
                ``text`` the text of the contested range.
            by: who decides.
            version: the ``version`` that was decided on, where that is not what ``escalation`` says.
            why: the reason, which stays on record: in the history, and as the last of ``escalation.remarks``.

        Raises:
            StaleDecisionError: the contenders changed since, or it is no longer open.
            UnknownEscalationError: there is none with this id.
            InvalidWriteError: the value does not fit the field.
        """
        return self.deciding.resolve(escalation, value, by, version, why)

    def dismiss(
        self, escalation: Escalation | str, *, by: str, version: str | None = None, why: str | None = None
    ) -> Receipt:
        """Decides against all contenders: the last agreed value stands, or none if there was none.

        Args:
            escalation: it, or its id together with ``version``.
            why: the reason, which stays on record with the decision.

        Raises:
            StaleDecisionError: the contenders changed since, or it is no longer open.
            UnknownEscalationError: there is none with this id.
        """
        return self.deciding.dismiss(escalation, by, version, why)

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
        return self.deciding.claim(escalation, by, version)

    def join_judges(self, timeout: float | None = None) -> bool:
        """Waits until no judge (``concordant.judges``) of this workspace is at work.

        Args:
            timeout: for how many seconds at most; ``None``: as long as it takes.

        Returns:
            Whether none is.
        """
        if timeout is not None and (not isinstance(timeout, (int, float)) or not 0 <= timeout <= MOST_PATIENCE):
            raise ConcordantError(f"timeout= is a number of seconds up to {MOST_PATIENCE:,}, not {told(timeout)}")
        return self.deciding.resolvers.join(timeout)

    def reopen(self, escalation: Escalation | str, *, by: str) -> Escalation:
        """Asks a settled question again, whoever or whatever settled it: what was agreed before stands, and all its
        sides are contenders, with the agents who said so. What a later write made of it is a side as well. Now it waits
        for a decision, whatever policy or function is declared.

        Values that do not fit the model (``schema``, ``invalid``) wait beside what stands, as a ``type`` question.

        Args:
            escalation: it, or its id.
            by: who overrides the decision.

        Returns:
            The open question; its id may be another one than before.

        Raises:
            UnknownEscalationError: there is none with this id.
            ConcordantError: its sides are not known any more, or their place is gone; says which.

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
        return self.restoring.reopen(escalation, by)

    def ask(self, namespace: tuple[str, ...], key: str, path: tuple[str, ...], *, by: str) -> Escalation:
        """Asks people what a declared policy settles by itself (``resolve="max"``, ``on_delete=``): from now on the
        question is open, on all replicas, until it is decided or somebody who has seen all sides writes there.

        Args:
            path: what it settled, as in the ``settled`` of an entry of the history. Where what it chose between was
                replaced since, that is a contender again beside what stands.
            by: who asks.

        Returns:
            The open question.

        Raises:
            ConcordantError: nothing was settled there, or all said the same.
            HistoryExpiredError: what it chose between is not kept any more.

        >>> from typing import Annotated
        >>> from pydantic import create_model
        >>> from concordant import Scalar, Workspace
        >>> Plan = create_model("Plan", budget=(Annotated[int, Scalar(resolve="max")], 0))
        >>> ws = Workspace(schemas={("plans",): Plan})
        >>> ada, bob = ws.agent("ada"), ws.agent("bob")
        >>> _ = ada.write(("plans",), "launch", {"budget": 1})
        >>> _ = bob.write(("plans",), "launch", {"budget": 9})
        >>> str(ws.ask(("plans",), "launch", ("budget",), by="maria"))
        'plans:launch budget (scalar, open): 1 by ada, 9 by bob'
        """
        return self.restoring.ask(namespace, key, path, by)

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
        return self.restoring.restore(namespace, key, version, by)

    def undo(
        self,
        *,
        agent: str,
        since: int | datetime | Moment | None = None,
        prefix: tuple[str, ...] = (),
        by: str,
        dry_run: bool = True,
    ) -> Undone:
        """Shows what taking back an agent's contributions would do; with ``dry_run=False`` does it, as one write of
        ``by`` to each document.

        Others' work stays. What the agent's writes had replaced or removed stands again, what they added goes, as far
        as it still stands; a decision of the agent's is an open question again. What others built on what is taken
        back becomes a question: their value against what stood before the agent came. In a ``Set``, ``Counter`` or
        ``List``, which never ask, their work and what stood before both stand. To take it back is a change like others:
        it is in the journal, travels to other stores, and can be taken back itself.

        Args:
            agent: whose contributions.
            since: a version (what came after it), a time (a ``datetime`` with a time zone; what came then or later), a
                moment (``moment()``); ``None``: all that the journal reaches back to.
            prefix: only in documents whose namespace begins with it.
            by: who takes them back.
            dry_run: whether to look only. That is the default, because taking back is for documents by the hundred:
                look at the preview first.

        Returns:
            What becomes of each document, what cannot be taken back here and why, and, if the agent has written
            nothing, who has.

        Raises:
            ConcordantError: ``since`` is none of these.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.agent("ada").write(("plans",), "launch", {"status": "draft", "owner": "ada"})
        >>> began = ws.moment()
        >>> bob = ws.agent("bob")
        >>> _ = bob.write(("plans",), "launch", {"status": "shipped", "owner": "bob"})
        >>> _ = ws.agent("eve").write(("plans",), "launch", {"owner": "eve"})  # built on what bob wrote
        >>> undone = ws.undo(agent="bob", since=began, by="maria", dry_run=False)
        >>> ws.get(("plans",), "launch").value
        {'status': 'draft', 'owner': 'eve'}
        >>> [str(question) for question in undone.questions]
        ["plans:launch owner (scalar, open): 'ada' by ada, 'eve' by eve"]
        """
        return self.undoing.undo(agent, since, prefix, by, dry_run=dry_run)

    def on_escalation(self, callback: Callable[[Event], Any]) -> Callable[[], None]:
        """Calls ``callback`` once for every transition of an escalation from now on.

        What this workspace does is told after the commit, in the writer's thread, before the call returns. What others
        do that share its database is told in a thread of the workspace's own, soon after it was committed
        (``SqliteOptions.poll``); what happens while this process is not there is told to a named subscriber only
        (``subscribe``). The child of a fork hears of others from its own first call of this on.

        Returns:
            A function that ends the subscription.
        """
        return self.deciding.on_escalation(callback)

    def subscribe(self, name: str, *, lease: float = LEASE, from_start: bool = False) -> Subscription:
        """Returns the transitions of escalations for a named subscriber, wherever they are made, each at least once.

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

    def subscriptions(self) -> Listing[Lag]:
        """Returns the named subscribers, in the order of their names, and how far each is behind.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> with ws.subscribe("slack-bot"):
        ...     ada, bob = ws.agent("ada"), ws.agent("bob")
        ...     _ = ada.write(("plans",), "launch", {"status": "draft"})
        ...     _ = bob.write(("plans",), "launch", {"status": "final"})
        >>> [(one.name, one.waiting, one.receiving) for one in ws.subscriptions()]
        [('slack-bot', 1, False)]
        """
        return self.storage.events.lags()

    # -- other stores --------------------------------------------------------------------------------------------

    def version_vector(self) -> VersionVector:
        """Returns what is known here: of each store the number of a commit up to which all that it had is known.

        Another store's ``export`` takes it, so that only what is new to this one travels.
        """
        return self.replicating.version_vector()

    def export(self, since: VersionVector | Moment | None = None, *, whole: bool = False) -> bytes:
        """Returns a frame for ``import_`` in a workspace without a common database.

        Args:
            since: the ``version_vector()`` of the workspace that will import it, or a moment of this one whose
                documents it has; without, all documents travel.
            whole: whether large texts and lists travel whole. Else a frame with ``since`` tells what became of them,
                and who has them not raises ``MissingBaseError``.

        >>> from concordant import Workspace
        >>> office, train = Workspace(), Workspace()
        >>> _ = office.agent("ada").write(("notes",), "n1", {"title": "Dots"})
        >>> train.import_(office.export(train.version_vector()))
        1
        >>> train.get(("notes",), "n1").value
        {'title': 'Dots'}
        """
        return self.replicating.export(since, whole)

    def changes(self, after: Any = None) -> tuple[Any, Listing[tuple[tuple[str, ...], str]]]:
        """Returns the documents that were written, by whatever way, since an earlier call: what a view has to catch up
        with.

        Args:
            after: the cursor that the earlier call gave; without one all documents there are.

        Returns:
            A cursor for the next call, and the (namespace, key) of each document, deleted ones included.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> cursor, _ = ws.changes()
        >>> _ = ws.agent("ada").write(("notes",), "n1", {"title": "Dots"})
        >>> ws.changes(cursor)[1]
        [(('notes',), 'n1')]
        """
        cursor, found = self.replicating.changes(after)
        return cursor, [*found]

    def import_(self, frame: bytes) -> int:
        """Joins a frame's documents with those here; returns how many changed.

        Raises:
            CorruptFrameError: the frame is not intact, not authentic, or holds what cannot be joined here.
            MissingBaseError: it tells what became of a text or list that was never so here: ``export(since,
                whole=True)`` gives one with all of it. Nothing was applied.
            StaleReplicaError: its sender, or this workspace, was away for longer than deleted documents are
                remembered (``vacuum``), or was restored from a back-up. In either case nothing was applied, and
                ``refused`` keeps the frame.
        """
        return self.replicating.import_(frame)

    def exchange(self, other: Workspace) -> tuple[int, int]:
        """Brings this workspace and another one to the same state: each imports what is new to it.

        Both must have the same ``frame_key``.

        Returns:
            How many documents changed here, and how many there.

        >>> from concordant import Workspace
        >>> office, train = Workspace(), Workspace()
        >>> _ = office.agent("ada").write(("notes",), "n1", {"title": "Dots"})
        >>> _ = train.agent("bob").write(("notes",), "n1", {"topic": "Merging"})
        >>> office.exchange(train)
        (1, 1)
        >>> office.get(("notes",), "n1").value == train.get(("notes",), "n1").value
        True
        """
        if not isinstance(other, Workspace):
            raise ConcordantError(f"exchange takes another workspace, not {told(other)}")
        return self._fetch(other), other._fetch(self)

    def _fetch(self, other: Workspace) -> int:
        """Imports what is new of another workspace; whole, if it is not known here what that was made of."""
        try:
            return self.import_(other.export(self.version_vector()))
        except MissingBaseError:
            return self.import_(other.export(self.version_vector(), whole=True))

    def refused(self) -> Listing[RefusedFrame]:
        """Returns the newest frames that ``import_`` refused, with the reasons (in this process's memory)."""
        return self.replicating.quarantine.frames()

    def adopt(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Any,
        *,
        by: str,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
    ) -> int:
        """Makes a document of what another store held: every scope has seen it, and it keeps its times.

        Args:
            value: a dict of fields, all of which must fit the model.
            by: whom the values are credited to.
            created_at: when it was first written, by default as ``updated_at``.
            updated_at: when it was last written, by default now.

        Returns:
            The document's version; 0 if there was one already, deleted ones included: nothing was changed then.

        Raises:
            InvalidWriteError: it does not fit the model; nothing was adopted.

        >>> from datetime import UTC, datetime
        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> ada = ws.agent("ada")
        >>> ws.adopt(("notes",), "n1", {"title": "Dots"}, by="archive", updated_at=datetime(2020, 5, 1, tzinfo=UTC))
        1
        >>> _ = ada.write(("notes",), "n1", {"title": "Lines"})  # ada has seen what was there before
        >>> ws.get(("notes",), "n1").value, ws.escalations()
        ({'title': 'Lines'}, [])
        """
        return self.replicating.adopt(namespace, key, value, by, created_at, updated_at)

    # -- maintenance, the end ------------------------------------------------------------------------------------

    def purge(self, namespace: tuple[str, ...], key: str) -> None:
        """Erases a document's content and journal for good; a bare tombstone remains, so that it does not come back
        from a replica."""
        self.maintaining.purge(namespace, key)

    def vacuum(
        self,
        *,
        journal: timedelta = JOURNAL_KEPT,
        deleted: timedelta = DELETED_KEPT,
        removed: timedelta = REMOVED_KEPT,
    ) -> Vacuumed:
        """Forgets what is old, so that the store grows with what is in it and not with its history. Run it now and
        then, say once a day, from any one process.

        Args:
            journal: how long journal rows, closed escalations and events are kept (90 days): so far back reach
                ``history``, ``get(at=...)`` and ``escalations(state=...)``. Open escalations stay, and so do events
                that a named subscriber has not dealt with.
            deleted: how long it is remembered of a document that it was deleted (90 days). A store that was apart for
                longer cannot ``exchange`` any more: it might bring back what it did not hear was deleted.
            removed: how long words and items stay known after an edit removed them (a day), so that what somebody
                writes who still read them finds its place; longer than any agent works on what it has read. What
                another store may know is kept until all stores that were heard of have told that whoever writes there
                has seen it removed.

        Returns:
            How much was forgotten; and what was removed and is still known, and for whom (``kept``).

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.agent("ada").write(("notes",), "n1", {"title": "Dots"})
        >>> ws.vacuum()
        Vacuumed(documents=0, rows=0, compacted=0, pieces=0, kept=())
        """
        return self.maintaining.vacuum(journal, deleted, removed)

    def check(self, *, quarantine: bool = False) -> Checked:
        """Verifies the store: whether each document can be read, shows what its record gives, has the questions that
        it is said to have, and a journal without gaps. Others may read and write meanwhile.

        Args:
            quarantine: sets aside each document that cannot be read or trusted: it is as if there never had been one,
                all others go on, and what was stored of it is kept (``concordant_quarantine``). It comes back from
                another store that has it (``import_``).

        Returns:
            What is wrong, and how much was looked at.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.agent("ada").write(("notes",), "n1", {"title": "Dots"})
        >>> ws.check()
        Checked(documents=1, rows=1, unverified=0, problems=(), quarantined=())
        >>> ws.check().ok
        True
        """
        return self.maintaining.check(quarantine)

    def rename(self, name: str | None = None) -> str:
        """Gives this store another name in its writes; to be done, by the only process that has it open, after it was
        restored from a back-up or copied: two stores that write under one name cannot be told apart.

        Args:
            name: the new one, by default made up.

        Returns:
            The new name. What was written under the old one keeps its place and its authors.
        """
        return self.maintaining.rename(name)

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
        return self.maintaining.sweep()

    def close(self) -> None:
        """Ends what listens for other processes, and releases the storage. Judges that are at work are waited for, half
        a minute at most."""
        self.deciding.resolvers.close()
        self.core.subscribers.close()
        self.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- for coroutines ------------------------------------------------------------------------------------------

    aget = for_coroutines(get)
    ahistory = for_coroutines(history)
    alog = for_coroutines(log)
    ablame = for_coroutines(blame)
    astats = for_coroutines(stats)
    aescalations = for_coroutines(escalations)
    asubscriptions = for_coroutines(subscriptions)
    aescalation = for_coroutines(escalation)
    aresolve = for_coroutines(resolve)
    adismiss = for_coroutines(dismiss)
    aclaim = for_coroutines(claim)
    areopen = for_coroutines(reopen)
    aask = for_coroutines(ask)
    arestore = for_coroutines(restore)
    aundo = for_coroutines(undo)
    apurge = for_coroutines(purge)
    asweep = for_coroutines(sweep)
    aexport = for_coroutines(export)
    aimport_ = for_coroutines(import_)
    aexchange = for_coroutines(exchange)
    acheck = for_coroutines(check)
    avacuum = for_coroutines(vacuum)

    async def aput(
        self,
        namespace: Namespace,
        key: str,
        value: Any,
        scope: Scope | None = None,
        *,
        seen: Document | None = None,
        settings: Mapping[str, Any] | None = None,
        ttl: float | None = KEEP,
    ) -> Receipt:
        """Runs ``put`` for coroutines; those that wait at the same time are committed together."""
        return await self.writing.aput(namespace, key, value, scope, seen, settings, ttl)

    async def aremove(self, namespace: Namespace, key: str, scope: Scope | None = None) -> Receipt:
        """Runs ``remove`` for coroutines."""
        return await self.writing.aremove(namespace, key, scope)

    async def alist(self, prefix: tuple[str, ...] = ()) -> Listing[Document]:
        """Runs ``list`` for coroutines, as a list."""
        return await self.acall(lambda: [*self.list(prefix)])

    async def ajoin_judges(self, timeout: float | None = None) -> bool:
        """Runs ``join_judges`` for coroutines."""
        return await off_loop(self.join_judges, timeout)


def _check_settings(journal: Any, read_marks: Any, frame_key: Any, replica: Any) -> None:
    if not isinstance(journal, int) or isinstance(journal, bool) or not 0 <= journal <= MOST_ROWS:
        raise ConcordantError(f"journal= is a number of changes, not {told(journal)}")
    if not isinstance(read_marks, (int, float)) or not read_marks >= 0:
        raise ConcordantError(f"read_marks= is a number of seconds, not {told(read_marks)}")
    if frame_key is not None and not isinstance(frame_key, (bytes, bytearray)):
        raise ConcordantError(f"frame_key= is a secret as bytes, not a {type(frame_key).__name__}")
    if replica is not None:
        check_name(replica, "replica=")
