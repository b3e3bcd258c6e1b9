"""A storage in memory with several clocks, as stores on a server have them: for histories by the thousand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from concordant.merge.causality import VersionVector
from concordant.storage.base import (
    Address,
    Cursor,
    Forgotten,
    Knowledge,
    Namespace,
    Position,
    State,
    StoreExamined,
    Told,
    Update,
    version_of,
)
from concordant.storage.cut import Cut, as_vector, clock_names, clock_of, cut_of, following, part
from concordant.storage.knowledge import BEGUN, Marks, noted
from concordant.storage.memory import MemoryEvents, MemoryStorage, _last_commit


class ClockedMemory(MemoryStorage):
    """The storage of ``Workspace()`` with several clocks.

    Its commits are one after the other, whatever their clocks: what differs is how they are numbered, and that whatever
    tells of several of them is a cut.

    Args:
        clocks: how many.
    """

    def __init__(self, replica: str, journal: int = 10_000, clocks: int = 3) -> None:
        super().__init__(replica, journal)
        self.clocks = clocks  # type: ignore[misc]
        self.numbers = [0] * clocks
        self.times = [0.0] * clocks
        self.events = ClockedEvents(clocks)
        self._marks = dict.fromkeys(clock_names(replica, clocks), BEGUN)
        self._exported_cut: Cut = cut_of([-1] * clocks)

    # -- writing: a commit's number is the lowest of its clock that is higher than all there are -------------------

    def create(self, *_: Any) -> int:
        return 0

    def commit(self, namespace: Namespace, key: str, update: Update) -> None:
        with self.lock:
            before, clock = self.n, clock_of((namespace, key), self.clocks)
            self.n = skipped = following(before, clock, self.clocks) - 1
            try:
                super().commit(namespace, key, update)
            finally:
                if self.n == skipped:
                    self.n = before
                else:
                    self.numbers[clock], self.times[clock] = self.n, self.clock

    def commit_all(self, updates: Sequence[tuple[Namespace, str, Update]], *, hasty: bool = False) -> None:
        with self.lock:
            numbers, times = [*self.numbers], [*self.times]
            try:
                super().commit_all(updates, hasty=hasty)
            except BaseException:
                self.numbers, self.times = numbers, times
                raise

    # -- what was a number is a cut ------------------------------------------------------------------------------------

    @property
    def cut(self) -> Cut:
        return cut_of(self.numbers)

    def peek(self, namespace: Namespace, key: str) -> tuple[int, State | None]:
        with self.lock:
            return self.numbers[clock_of((namespace, key), self.clocks)], self.load(namespace, key)

    def now(self) -> tuple[Cut, float]:  # type: ignore[override]
        with self.lock:
            return self.cut, self.time()

    def documents(self, prefix: Namespace, after: Cut = 0) -> Iterator[tuple[Namespace, str, State]]:
        for namespace, key, state in super().documents(prefix):
            if not after or (n := _last_commit(state)) > part(after, n):
                yield namespace, key, state

    def outdated(self, models: str) -> tuple[Cut, Iterator[tuple[Namespace, str, State]]]:  # type: ignore[override]
        return self.cut, super().outdated(models)[1]

    def changes(self, after: Any = None) -> tuple[Any, Sequence[tuple[Namespace, str]]]:
        with self.lock:
            found = [(version_of(state), (namespace, key)) for namespace, key, state in self.documents(())]
            return self.cut, [place for n, place in sorted(found) if after is None or n > part(after, n)]

    def knowledge(self) -> Knowledge:
        with self.lock:
            vector = {**self._learned, **as_vector(self.replica, self.cut)}
            marks = dict(self._marks)
            return Knowledge(self.replica, vector, self._forgotten, self._exported_cut, marks, self.clocks)

    def learn(self, vector: VersionVector, marks: Mapping[str, Marks]) -> None:
        own = {*clock_names(self.replica, self.clocks)}
        super().learn(vector, {name: told for name, told in marks.items() if name not in own})

    def note_export(self, upto: Cut) -> None:
        with self.lock:
            self._exported_cut = cut_of([max(part(self._exported_cut, c), part(upto, c)) for c in range(self.clocks)])
            for clock, name in enumerate(clock_names(self.replica, self.clocks)):
                self._marks[name] = noted(self._marks[name], self.numbers[clock], self.times[clock])

    def rename(self, replica: str, upto: Cut) -> None:
        with self.lock:
            self._check_open()
            self._learned.update(as_vector(self.replica, upto))
            for name in clock_names(self.replica, self.clocks):
                del self._marks[name]
            self._marks.update(dict.fromkeys(clock_names(replica, self.clocks), BEGUN))
            self.replica = replica

    def forget(self, addresses: Sequence[tuple[Address, int]], rows_before: float) -> Forgotten:
        with self.lock:
            before, there = self._forgotten, [address for address, _ in addresses if self.load(*address) is not None]
            done = super().forget(addresses, rows_before)
            if done.documents:
                names = clock_names(self.replica, self.clocks)
                own = {name: before.get(name, 0) for name in names}
                for address, version in addresses:
                    if address in there and self.load(*address) is None:
                        name = names[version % self.clocks]
                        own[name] = max(own[name], version)
                self._forgotten = {**self._learned, **{name: n for name, n in own.items() if n}}
            return done

    def examine_store(self) -> StoreExamined:
        with self.lock:
            found = super().examine_store()
            newest = [0] * self.clocks
            for _, _, state in self.documents(()):
                n = version_of(state)
                newest[n % self.clocks] = max(newest[n % self.clocks], n)
            trimmed = cut_of([self._trimmed()] * self.clocks)
            return found._replace(n=self.cut, newest=cut_of(newest), trimmed=trimmed)


class ClockedEvents(MemoryEvents):
    """The same with a place for each clock."""

    def __init__(self, clocks: int) -> None:
        super().__init__()
        self._clocks = clocks
        self._positions: dict[str, Position] = {}

    def now(self) -> Position:
        with self._news:
            return ((self._last[0], 1 << 31),) * self._clocks

    def first(self) -> Position:
        return ((0, -1),) * self._clocks

    def after(self, position: Position, limit: int) -> list[Told]:
        with self._news:
            return [told for _, told in self._kept if told.cursor > position[told.cursor[0] % self._clocks]][:limit]

    def take(self, name: str, holder: str, seconds: float, start: Position) -> Position | None:
        if super().take(name, holder, seconds, (min(start),)) is None:
            return None
        return self._positions.setdefault(name, start)

    def acknowledge(self, name: str, holder: str, seconds: float, cursor: Cursor) -> bool:
        with self._news:
            lowest = self._reached.get(name, ((0, -1),))[0]
            if not super().acknowledge(name, holder, seconds, lowest):
                return False
            known, clock = self._positions[name], cursor[0] % self._clocks
            self._positions[name] = (*known[:clock], max(known[clock], cursor), *known[clock + 1 :])
            return True

    def forget(self, name: str) -> None:
        super().forget(name)
        self._positions.pop(name, None)
