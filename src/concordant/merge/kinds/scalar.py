"""``Scalar``: one value; concurrent different values are contested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from concordant.merge.causality import Agreed, Entry, Register
from concordant.merge.kinds.base import Contest, Declaration, Field, Kind, Look, anchor_of
from concordant.merge.kinds.policies import ORDERING, POLICIES, Priority, unordered
from concordant.merge.kinds.registry import register
from concordant.merge.kinds.shape import check_register
from concordant.merge.kinds.weighing import Group, Option, Weighed
from concordant.merge.registers import Change, Path, are_different
from concordant.values import ABSENT, JSON, alike, canonical, decode, encode, same

__all__ = ["Says", "Scalar"]


class Says:
    """What the entries of a register say: each its own value."""

    __slots__ = ()

    def value(self, text: JSON | None) -> Any:
        """Returns the value; ``ABSENT`` if the entry is a deletion."""
        return ABSENT if text is None else decode(text)

    def agreed(self, base: Agreed | None, register: Register) -> JSON | object:
        """Returns the JSON of what stood before a disagreement; ``ABSENT`` if nothing did."""
        return ABSENT if base is None or base.value is None else base.value

    def options(self, weighed: Weighed) -> tuple[Option, ...]:
        """Returns the contenders."""
        return weighed.options()

    def reason(self, values: Sequence[list[Entry]]) -> str:
        """Tells why different values are asked about."""
        return "scalar"

    def is_told(self, values: Sequence[list[Entry]]) -> bool:
        """Tells whether the entries tell all that is different."""
        return True


AS_STORED = Says()


@register
@dataclass(frozen=True, slots=True)
class Scalar(Kind):
    """A field that holds one value. A write replaces what its writer has seen; equal concurrent values agree,
    different ones escalate, unless ``resolve`` settles them.

    Args:
        resolve: ``"max"``, ``"min"``, ``"first"``, ``"latest"``, ``priority(...)`` (evaluated at every read), or a
            function ``(Escalation) -> value | ABSTAIN``, sync or async, asked once after the commit.
        provisional: what a read gives while the field is contested: the last ``"agreed"`` value (the default), or
            the ``"first"`` or ``"latest"`` contender.
        sticky: once contested, only a decision closes it; later writes join the contenders.

    >>> Scalar(resolve="max").name
    'scalar'
    """

    resolve: str | Priority | Callable[..., Any] | None = None
    provisional: Literal["agreed", "first", "latest"] = "agreed"
    sticky: bool = False

    name: ClassVar[str] = "scalar"
    is_leaf: ClassVar[bool] = True

    @property
    def can_wait(self) -> bool:
        return True

    def declared(self, at: Declaration) -> Field | None:
        if self.provisional not in ("agreed", "first", "latest"):
            at.refuse(f"unknown provisional={self.provisional!r}", 'Use "agreed", "first" or "latest"')
        return Field(at.name, self, self.tag(), rank=self._declared_rank(at), checked=at.checked, keys=at.keys())

    def _declared_rank(self, at: Declaration) -> Callable[[JSON], Any]:
        """By what policies order values: the declared one, or one in a chain of resolvers."""
        resolve: Any = self.resolve
        rank = at.rank(at.annotation)
        if not isinstance(resolve, str):
            if resolve is not None and not isinstance(resolve, Priority) and not callable(resolve):
                at.refuse(f"resolve={resolve!r} is no policy", "Use a policy's name, priority(...) or a function")
        elif resolve not in POLICIES:
            known = ", ".join(f'"{policy}"' for policy in POLICIES)
            at.refuse(f"unknown policy resolve={resolve!r}", f"Use {known}, priority(...) or a function")
        elif resolve in ORDERING and rank is None:
            problem = f'the policy "{resolve}" cannot order {at.type_name(at.annotation)}'
            at.refuse(problem, 'Use "first", "latest", priority(...) or a function')
        return rank or unordered

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        keep = False
        if (self.sticky or change.joining) and not change.deciding:
            keep = are_different(change.register(path), field.canon)
        change.replace(path, encode(value, (field.name,)), field.canon, keep=keep)

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        if not same(encode(base), encode(value), field.canon):
            self.contribute(change, field, path, value)

    def beyond(self, field: Field, base: Any, value: Any) -> Any:
        return ABSENT if same(encode(base), encode(value), field.canon) else value

    def foreseen(self, field: Field, shown: Any, base: Any, new: Any) -> Any:
        if field.canon is not canonical and not alike(new, shown):
            return ABSENT  # it may be equal in another form, and then the one that was there stays
        same = base is shown or alike(base, shown)
        return ABSENT if not same else shown if alike(new, shown) else new

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        register: Register = look.entries(cell)
        if len(register) < 2:
            return decode(register[0].value) if register and register[0].value is not None else ABSENT
        return self.read_several(look, field, path, public, register, AS_STORED)

    def read_several(
        self, look: Look, field: Field, path: Path, public: tuple[str, ...], register: Register, says: Says
    ) -> Any:
        """Returns the value of a register of several entries, as what they say is.

        Args:
            register: the entries that the reading takes into account.
        """
        weighed = look.weighed(register, field.canon)
        values = weighed.standing()
        groups: Sequence[Group] = values if None not in weighed.groups else list(weighed.groups.values())
        if len(groups) == 1:
            return says.value(groups[0][0].value)
        asked = weighed.asked > 0
        deletes = len(values) < len(groups) and (asked or look.on_delete == "escalate")
        if not asked:
            winner = self._settled(look, field, public, weighed, deletes)
            if winner is not None:
                return says.value(winner[0].value) if winner else ABSENT
        reason = "delete" if deletes else says.reason(values)
        base, digest = says.agreed(weighed.base, register), weighed.digest if says.is_told(values) else None
        options = says.options(weighed)
        anchor = anchor_of(weighed.base)
        look.contests.append(Contest(public, path, reason, anchor, base, options, field, digest, asked))
        if len(values) == 1:
            return says.value(values[0][0].value)
        if self.provisional != "agreed":
            chosen = POLICIES[self.provisional](values, field.rank)
            return says.value((chosen or values[0])[0].value)
        return self.otherwise(values, field) if base is ABSENT else decode(base)  # type: ignore[arg-type]

    def otherwise(self, groups: Sequence[list[Entry]], field: Field) -> Any:
        """Returns what is shown while contenders disagree that agreed on nothing before."""
        return ABSENT

    def check(self, field: Field, cell: Any) -> None:
        check_register(cell)

    def decide(self, change: Change, contest: Contest, value: Any) -> None:
        assert contest.field is not None
        if value is ABSENT:
            change.replace(contest.place, None, contest.field.canon)
        else:
            change.replace(contest.place, encode(value), contest.field.canon)

    def policy_name(self) -> str:
        """Returns the declared policy, for the journal."""
        return "priority" if isinstance(self.resolve, Priority) else str(self.resolve)

    def _settled(
        self, look: Look, field: Field, public: tuple[str, ...], weighed: Weighed, deletes: bool
    ) -> list[Entry] | None:
        """What stands by what is declared: equal entries, none of them for a deletion; ``None`` where that is not
        told.

        Args:
            deletes: whether it is asked about a deletion.
        """
        values = weighed.standing()
        if deletes:
            return None
        if len(values) < len(weighed.groups):
            look.settled.append((public, look.on_delete))
            if look.on_delete == "delete":
                return []
            if len(values) == 1:
                return values[0]
        winner = self._preferred(weighed, values, field)
        if winner is not None:
            look.settled.append((public, self.policy_name()))
        return winner

    def _preferred(self, weighed: Weighed, groups: Sequence[list[Entry]], field: Field) -> list[Entry] | None:
        resolve = self.resolve
        if not isinstance(resolve, (str, Priority)):
            return None
        policy = resolve if isinstance(resolve, Priority) else POLICIES[resolve]
        if None in weighed.groups:
            return policy(groups, field.rank)
        known = weighed.winner
        if known is None or known[0] != resolve:
            known = weighed.winner = [resolve, None, groups]
        news, known[2] = known[2], []
        if isinstance(policy, Priority):  # what has changed since competes with the winner so far
            known[1] = policy.preferred(known[1], news)
            return known[1].winner  # type: ignore[no-any-return]
        if news:
            known[1] = policy(groups if known[1] is None else [known[1], *news], field.rank)
        winner: list[Entry] | None = known[1]
        return winner


def shown_value(group: list[Entry]) -> Any:
    """Returns the value of equal entries; ``ABSENT`` if that is a deletion."""
    value = group[0].value
    return ABSENT if value is None else decode(value)
