"""The reasons of decisions, which travel with the documents that were decided about.

A reason is remembered beside the value of its document, under a name that no setting has: stores of earlier versions
keep it and pass it on, as they do with any setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from concordant.escalation import Remark
from concordant.merge.record.record import OWN, Setting
from concordant.values import JSON, decode, encode
from concordant.workspace.judging import MOST_WHY
from concordant.workspace.transitions import Decision

__all__ = ["new_reasons", "remarks_of", "setting_of", "told_in_history"]

_NAME = f"{OWN}why:"


def setting_of(decision: Decision, path: tuple[str, ...]) -> dict[str, JSON | None]:
    """Returns a decision's reason as it is remembered; that there is none, where another decision of the question had
    one."""
    name, told = f"{_NAME}{decision.id}", {"path": list(path), "state": decision.state, "by": decision.by}
    return {name: None if decision.why is None else encode({**told, "why": decision.why})}


def new_reasons(known: Mapping[str, Setting], settings: Mapping[str, Setting]) -> dict[str, dict[str, Any]]:
    """Returns the reasons of decisions that are not known yet, by the question's id, oldest first."""
    fresh = [(*setting, name) for name, setting in settings.items() if name.startswith(_NAME)]
    found = {}
    for *told, value, name in sorted(fresh, key=lambda one: one[:3]):
        reason = None if value is None or known.get(name) == (*told, value) else _read(value)
        if reason is not None:
            found[name.removeprefix(_NAME)] = reason
    return found


def _read(value: JSON) -> dict[str, Any] | None:
    """A reason that another store may have made; ``None`` if it is none."""
    try:
        said: Any = decode(value)
        path, texts = said["path"], [said[name] for name in ("by", "state", "why")]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    is_one = isinstance(path, list) and all(isinstance(text, str) and len(text) <= MOST_WHY for text in [*path, *texts])
    return said if is_one else None


def remarks_of(reasons: Mapping[str, Mapping[str, Any]]) -> dict[str, Remark]:
    """Reasons as they stand on questions, by their ids."""
    return {id_: Remark(reason["by"], reason["why"]) for id_, reason in reasons.items()}


def told_in_history(reasons: Mapping[str, Any]) -> JSON | None:
    """Tells what the history tells of a change that brought these reasons."""
    return encode({"decisions": [*reasons.values()]}) if reasons else None
