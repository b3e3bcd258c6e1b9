"""Judges: resolvers that take their time. They run beside the writers, and always say why."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from concordant.escalation import Escalation
from concordant.storage.forking import call_in_child, free_in_child
from concordant.values import ABSENT

__all__ = ["MOST_WHY", "Beside", "Case", "Judge", "Ruling", "as_kept"]

MOST_AT_ONCE = 4
"""How many questions of a workspace are with judges at the same time."""

MOST_WHY = 2_000
"""How many characters the reason of a decision has at most."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a judge is told of a question.

    Attributes:
        escalation: the question.
        document: the document as readers are shown it; ``None`` if it is not known.
        description: what the model says of the field; empty if it says nothing.
        type: the field's type, as JSON Schema; empty if it is not known.
        fit: gives the form in which a value would be stored in the field, ``ABSENT`` if it would not do.
    """

    escalation: Escalation
    document: Mapping[str, Any] | None = None
    description: str = ""
    type: str = ""
    fit: Callable[[Any], Any] | None = None

    def fits(self, value: Any) -> bool:
        """Tells whether a value would do as a decision."""
        if self.fit is not None:
            return self.fit(value) is not ABSENT
        field = self.escalation.field_
        return field is None or field.accepts(value)


class Ruling(NamedTuple):
    """What a judge says: the value that is to stand, or ``ABSTAIN``; why; and who says so, if not the judge."""

    value: Any
    why: str
    by: str = ""


def as_kept(why: Any) -> str:
    """Returns a judge's reason as it is kept on record, whatever it is."""
    if not isinstance(why, str) or not why.strip():
        return "no reason given"
    return why[:MOST_WHY].encode(errors="backslashreplace").decode()[:MOST_WHY]


class Judge:
    """A resolver that may take its time: a model, or several resolvers in turn.

    A workspace asks it in a thread of its own, so that no writer waits, and keeps what it says on record. It asks about
    a question once: in the process whose write made it one; of sides that met by an exchange, in the store in which the
    latest of them was written.

    Attributes:
        name: under which it decides, as ``resolver:<name>``.
    """

    name = "judge"

    def rule(self, case: Case) -> Ruling:
        """Says what is to stand, and why. It does not raise, and comes back in bounded time."""
        raise NotImplementedError

    def __call__(self, escalation: Escalation) -> Any:
        """Asks by hand: returns the value for ``Workspace.resolve``, or ``ABSTAIN``."""
        return self.rule(Case(escalation)).value

    def __deepcopy__(self, memo: Any) -> Judge:
        return self  # its budget is one, in however many copies of a model it is declared


class Beside:
    """Runs work in a few threads of its own, in order; they end when there is none."""

    def __init__(self) -> None:
        self._changed = free_in_child(threading.Condition())
        self._closed = False
        self.begin()
        call_in_child(self.begin)

    def begin(self) -> None:
        """Begins with nothing to do, and nobody at work."""
        self._waiting: deque[Callable[[], None]] = deque()
        self._workers: set[threading.Thread] = set()

    def run(self, work: Callable[[], None]) -> bool:
        """Has it run; tells whether it will be."""
        with self._changed:
            if self._closed:
                return False
            self._waiting.append(work)
            if len(self._workers) < MOST_AT_ONCE:
                worker = threading.Thread(target=self._work, name="concordant-judges", daemon=True)
                self._workers.add(worker)
                worker.start()
            return True

    def join(self, timeout: float | None) -> bool:
        """Waits until nothing waits or runs; tells whether that is so."""
        with self._changed:
            own = threading.current_thread()
            return self._changed.wait_for(lambda: not self._waiting and self._workers <= {own}, timeout)

    def close(self) -> None:
        """Takes no more work, and drops what has not begun."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        own = threading.current_thread()
        try:
            while True:
                with self._changed:
                    if not self._waiting:
                        self._workers.discard(own)
                        self._changed.notify_all()
                        return
                    work = self._waiting.popleft()
                work()
        finally:
            with self._changed:
                self._workers.discard(own)
                self._changed.notify_all()
