"""The way from a document to a part of it, and back: a field, a key of a map, a record of a set."""

from __future__ import annotations

from typing import Any, NamedTuple

from concordant.merge.kinds import Field
from concordant.values import ABSENT, decode

__all__ = ["Step", "field_of", "steps_to"]


class Step(NamedTuple):
    """One part of a public path: the name or key; in a ``Set(by=...)`` also the field that holds it, and its value."""

    name: str
    by: str | None = None
    identity: Any = None

    def around(self, part: Any) -> Any:
        """Tells what holds the part and nothing else."""
        if self.by is None:
            return {self.name: part}
        return [{self.by: self.identity, **part} if isinstance(part, dict) else part]

    def within(self, holder: Any) -> Any:
        """Returns the part that is held; ``ABSENT`` if it is not."""
        if self.by is not None:
            return holder[0] if isinstance(holder, list) and holder else ABSENT
        return holder.get(self.name, ABSENT) if isinstance(holder, dict) else ABSENT


def steps_to(root: Field, path: tuple[str, ...]) -> list[Step] | None:
    """Returns the steps of a public path; ``None`` if it leads nowhere in the model."""
    steps: list[Step] = []
    field = root
    for part in path:
        if part in field.fields:
            steps.append(Step(part))
            field = field.fields[part]
        elif field.child is not None:
            by = getattr(field.kind, "by", None)
            field = field.child
            if by is None:
                steps.append(Step(part))
                continue
            holder = field.fields.get(by)
            identity = part if holder is None or holder.accepts(part) else decode(part.encode())
            steps.append(Step(part, by, identity))
        elif field.kind.is_free:
            steps.append(Step(part))
        else:
            return None
    return steps


def field_of(root: Field, path: tuple[str, ...]) -> Field | None:
    """Returns the field of a public path; ``None`` if it leads nowhere in the model."""
    field: Field | None = root
    for part in path:
        field = field and field.fields.get(part, field.child)
    return field
