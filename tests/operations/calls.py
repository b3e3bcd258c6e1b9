"""Every public call, as functions of one value that stands where something else is meant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from concordant import Agent, Schema, SqliteOptions, Workspace

from .zoo import Everything

__all__ = ["OPEN", "PLACE", "SPACE", "WORKSPACE_CALLS", "opened"]

SPACE = ("briefs",)
OPEN = ("free",)
PLACE = (SPACE, "launch")

Call = Callable[[Workspace, Any], Any]


def opened(url: str | None) -> Workspace:
    """A store with a document of every kind, an open question, and a document without a model."""
    options = SqliteOptions(synchronous="normal") if url and url.startswith("sqlite") else None
    schemas = {SPACE: Everything, ("strict",): Schema(Everything, on_invalid="raise")}
    ws = Workspace(url, schemas=schemas, options=options)
    ws.agent("ada").write(*PLACE, {"status": "ready", "tags": ["a"], "notes": "Hello.", "votes": 1, "steps": ["one"]})
    ada, bob = ws.agent("ada"), ws.agent("bob")
    ada.write(*PLACE, {"status": "draft"})
    bob.write(*PLACE, {"status": "final"})
    ws.agent("ada").write(OPEN, "k", {"a": 1})
    return ws


def _edit(agent: Agent, namespace: Any, key: Any, change: Callable[[Any], Any] = lambda it: None) -> None:
    with agent.edit(namespace, key) as it:
        change(it)


def _keyed(key: Any, value: Any) -> dict[Any, Any]:
    """A dict with this key, as far as it can be one."""
    try:
        return {key: value}
    except Exception:
        return {"a": value}


def _set(it: Any, name: str, value: Any) -> None:
    if isinstance(it, dict):
        it[name] = value
    else:
        setattr(it, name, value)


def _receive(ws: Workspace, **options: Any) -> None:
    with ws.subscribe(**{"name": "bot", **options}) as inbox:
        inbox.receive(timeout=0.0)
        inbox.acknowledge()
    ws.unsubscribe("bot")


def _acting(ws: Workspace, name: Any, **options: Any) -> None:
    with ws.acting_as(name, **options):
        ws.put(OPEN, "acting", {"a": 1})


def _escalation(ws: Workspace) -> Any:
    return ws.escalations()[0]


WORKSPACE_CALLS: dict[str, Call] = {
    "agent(name)": lambda ws, v: ws.agent(v),
    "agent(began)": lambda ws, v: ws.agent("ada", began=v),
    "write(namespace)": lambda ws, v: ws.agent("ada").write(v, "k", {"a": 1}),
    "write(key)": lambda ws, v: ws.agent("ada").write(OPEN, v, {"a": 1}),
    "write(value)": lambda ws, v: ws.agent("ada").write(*PLACE, v),
    "write(value), strict": lambda ws, v: ws.agent("ada").write(("strict",), "k", v),
    "write(value), no model": lambda ws, v: ws.agent("ada").write(OPEN, "k2", v),
    "write(field), no model": lambda ws, v: ws.agent("ada").write(OPEN, "k2", {"a": v}),
    **{
        f"write({name})": (lambda ws, v, name=name: ws.agent("ada").write(*PLACE, {name: v}))  # type: ignore[misc]
        for name in Everything.model_fields
    },
    "write(if_version)": lambda ws, v: ws.agent("ada").write(*PLACE, {"votes": 1}, if_version=v),
    "edit(namespace)": lambda ws, v: _edit(ws.agent("ada"), v, "k"),
    "edit(key)": lambda ws, v: _edit(ws.agent("ada"), OPEN, v),
    **{
        f"edit({name})": (
            lambda ws, v, name=name: _edit(ws.agent("ada"), *PLACE, lambda it: _set(it, name, v))  # type: ignore[misc]
        )
        for name in Everything.model_fields
    },
    "edit, no model": lambda ws, v: _edit(ws.agent("ada"), OPEN, "k", lambda it: _set(it, "a", v)),
    "edit, no model, a field's name": lambda ws, v: _edit(
        ws.agent("ada"), OPEN, "k", lambda it: it.update(_keyed(v, 1))
    ),
    "read(namespace)": lambda ws, v: ws.agent("ada").read(v, "k"),
    "read(key)": lambda ws, v: ws.agent("ada").read(OPEN, v),
    "delete(namespace)": lambda ws, v: ws.agent("ada").delete(v, "k"),
    "delete(key)": lambda ws, v: ws.agent("ada").delete(OPEN, v),
    "delete(if_version)": lambda ws, v: ws.agent("ada").delete(OPEN, "nothing", if_version=v),
    "get(namespace)": lambda ws, v: ws.get(v, "k"),
    "get(key)": lambda ws, v: ws.get(OPEN, v),
    "get(at)": lambda ws, v: ws.get(*PLACE, at=v),
    "list(prefix)": lambda ws, v: [*ws.list(v)],
    "namespaces(prefix)": lambda ws, v: ws.namespaces(v),
    "history(namespace)": lambda ws, v: ws.history(v, "k"),
    "history(key)": lambda ws, v: ws.history(OPEN, v),
    "blame(namespace)": lambda ws, v: ws.blame(v, "k"),
    "blame(key)": lambda ws, v: ws.blame(OPEN, v),
    "escalations(namespace)": lambda ws, v: ws.escalations(v),
    "escalations(state)": lambda ws, v: ws.escalations(state=v),
    "agent(seen)": lambda ws, v: ws.agent("ada", seen=v),
    "acting_as(began)": lambda ws, v: _acting(ws, "ada", began=v),
    "acting_as(seen)": lambda ws, v: _acting(ws, "ada", seen=v),
    "escalation(id)": lambda ws, v: ws.escalation(v),
    "resolve(version)": lambda ws, v: ws.resolve(_escalation(ws).id, "x", by="eve", version=v),
    "claim(version)": lambda ws, v: ws.claim(_escalation(ws), by="eve", version=v),
    "dismiss(version)": lambda ws, v: ws.dismiss(_escalation(ws), by="eve", version=v),
    "resolve(escalation)": lambda ws, v: ws.resolve(v, "x", by="eve"),
    "resolve(value)": lambda ws, v: ws.resolve(_escalation(ws), v, by="eve"),
    "resolve(by)": lambda ws, v: ws.resolve(_escalation(ws), "x", by=v),
    "dismiss(escalation)": lambda ws, v: ws.dismiss(v, by="eve"),
    "dismiss(by)": lambda ws, v: ws.dismiss(_escalation(ws), by=v),
    "claim(escalation)": lambda ws, v: ws.claim(v, by="eve"),
    "claim(by)": lambda ws, v: ws.claim(_escalation(ws), by=v),
    "acting_as(name)": _acting,
    "on_escalation(callback)": lambda ws, v: ws.on_escalation(v)(),
    "subscribe(name)": lambda ws, v: _receive(ws, name=v),
    "subscribe(lease)": lambda ws, v: _receive(ws, lease=v),
    "subscribe(from_start)": lambda ws, v: _receive(ws, from_start=v),
    "unsubscribe(name)": lambda ws, v: ws.unsubscribe(v),
    "put(namespace)": lambda ws, v: ws.put(v, "k", {"a": 1}),
    "put(key)": lambda ws, v: ws.put(OPEN, v, {"a": 1}),
    "put(value)": lambda ws, v: ws.put(OPEN, "k3", v),
    "put(settings)": lambda ws, v: ws.put(OPEN, "k4", {"a": 1}, settings=v),
    "put(setting)": lambda ws, v: ws.put(OPEN, "k4", {"a": 1}, settings={"index": v}),
    "put(setting's name)": lambda ws, v: ws.put(OPEN, "k4", {"a": 1}, settings=_keyed(v, 1)),
    "put(seen)": lambda ws, v: ws.put(OPEN, "k4", {"a": 1}, seen=v),
    "put(ttl)": lambda ws, v: ws.put(OPEN, "k5", {"a": 1}, ttl=v),
    "put_all": lambda ws, v: ws.put_all(v),
    "put_all, one": lambda ws, v: ws.put_all([(OPEN, "k6", {"a": 1}), v]),
    "put_all, a value": lambda ws, v: ws.put_all([(OPEN, "k6", {"a": 1}), (OPEN, "k7", v)]),
    "remove(namespace)": lambda ws, v: ws.remove(v, "k"),
    "remove(key)": lambda ws, v: ws.remove(OPEN, v),
    "declares(namespace)": lambda ws, v: ws.declares(v),
    "declare(schemas)": lambda ws, v: ws.declare(v),
    "declare(pattern)": lambda ws, v: ws.declare(_keyed(v, Everything)),
    "declare(model)": lambda ws, v: ws.declare({("new",): v}),
    "export(since)": lambda ws, v: ws.export(v),
    "import_(frame)": lambda ws, v: ws.import_(v),
    "exchange(other)": lambda ws, v: ws.exchange(v),
    "changes(after)": lambda ws, v: ws.changes(v),
    "adopt(namespace)": lambda ws, v: ws.adopt(v, "k", {"a": 1}, by="archive"),
    "adopt(key)": lambda ws, v: ws.adopt(OPEN, v, {"a": 1}, by="archive"),
    "adopt(value)": lambda ws, v: ws.adopt(OPEN, "k8", v, by="archive"),
    "adopt(by)": lambda ws, v: ws.adopt(OPEN, "k9", {"a": 1}, by=v),
    "adopt(created_at)": lambda ws, v: ws.adopt(OPEN, "k10", {"a": 1}, by="archive", created_at=v),
    "adopt(updated_at)": lambda ws, v: ws.adopt(OPEN, "k11", {"a": 1}, by="archive", updated_at=v),
    "purge(namespace)": lambda ws, v: ws.purge(v, "k"),
    "purge(key)": lambda ws, v: ws.purge(("nothing",), v),
    "vacuum(journal)": lambda ws, v: ws.vacuum(journal=v),
    "vacuum(deleted)": lambda ws, v: ws.vacuum(deleted=v),
    "vacuum(removed)": lambda ws, v: ws.vacuum(removed=v),
    "rename(name)": lambda ws, v: ws.rename(v),
    "Workspace(url)": lambda ws, v: Workspace(v).close(),
    "Workspace(schemas)": lambda ws, v: Workspace(schemas=v).close(),
    "Workspace(undeclared)": lambda ws, v: Workspace(undeclared=v).close(),
    "Workspace(journal)": lambda ws, v: Workspace(journal=v).close(),
    "Workspace(read_marks)": lambda ws, v: Workspace(read_marks=v).close(),
    "Workspace(frame_key)": lambda ws, v: Workspace(frame_key=v).export(),
    "Workspace(replica)": lambda ws, v: Workspace(replica=v).close(),
    "Workspace(options)": lambda ws, v: Workspace(options=v).close(),
    "awrite(value)": lambda ws, v: asyncio.run(ws.agent("ada").awrite(*PLACE, v)),
    "aread(key)": lambda ws, v: asyncio.run(ws.agent("ada").aread(OPEN, v)),
    "aget(namespace)": lambda ws, v: asyncio.run(ws.aget(v, "k")),
    "aresolve(value)": lambda ws, v: asyncio.run(ws.aresolve(_escalation(ws), v, by="eve")),
    "aimport_(frame)": lambda ws, v: asyncio.run(ws.aimport_(v)),
}
