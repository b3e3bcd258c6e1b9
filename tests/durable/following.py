"""Who follows a store while its writers and its server are killed, and must have been told of everything at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pydantic_core import from_json, to_json

from concordant import Workspace
from concordant.errors import StorageError
from tests.patience import PATIENCE

from .work import opened

NAME = "follower"


class Followers:
    """Two who go on from where they were after whatever befalls them: one by ``changes``, one by the events.

    Attributes:
        versions: of each document the version that was there when it was told of.
        heard: the names of the events, in the order in which they were first told.
    """

    def __init__(self, url: str) -> None:
        self.versions: dict[Any, int] = {}
        self.heard: dict[str, None] = {}
        self._url = url
        self._done = threading.Event()
        self._failed: list[BaseException] = []
        with opened(url) as workspace:
            workspace.subscribe(NAME, from_start=True).close()
            self._cursor, _ = workspace.changes()
        self._threads = [threading.Thread(target=self._run, args=(go_on,)) for go_on in (self._look, self._hear)]
        for thread in self._threads:
            thread.start()

    def _run(self, go_on: Callable[[Workspace, bool], bool]) -> None:
        try:
            last = False
            while not last:
                last = self._done.is_set()
                with suppress(StorageError), opened(self._url) as workspace:
                    while go_on(workspace, last):
                        pass
                    continue
                last = False  # it was interrupted
        except BaseException as error:
            self._failed.append(error)
            raise

    def _look(self, workspace: Workspace, last: bool) -> bool:
        cursor, changed = workspace.changes(self._cursor)
        for place in changed:
            document = workspace.get(*place)
            self.versions[place] = document.version if document is not None else 0
        self._cursor = from_json(to_json(cursor))  # as whoever keeps it in a file would have it
        self._done.wait(0.01)
        return not (last or self._done.is_set())

    def _hear(self, workspace: Workspace, last: bool) -> bool:
        with workspace.subscribe(NAME, lease=2.0) as inbox:
            while (event := inbox.receive(timeout=0.0 if last else 0.05)) is not None:
                self.heard.setdefault(event.id)
                inbox.acknowledge()
        return not (last or self._done.is_set())

    def stop(self) -> None:
        """Ends both, when they have seen what is there."""
        self._done.set()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def check(self) -> None:
        """Compares with what is there, once nobody writes any more."""
        self.stop()
        assert not self._failed
        with opened(self._url) as workspace:
            there = {(document.namespace, document.key): document.version for document in workspace.list()}
            assert self.versions == there, "changes() left a gap"
            events = [*_told(workspace)]
            assert {*self.heard} == {name for _, name in events}, "an event was missed, or none was made"
            order = {name: number for number, name in enumerate(self.heard)}
            places: dict[Any, list[int]] = {}
            for place, name in events:
                places.setdefault(place, []).append(order[name])
            assert all(numbers == sorted(numbers) for numbers in places.values()), "out of order"


def _told(workspace: Workspace) -> Iterator[tuple[Any, str]]:
    """The document and the name of each event of a store."""
    events = workspace.storage.events
    position = events.first()
    for told in events.after(position, 1_000_000):
        escalation = told.event.escalation
        yield (escalation.namespace, escalation.key), told.event.id


@contextmanager
def followed(url: str) -> Iterator[None]:
    """Has a store followed while a test does its work, and compares at the end."""
    followers = Followers(url)
    try:
        yield
    except BaseException:
        followers.stop()  # writers may still be at work
        raise
    followers.check()
