"""``install``: our storages wherever CrewAI would take its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crewai.flow.persistence.factory import set_flow_persistence_factory
from crewai.memory.storage.factory import set_memory_storage_factory

from concordant import Workspace
from concordant.spi import free_in_child
from concordant_crewai.memory.places import beside
from concordant_crewai.memory.storage import MergeStorage
from concordant_crewai.persistence import MergeFlowPersistence

__all__ = ["install"]


def install(
    path: str | Path | None = None,
    *,
    workspace: Workspace | str | None = None,
    embedder: Callable[[list[str]], Any] | None = None,
) -> Callable[[], None]:
    """Makes ``Crew(memory=True)``, ``Memory()`` and ``@persist()`` use storages that merge, without another change.

    Crews of one process that name no other path share one memory. Explicit storages and Qdrant's stay as they are.

    Args:
        path: the directory of the memory's vectors, by default CrewAI's.
        workspace: where records and flow states are kept: a workspace, or its URL; by default ``concordant.db`` in that
            directory.
        embedder: the memories' embedder; what merged is embedded anew with it.

    Returns:
        A function that takes it back, for what is made afterwards.
    """
    shared = workspace if isinstance(workspace, Workspace) else Workspace(workspace or beside(path))
    storages: dict[str, MergeStorage] = {}
    flows = MergeFlowPersistence(workspace=shared)
    lock = free_in_child(threading.Lock())

    def memory_of(spec: str) -> MergeStorage | None:
        if spec == "qdrant-edge":
            return None
        where = path if spec == "lancedb" else spec
        name = str(Path(where).resolve()) if where is not None else ""
        # The installed path has the plain namespace, so that whoever opens it by itself finds the same records.
        namespace = ("memory",) if spec == "lancedb" else ("memory", name)
        with lock:
            if name not in storages:
                storages[name] = MergeStorage(where, workspace=shared, namespace=namespace, embedder=embedder)
            return storages[name]

    set_memory_storage_factory(memory_of)
    set_flow_persistence_factory(lambda: flows)

    def undo() -> None:
        set_memory_storage_factory(None)
        set_flow_persistence_factory(None)

    return undo
