"""Random histories of one text or list on several replicas: edits, appends, decisions, restarts, exchanges."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Set
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any
from unittest.mock import patch

from concordant.merge.causality import Seen, SeenBy, Stamp, VersionVector, merge_vectors
from concordant.merge.record import dump_changes, journalled, later_leaf, load_changes
from concordant.merge.record.codec import dump_leaf, load_leaf
from concordant.merge.registers import LeafChange
from concordant.merge.sequence import meeting, order
from concordant.merge.sequence.aside import as_it_stood
from concordant.merge.sequence.blame import Told, spans
from concordant.merge.sequence.diff import list_hunks
from concordant.merge.sequence.edit import append, decide, splice, withdraw
from concordant.merge.sequence.layout import layout, text_of
from concordant.merge.sequence.meeting import Replica as Side, meet
from concordant.merge.sequence.order import in_order, join
from concordant.merge.sequence.overlap import Rules, analyse
from concordant.merge.sequence.pieces import Piece, RunId, Sequence, run_of
from concordant.merge.sequence.units import unit_hunks, units

from .slow import counting, known, weighed, withdrawn

PROSE = ["One.", "Two two.", "Three?", "four", "five 1.25 EUR", "Six!", "e.g. x", "2026-05-01", "(seven)", "Eight."]
MARKDOWN = [
    "# Plan",
    "## Next steps",
    "- first",
    "- [ ] second",
    "1. third",
    "> quoted. Twice.",
    "**bold** text.",
    "`a.b()` runs.",
    "| a | b |",
    "|---|---|",
    "[link](http://a.org/x?y=1).",
    "---",
]
CODE = [
    "def f(x):",
    "    return x + 1",
    "if a == 1.5:",
    "\tpass",
    "}",
    "x = [1, 2]",
    "# why. Because.",
    'print("a. b")',
    "for (;;) {",
    "// e.g. so",
]
CJK = [
    "你好。",
    "再见！",  # noqa: RUF001
    "価格は1,200円です。",
    "はい？いいえ。",  # noqa: RUF001
    "東京、大阪",
    "안녕하세요. 네.",
    "「終わり。」",
    "第2章",
]
KINDS = {"prose": PROSE, "markdown": MARKDOWN, "code": CODE, "cjk": CJK, "all": [*PROSE, *MARKDOWN, *CODE, *CJK]}
MARK = re.compile(r"^\s*(?:[-*+>#]+\s+)*\d+\.(?:\s+|$)")
WORDS = ["and", "x", "1.30", "2026-06-01", "not", "Nine.", "(ten)", "a@b.org"]
GAPS = [" ", "\n", "\n\n", "  ", "\n  ", " \n"]


class Replica:
    """One copy of the text, with what it knows.

    Attributes:
        earlier: what whoever goes on from what was read before has seen at least.
        heard: the same of the others, as of when they met.
        floor: up to where something may be forgotten.
        looked: the sequence as it was looked at last, near what had changed.
        runs: a piece of each run that was there so far.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.n = 0
        self.sequence = Sequence([], {})
        self.stored = Sequence([], {})
        self.vector: VersionVector = {}
        self.earlier: VersionVector = {}
        self.heard: dict[str, VersionVector] = {}
        self.floor: VersionVector = {}
        self.looked = Sequence([], {})
        self.runs: dict[RunId, Piece | None] = {}


