"""What another model wrote is looked through once, so that the questions it leaves are listed before anybody writes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from concordant.errors import StorageBusyError
from concordant.escalation import Escalation, Event, escalation_of
from concordant.merge.record import Record
from concordant.storage import Address, Result, SideEffects, State, TransactionView
from concordant.workspace.core import Core
from concordant.workspace.states import current_view, expanded, view_at
from concordant.workspace.transitions import transitions

__all__ = ["declare", "survey"]

PAGE = 100
"""In how many documents at most questions are opened in one transaction."""


def declare(core: Core, schemas: Mapping[tuple[str, ...], Any]) -> None:
    """Adds schemas; what was written before in their namespaces is from now on under another model."""
    storage, registry = core.storage, core.registry
    with storage.reading():
        before = registry.snapshot()
        registry.declare(schemas)

        def recast(namespace: tuple[str, ...], state: State) -> State:
            old = before.find(namespace)
            if old is registry.find(namespace):
                return state
            record = expanded(state, old, storage.replica)
            record.alien, record.cache = True, None
            return record

        storage.redeclared(recast)
    if storage.live:
        survey(core)


def survey(core: Core) -> list[Escalation]:
    """Opens the questions that are in documents which were last saved under another model.

    Returns:
        Those that could not be stored, because the store can only be read, or is held by others.
    """
    models = core.registry.models
    if not models:
        return []
    storage = core.storage
    if not storage.read_only:
        try:
            _store(core, models)
        except StorageBusyError:  # they are told all the same, and stored at the next call
            pass
        else:
            return []
    _, documents = storage.outdated(models)
    return [question for document in documents for question in _questions(core, *document)]


def _store(core: Core, models: str) -> None:
    """Opens them where that can be done.

    Raises:
        StorageBusyError: others hold the store.
    """
    storage, changed = core.storage, False
    n, documents = storage.outdated(models)
    questions = ((namespace, key) for namespace, key, state in documents if _asks(core, namespace, key, state))
    while page := [*islice(questions, PAGE)]:
        events: list[Event] = []
        storage.commit_all([(*address, _opening(core, address, events)) for address in page], hasty=True)
        changed = changed or bool(events)
        core.subscribers.deliver(events)
    storage.surveyed(models, n, changed=changed)


def _questions(core: Core, namespace: tuple[str, ...], key: str, state: State) -> list[Escalation]:
    if not isinstance(state, Record):
        return []
    schema = core.registry.find(namespace)
    contests = current_view(state, schema, core.storage.replica).contests
    return [escalation_of(namespace, key, contest) for contest in contests]


def _asks(core: Core, namespace: tuple[str, ...], key: str, state: State) -> bool:
    """Whether a document leaves questions, or did."""
    schema = core.registry.find(namespace)
    if not isinstance(state, Record) or not schema.declared:
        return False
    view = current_view(state, schema, core.storage.replica)
    return bool(view.contests or core.storage.open_of((namespace, key)))


def _versions(questions: Mapping[str, Escalation]) -> dict[str, str]:
    """Under which versions questions are listed: another model may compare their contenders otherwise."""
    return {id_: question.version for id_, question in questions.items()}


def _opening(core: Core, address: Address, events: list[Event]) -> Any:
    def update(state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
        storage, schema = core.storage, core.registry.find(address[0])
        if not isinstance(state, Record) or state.has_expired(time):
            return None
        record = expanded(state, schema, storage.replica)
        view = view_at(record, schema, storage.replica, time)
        before = tx.open_of(address)
        effects = transitions(address, view, record, time, tx, most=storage.limits.contenders).effects
        if not effects.events and _versions(before) == _versions(effects.open or {}):
            return None
        events.extend(effects.events)
        return record, None, SideEffects(effects.open, effects.closed, effects.events, lasts=True)

    return update