class World:
    """Replicas of one text, and the writers on them.

    Args:
        every: after how many steps a replica is looked at whole, and with it views of it and what replicas know
            together; what a writer is shown and leaves, and that no side is lost, is looked at in every step.
        longest: how long the text may become: who finds it longer cuts off the half of it.

    Attributes:
        known: all units that somebody wrote.
        late: how many of the writers go on from what was read before.
        always: whether what a step has left is compared with the exact model after every step all the same.
        near: after how many steps a replica is compared with what is found without anything that is remembered; after
            each it is compared with the exact model, and it is looked at whether what has changed stands in order, and
            can be told as a difference. A text that is too long loses a part then, now and then the half of it; and
            puts are made again. 0: nothing of this.
        newest: the number of each writer's newest write.
        lives: the puts that may be made again: who made them, on which replica, as what, and what it had seen and read.
    """

    def __init__(
        self,
        chance: random.Random,
        rules: Rules,
        separator: str = "\n",
        replicas: int = 2,
        *,
        natural: bool = False,
        written: str = "prose",
        alike: bool = False,
        every: int = 1,
        longest: int = 1 << 30,
    ) -> None:
        self.chance = chance
        self.every = every
        self.longest = longest
        self.always = False
        self.near = 0
        self.newest: dict[str, int] = {}
        self.lives: list[tuple[Replica, Stamp, VersionVector, Any]] = []
        self.late = 0.5
        self.rules = rules._replace(separator=separator)
        self.separator = separator
        self.natural = natural
        self.texts = KINDS[written][:2] if alike else KINDS[written]
        self.gaps = ["\n"] if written == "code" else [*GAPS, ""] if written == "cjk" else GAPS
        self.replicas = [Replica(name) for name in "abc"[:replicas]]
        self.time = 0.0
        self.known: set[str] = set()
        self.log: list[Any] = []
        self.sights: dict[str, VersionVector] = {}
        self.is_text = rules.unit != "item"
        self.told: Told = {}  # who wrote what, as it was asked last, on whichever replica

    def shown(self, sequence: Sequence) -> Any:
        empty: Any = "" if self.is_text else ()
        analysis = sequence.analysed(self.rules, analyse)
        if not self.is_due():
            return layout(sequence, analysis, self.separator, self.rules.unit).content(empty)
        self.compare(sequence)
        shown = layout(sequence, analysis, self.separator, self.rules.unit)
        anew = Sequence(sequence.pieces(), sequence.strikes, sequence.newest_root)
        again = layout(anew, analysis, self.separator, self.rules.unit)
        assert shown.entries() == again.entries(), (
            "made of another layout it is as made anew",
            shown.entries(),
            again.entries(),
        )
        if not self.is_text:
            values = [json.loads(item) for item in again.content(())]
            assert shown.values(lambda items: [json.loads(item) for item in items]) == values, (
                "values go on as items do"
            )
        return shown.content(empty)

    def compare(self, sequence: Sequence) -> None:
        """Compares how the changes of a text are weighed with the exact model."""
        overlapping, analysis = weighed(sequence, self.rules)
        assert sequence.overlapping == overlapping
        assert sequence.analysed(self.rules, analyse) == analysis, (
            "what is looked at only where it changed is as all looked at"
        )

    def stamp(self, replica: Replica, writer: str) -> Stamp:
        self.time += self.chance.choice([0.25, 1.0])
        replica.n += 1
        replica.vector = {**replica.vector, replica.name: replica.n}
        self.newest[f"{replica.name}/{writer}"] = replica.n
        return Stamp(self.time, replica.name, replica.n, writer, f"{replica.name}/{writer}", "edit")

    def changed(self, base: Any) -> Any:
        """What a writer makes of what it read."""
        chance = self.chance
        if len(base) > self.longest:
            if self.near and chance.random() < 0.9:
                at = chance.randrange(len(base) - self.longest // 10)
                return base[:at] + base[at + self.longest // 10 :]
            return base[len(base) // 2 :]
        if not self.is_text:
            items = [*base]
            for _ in range(chance.randrange(1, 3)):
                at = chance.randrange(len(items) + 1)
                items[at : at + chance.randrange(3)] = [chance.choice([b"1", b"2", b'"x"'])] * chance.randrange(3)
            return tuple(items)
        text = str(base)
        if self.natural:
            return self.rewritten(text)
        for _ in range(chance.randrange(1, 3)):
            at = chance.choice([0, len(text), chance.randrange(len(text) + 1)])
            end = min(len(text), at + chance.choice([0, 0, 1, 3, 9, 30]))
            put = "".join(
                chance.choice(self.texts) + chance.choice(self.gaps) for _ in range(chance.choice([0, 0, 1, 1, 2]))
            )
            text = text[:at] + (put if chance.random() < 0.7 else put.strip()) + text[end:]
        return text

    def rewritten(self, text: str) -> str:
        """Words changed, added and taken out, sentences added and lines taken out, as people do."""
        chance = self.chance
        for _ in range(chance.randrange(1, 4)):
            words = re.findall(r"\S+|\s+", text)
            at = chance.randrange(len(words) + 1)
            what = chance.random()
            if what < 0.35 and words:
                at = min(at, len(words) - 1)
                words[at] = words[at] if words[at].isspace() else chance.choice(WORDS)
            elif what < 0.6:
                new = chance.choice(self.texts)
                words[at:at] = (
                    [new, chance.choice(self.gaps)] if at < len(words) else [chance.choice(self.gaps[:4]), new]
                )
            elif what < 0.75:
                words[at:at] = [" ", chance.choice(WORDS), " "]
            else:
                del words[at : at + chance.choice([2, 2, 4, 8])]
            text = "".join(words)
        return text

    def hunks_of(self) -> Callable[[Any, Any], Any]:
        if not self.is_text:
            return lambda a, b: [h._replace(content=tuple(h.content)) for h in list_hunks(a, b)]
        return partial(unit_hunks, unit=self.rules.unit)

    def sight(self, replica: Replica, seen: VersionVector, own: str) -> SeenBy:
        """What somebody has seen, said in one of the ways in which that is said."""

        origin = self.chance.choice([None, own, own])
        known = self.seen(replica, seen, own)
        if self.near and self.chance.random() < 0.9:  # the other ways look at all of a text
            return known
        others = self.chance.choice([None, {name: n for name, n in seen.items() if self.chance.random() < 0.8}])
        sees, upto = known.beyond, known.upto
        return Seen(replica.name, upto, sees, origin, others=others) if self.chance.random() < 0.8 else sees

    def seen(self, replica: Replica, seen: VersionVector, own: str) -> Seen:
        """The same, as a workspace says it."""

        def sees(other: Stamp) -> bool:
            return other.n <= seen.get(other.replica, 0) or other.origin == own

        return Seen(replica.name, seen.get(replica.name, 0), sees, own, others=seen)

    def view(self, replica: Replica, seen: VersionVector, own: str) -> Sequence:
        """What somebody has seen of a replica's text."""
        sight = self.sight(replica, seen, own)
        view = replica.sequence.only(sight)
        if not self.is_due():
            return as_it_stood(replica.sequence, view, sight)
        spec = known(replica.sequence, sight)
        assert counting(view, spec.strikes) == spec.pieces(), (
            "what is made by taking out a few is made of what was seen"
        )
        assert view.strikes == spec.strikes
        shown = replica.sequence.shown_to(sight)
        assert counting(shown, shown.strikes) == spec.pieces(), "nothing that is shown is struck by what is unseen"
        return as_it_stood(replica.sequence, view, sight)

    def only(self, sequence: Sequence, seen: SeenBy) -> Sequence:
        """What is shown to somebody of a text."""
        return as_it_stood(sequence, sequence.only(seen), seen)

    def edit(self, replica: Replica, seen: VersionVector, writer: str, base: Any, new: Any) -> None:
        stamp = self.stamp(replica, writer)
        self.lives = [*self.lives[-9:], (replica, stamp, dict(seen), base)]

        sees = self.sight(replica, seen, stamp.origin)
        before = self.shown(self.view(replica, seen, stamp.origin))
        unseen = self.contended(replica.sequence, lambda other: not sees(other))
        replica.sequence = splice(
            replica.sequence,
            stamp,
            base,
            new,
            self.hunks_of()(base, new),
            seen=sees,
            rules=self.rules,
            drift_of=partial(unit_hunks, unit="word") if self.is_text else self.hunks_of(),
            separator=self.separator,
        )
        if unseen and self.separator == "\n":
            left = f"{self.sides(replica.sequence)}\n{self.shown(replica.sequence)}"
            gone = {unit for unit in unseen if unit not in left}
            assert not gone, ("no side is removed by a writer who had not seen it", gone, base, new)
        if before == base:
            # Whoever has seen so much has seen his own write; of a long text that is said as a workspace says it.
            knows = sees if self.near else lambda other: other == stamp or sees(other)
            after = self.shown(self.only(replica.sequence, knows))
            assert after == new, ("its writer is shown what it left", base, new, after)

    def again(self, replica: Replica) -> None:
        """A writer runs again, having seen what it had: another put takes the place of its last one, as long as without
        that it is shown what it was."""
        mine = [one for one in self.lives if one[0] is replica and self.newest[one[1].origin] == one[1].n]
        if not mine:
            return
        _, stamp, seen, base = self.chance.choice(mine)

        def is_its(other: Stamp) -> bool:
            return other[1:3] == stamp[1:3]

        left, rest = withdraw(replica.sequence, is_its) or Sequence([], {}), withdrawn(replica.sequence, is_its)
        assert left == (rest if rest.is_alive() else Sequence([], {})), "what is taken back is gone, and nothing else"
        self.check_memory(left)
        had = self.seen(replica, seen, stamp.origin)
        if self.shown(self.only(left, had if self.near else had.beyond)) != base:
            return
        replica.sequence = left
        new = self.changed(base)
        self.log.append((replica.name, "again", stamp, base, new))
        self.lives = [one for one in self.lives if one[1] != stamp]
        self.edit(replica, seen, stamp.agent, base, new)
        self.note(new)

    def sides(self, sequence: Sequence) -> str:
        """All sides of all that is open."""
        overlaps = sequence.analysed(self.rules, analyse).overlaps
        texts = [text_of(side.shown, self.separator, self.rules.unit) for overlap in overlaps for side in overlap.sides]
        return "\n".join(texts)

    def contended(self, sequence: Sequence, unseen: Callable[[Stamp], bool]) -> set[str]:
        """The units that some writes put into sides of what is open, and that nobody has replaced since."""
        overlaps = sequence.analysed(self.rules, analyse).overlaps
        pieces = (
            piece
            for overlap in overlaps
            for side in overlap.sides
            for piece in side.shown
            if run_of(piece) in overlap.strikes and unseen(piece.stamp)
            if not sequence.strikes.standing(piece.struck)
        )
        return {unit.strip() for piece in pieces for unit in self.units_of(str(piece.content))}

    def append(self, replica: Replica, writer: str, content: Any) -> None:
        stamp = self.stamp(replica, writer)
        put = self.separator + content if self.is_text else (content,)
        replica.sequence = append(replica.sequence, stamp, 1, put, line=self.is_text and bool(self.separator))

    def decide(self, replica: Replica) -> None:
        overlaps = replica.sequence.analysed(self.rules, analyse).overlaps
        if overlaps:
            overlap = self.chance.choice(overlaps)
            side = self.chance.choice([*overlap.sides, None])
            content = text_of(side.shown, self.separator, self.rules.unit).strip() if side else "Decided."
            stamp = self.stamp(replica, "judge")
            self.note(content)
            replica.sequence = decide(replica.sequence, stamp, overlap, content, self.separator)
            self.note(self.shown(replica.sequence))
            left = replica.sequence.analysed(self.rules, analyse).overlaps
            assert overlap.anchor not in {other.anchor for other in left}, "what is decided is no question any more"

    def meet(self, one: Replica, other: Replica) -> None:
        joined = self.joined(one, other)
        assert joined == self.joined(other, one), "a join is the same from both sides"
        one.sequence, one.vector = joined, merge_vectors([one.vector, other.vector])
        one.floor, one.heard = merge_vectors([one.floor, other.floor]), {**one.heard, other.name: other.earlier}

    def joined(self, one: Replica, other: Replica) -> Sequence:
        """What two replicas know together: made of what differs, and of all."""
        joined = together(one, other)
        if self.is_due() or self.always:
            with patch.object(order, "grown", lambda *_: None), patch.object(meeting, "grown", lambda *_: None):
                assert together(one, other) == joined, "what is made of what differs is as what is made of all"
            if self.is_text and joined:
                self.compare(joined)
        return joined

    def settle(self) -> None:
        """All replicas learn of all, and are the same."""
        for one in self.replicas:
            for other in self.replicas:
                self.meet(one, other)
        for one in self.replicas[:-1]:
            self.meet(one, self.replicas[-1])
        shown = {repr(self.shown(replica.sequence)) for replica in self.replicas}
        assert len(shown) == 1, shown
        first = self.replicas[0].sequence
        assert all(replica.sequence == first for replica in self.replicas)

    def step(self) -> None:
        """One random step, and what holds after each."""
        chance = self.chance
        replica = chance.choice(self.replicas)
        what = chance.random()
        if self.near and chance.random() < 0.2:
            self.turn(replica)
        elif what < 0.6:
            writer = chance.choice("xyz")
            seen = replica.vector if chance.random() < 1 - self.late else replica.earlier
            own = f"{replica.name}/{writer}"
            seen = self.sights[own] = merge_vectors([seen, self.sights.get(own, {})])  # nobody forgets what he has seen
            base = self.shown(self.view(replica, seen, own))
            new = self.changed(base)
            self.log.append((replica.name, writer, dict(seen), base, new))
            self.edit(replica, seen, writer, base, new)
            self.note(new)
        elif what < 0.75:
            content = chance.choice(self.texts) if self.is_text else b"9"
            self.log.append((replica.name, "append", content))
            self.append(replica, chance.choice("xyz"), content)
            self.note(content)
        elif what < 0.8 and self.is_text:
            self.log.append((replica.name, "decide"))
            self.decide(replica)
        elif what < 0.9:
            other = chance.choice(self.replicas)
            self.log.append((replica.name, "meets", other.name))
            self.meet(replica, other)
        else:
            replica.earlier = dict(replica.vector)
        if self.is_due():
            self.check(replica)
        elif self.always or self.near:
            self.compare(replica.sequence)
        if self.near:
            self.check_near(replica)

    def turn(self, replica: Replica) -> None:
        """What happens more often where a text lives long: a put is made again, a question is decided, all is told."""
        what = self.chance.random()
        if what < 0.25:
            self.again(replica)
        elif what < 0.5 and self.is_text:
            self.log.append((replica.name, "decide"))
            self.decide(replica)
        else:
            other = self.chance.choice(self.replicas)
            self.log.append((replica.name, "meets", other.name))
            self.meet(replica, other)
            self.meet(other, replica)

    def is_due(self) -> bool:
        """Whether all is looked at in this step."""
        return len(self.log) % self.every == 0

    def restart(self, replica: Replica) -> None:
        """The replica is stored, and read anew."""
        replica.sequence = restored(replica.sequence)

    def credits(self, sequence: Sequence) -> list[tuple[str, tuple[Stamp, ...]]]:
        """Who wrote what of a text."""
        analysis = sequence.analysed(self.rules, analyse)
        shown = layout(sequence, analysis, self.separator, self.rules.unit)
        told = [*spans(sequence, analysis, shown, self.told)]
        if not self.near or len(self.log) % self.near == 0:
            found = [*spans(sequence, analysis, shown, {})]
            assert told == found, "what was told of another form does not hold"
        return told

    def note(self, text: Any) -> None:
        if self.is_text and self.rules.unit != "whole":
            self.known |= self.units_of(text)

    def units_of(self, text: str) -> Set[str]:
        """The units that say something, indentation of lines included; without the number of an item, which is a unit
        of its own where it does not begin a line."""
        return units_said(text, self.rules.unit)

    def check(self, replica: Replica) -> None:
        sequence = replica.sequence
        pieces = sequence.pieces()
        self.check_difference(replica)
        assert in_order(pieces) == pieces, "pieces are in the order that their tree gives"
        again = restored(sequence)
        assert again == sequence and again.overlapping == sequence.overlapping, "what is stored is what is known"
        shown = self.shown(sequence)
        assert self.shown(again) == shown, ("it reads the same after it was stored", shown, self.shown(again))
        self.check_units(shown)

    def check_units(self, shown: Any) -> None:
        """Whether all units of a text were written so by somebody."""
        if self.separator == "\n" and self.rules.unit in ("sentence", *(("line", "word") if self.natural else ())):
            mine = self.units_of(shown)
            assert mine <= self.known, ("a unit that nobody wrote", mine - self.known, shown)

    def check_near(self, replica: Replica) -> None:
        """Looks at what has changed since a replica was looked at last: whether it stands where its tree has it (what
        stood in order goes on to), can be told as a difference, and was written so by somebody."""
        sequence, before = replica.sequence, replica.looked
        changed = sequence.changed_from(before)
        for _, _, first, past in changed:
            replica.runs.update((run_of(piece), piece) for piece in sequence.since(first, past))
        tree = order._Tree(sequence)
        tree._runs = replica.runs
        for _, _, first, past in changed:
            pieces = sequence.since(max(first - 1, 0), past + 1)
            assert all(tree.is_before(one, other) for one, other in pairwise(pieces)), "pieces are in order"
            assert all(run_of(one) != run_of(other) or one.offset < other.offset for one, other in pairwise(pieces))
        replica.looked = sequence
        forth, _ = self.by_differences(replica)
        replica.stored = forth if self.chance_of_difference() else sequence
        self.check_units(self.shown(sequence))
        if len(self.log) % self.near == 0:
            self.check_memory(sequence)

    def check_memory(self, sequence: Sequence) -> None:
        """Compares what is known of earlier versions with a look at all of this one."""
        anew = without_memory(sequence)
        analysis = sequence.analysed(self.rules, analyse)
        assert analysis == anew.analysed(self.rules, analyse), "what is remembered is what is found anew"
        shown = layout(sequence, analysis, self.separator, self.rules.unit)
        assert shown.entries() == layout(anew, analysis, self.separator, self.rules.unit).entries()

    def by_differences(self, replica: Replica) -> tuple[Sequence, Sequence]:
        """What a journal keeps makes the earlier content of the later one, and the later of the earlier."""
        before, after = replica.stored, replica.sequence
        body = dump_changes(journalled([LeafChange(("text:notes",), before, after)]), None)
        [cut], *_ = load_changes(body)
        forth: Any = later_leaf(cut, before)
        back: Any = cut.before.earlier(after)  # type: ignore[union-attr]
        assert forth == after, "what is stored as a difference is what is known"
        assert back == before, "what a journal keeps of the past is what it was"
        return forth, back

    def check_difference(self, replica: Replica) -> None:
        """What is made by differences reads as what it is."""
        before, after = replica.stored, replica.sequence
        forth, back = self.by_differences(replica)
        assert self.shown(forth) == self.shown(after), "what is made by differences reads the same"
        assert self.shown(back) == self.shown(before), "the past reads the same"
        replica.stored = forth if self.chance_of_difference() else after

    def chance_of_difference(self) -> bool:
        """Whether what follows is told of what was made by differences; without a draw, so that seeds mean the same."""
        return len(self.log) % 2 == 0


@lru_cache(maxsize=16)
def units_said(text: str, unit: str) -> frozenset[str]:
    """What ``World.units_of`` finds: of a text that was written and is shown it is asked more than once."""
    found = {text[start:end] for start, end in units(text, unit)}
    if unit == "sentence":
        found = {MARK.sub("", one) for one in found}
    return frozenset(one if unit == "line" else one.strip() for one in found if any(map(str.isalnum, one)))


def together(one: Replica, other: Replica) -> Sequence:
    """What two replicas know together."""
    if one.floor or other.floor:
        sides = [Side(replica.sequence, replica.vector, replica.floor) for replica in (one, other)]
        return meet(*sides) or Sequence([], {})
    return join(one.sequence, other.sequence, one.vector, other.vector) or Sequence([], {})


def without_memory(sequence: Sequence) -> Sequence:
    """The same sequence, of the same blocks, of which nothing is known but these."""
    made = Sequence.__new__(Sequence)
    made._made_of(sequence._blocks, len(sequence), sequence.strikes, sequence.newest_root, None)
    return made


def restored(sequence: Sequence) -> Sequence:
    """A sequence after it was written down and read again."""
    stamps: dict[Stamp, int] = {}
    text = json.dumps(dump_leaf(sequence, lambda stamp: stamps.setdefault(stamp, len(stamps))))
    loaded = load_leaf(json.loads(text), list(stamps))
    assert isinstance(loaded, Sequence)
    return loaded
