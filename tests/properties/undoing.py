"""A small exact model of taking an agent's writes back, and random histories that are compared with it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import combinations, count
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel

from concordant import (
    DELETED,
    Agent,
    Counter,
    Document,
    Escalation,
    HistoryEntry,
    List,
    Map,
    Scalar,
    Set,
    Text,
    Tree,
    Undone,
    Workspace,
)
from concordant.merge.record import Record, dump_record, load_record

KEY = "k"
BAD = "bob"
OTHERS = ("ada", "eve")
VALUES = ("red", "green", "blue", "grey")


class Person(BaseModel):
    role: Annotated[str | None, Scalar()] = None
    skills: Annotated[list[str], Set()] = []


class Plan(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    tags: Annotated[list[str], Set()] = []
    owners: Annotated[dict[str, str], Map()] = {}
    views: Annotated[int, Counter()] = 0
    notes: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []
    people: Annotated[dict[str, Person], Map()] = {}
    free: Annotated[dict[str, Any], Tree()] = {}


Agents = tuple[str, ...]
"""Those whose writes are taken back, whether at once or one after the other."""


class Put(NamedTuple):
    """A write to one place: by whom, what (``None`` takes it away), and up to which commit its writer had seen."""

    n: int
    agent: str
    value: Any
    upto: int


@dataclass
class Register:
    """One value: who wrote what, and who replaced whom."""

    puts: list[Put] = field(default_factory=list)
    live: list[Put] = field(default_factory=list)
    remover: dict[Put, Put] = field(default_factory=dict)
    removed: dict[Put, list[Put]] = field(default_factory=dict)
    before: dict[Put, list[Put]] = field(default_factory=dict)

    def put(self, put: Put, *, keeps: bool = True) -> None:
        """Takes a write; ``keeps``: whether one that takes away leaves a trace."""
        gone = [one for one in self.live if one.n <= put.upto]
        if not keeps and put.value is None and not gone:
            return
        self.before[put], self.removed[put] = list(self.live), gone
        self.remover.update(dict.fromkeys(gone, put))
        self.live = [one for one in self.live if one not in gone]
        self.puts.append(put)
        if keeps or put.value is not None:
            self.live.append(put)

    def without(self, bad: Agents) -> list[Put]:
        """What stands without the writes of some agents."""
        others = [put for put in self.puts if put.agent not in bad]
        standing = [put for put in self.live if put.agent not in bad]
        back = [put for put in others if put in self.remover and self.remover[put].agent in bad]
        return [*standing, *(put for put in back if not self._is_settled(put, others, bad))]

    def _is_settled(self, put: Put, others: list[Put], bad: Agents) -> bool:
        """Whether somebody has replaced, or stands for, what came in the place of a write that was replaced."""
        by = self.remover[put]
        for other in others:
            if other.n < by.n:
                continue
            took = [one for one in self.removed[other] if one.agent in bad]
            if took and all(one.value == other.value for one in took):
                return True
            if not took and put.n <= other.upto < by.n:
                return True
        return False

    def from_nothing(self, bad: Agents) -> bool:
        """Whether others built on what these agents made where nothing stood."""
        first = next((put for put in self.puts if put.agent in bad), None)
        if first is None or any(put.agent not in bad for put in self.before[first]):
            return False
        built = False
        for put in self.puts:
            if put.agent in bad or put.n < first.n:
                continue
            bads = [one for one in self.before[put] if one.agent in bad]
            took = [one for one in self.removed[put] if one.agent in bad]
            if (bads and not took) or (took and all(one.value == put.value for one in took)):
                return False
            if took and len(took) == len(self.removed[put]):
                built = True
        return built

    def after_undo(self, bad: Agents) -> set[Any]:
        """The values that stand then; ``None`` for a deletion."""
        values = {put.value for put in self.without(bad)}
        others = [put for put in self.puts if put.agent not in bad]
        replaced = any(put in self.remover and self.remover[put].agent in bad for put in others)
        return values | {None} if self.from_nothing(bad) and values - {None} and not replaced else values


@dataclass
class Element:
    """An element of a set: who added it, and who took it away."""

    register: Register = field(default_factory=Register)

    def stands_without(self, bad: Agents) -> bool:
        """Whether it is in the set without the writes of some agents."""
        live: list[Put] = []
        back: list[Put] = []
        for put in self.register.puts:
            gone = [one for one in live if one.n <= put.upto]
            live = [one for one in live if one not in gone]
            if put.value is not None:
                live.append(put)
            if put.agent in bad:
                back += [one for one in gone if one.agent not in bad]
            elif (gone and not live) or (put.value is not None and any(one.agent in bad for one in gone)):
                back = []
        return bool(back) or any(put.agent not in bad for put in live)


class Room:
    """A namespace of a workspace, in which one history takes place.

    Attributes:
        began: when nothing was there.
    """

    def __init__(self, ws: Workspace, ns: tuple[str, ...]) -> None:
        self.ws = ws
        self.ns = ns
        self.began = ws.moment()

    def questions(self) -> list[Escalation]:
        return [*self.ws.escalations(self.ns)]

    def documents(self) -> list[Document]:
        return [*self.ws.list(self.ns)]

    def log(self) -> list[HistoryEntry]:
        return [*self.ws.log(self.ns, limit=1000)]

    def undo(self, agent: str = BAD, since: int | None = None) -> Undone:
        """Takes an agent's writes back, after a look at the preview: it says what comes, and does nothing."""
        before = self.saved()
        preview = self.ws.undo(agent=agent, since=since, prefix=self.ns, by="maria")
        assert not preview.applied and self.saved() == before
        made = self.ws.undo(agent=agent, since=since, prefix=self.ns, by="maria", dry_run=False)
        told = [(d.namespace, d.key, d.versions, d.before, d.after, sides(d.questions)) for d in preview.documents]
        assert told == [(d.namespace, d.key, d.versions, d.before, d.after, sides(d.questions)) for d in made.documents]
        for one in made.documents:
            document = self.ws.get(one.namespace, one.key)
            assert (None if document is None else document.value) == one.after
        return made

    def saved(self) -> list[bytes]:
        """The records as they are saved; what is loaded from that is the same."""
        found = []
        with self.ws.storage.reading():
            for _, _, state in self.ws.storage.documents(self.ns):
                if isinstance(state, Record):
                    data = dump_record(state)
                    assert dump_record(load_record(data)) == data
                    found.append(data)
        return found

    def shown(self) -> Any:
        """What is shown and asked."""
        values = {(d.namespace, d.key): normal(d.value) for d in self.documents()}
        return values, sides(self.questions())

    def written(self) -> Any:
        """What is shown of texts and lists, and asked about texts."""
        values = {(d.key, name): d.value.get(name) for d in self.documents() for name in ("notes", "steps")}
        asked = sides(question for question in self.questions() if question.path == ("notes",))
        return {place: normal(value) for place, value in values.items() if value}, asked

    def said(self) -> tuple[list[str], set[str]]:
        """All that is shown, as often as it is, and all that is shown or asked about."""
        shown = [word for document in self.documents() for word in words(document.value)]
        asked = [word for q in self.questions() for one in q.contenders for word in words(one.value)]
        return shown, {*shown, *asked}


class Stores:
    """Two workspaces that exchange. Each history has a namespace of its own in both; after so many they are closed."""

    def __init__(self, many: int = 1) -> None:
        self.many = many
        self._numbers = count()
        self.open()

    def open(self) -> None:
        self.ws, self.other = Workspace(schemas={("t", "*"): Plan}), Workspace(schemas={("t", "*"): Plan})

    def rooms(self) -> tuple[Room, Room]:
        """An empty room in either."""
        number = next(self._numbers)
        if number and number % self.many == 0:
            self.close()
            self.open()
        ns = ("t", str(number))
        return Room(self.ws, ns), Room(self.other, ns)

    def close(self) -> None:
        """Closes both, which are whole."""
        for ws in (self.ws, self.other):
            assert ws.check().ok, ws.check()
            ws.close()


class History:
    """One random history of a document, in a room and in the model."""

    def __init__(self, seed: int, room: Room) -> None:
        self.random = random.Random(seed)
        self.room, self.ws, self.at = room, room.ws, (room.ns, KEY)
        self.status = Register()
        self.owners: dict[str, Register] = {}
        self.tags: dict[str, Element] = {}
        self.amounts: dict[str, int] = {}
        self.begun: list[tuple[str, int, AbstractContextManager[Any], Any, dict[str, Any]]] = []
        self.moments = [room.began]
        self.written: set[str] = set()

    @property
    def n(self) -> int:
        return self.ws.moment().n

    def run(self, steps: int) -> None:
        """Makes so many steps: writes by what was seen now or a while ago, and edits that begin early and end late."""
        for _ in range(steps):
            agent = self.random.choice((BAD, *OTHERS))
            what = self.random.random()
            if what < 0.4:
                self._write(agent)
            elif what < 0.6 and len(self.begun) < 2:
                self._begin(agent)
            elif what < 0.75 and self.begun:
                self._end(self.begun.pop(self.random.randrange(len(self.begun))))
            else:
                self._begin(agent)
                self._end(self.begun.pop())
            self.moments.append(self.ws.moment())
        while self.begun:
            self._end(self.begun.pop())

    def _write(self, agent: str) -> None:
        moment = self.random.choice(self.moments[-4:])
        given: dict[str, Any] = {}
        for name in self.random.sample(("status", "owners", "tags", "views"), self.random.randint(1, 2)):
            given[name] = {
                "status": self.random.choice(VALUES),
                "owners": {self.random.choice("xy"): self.random.choice(VALUES)},
                "tags": [self.random.choice("abc")],
                "views": self.random.randint(1, 9),
            }[name]
        self.ws.agent(agent, began=moment).write(*self.at, given)
        n, upto = self.n, moment.n
        if "status" in given:
            self.status.put(Put(n, agent, given["status"], upto))
        for key, value in given.get("owners", {}).items():
            self.owners.setdefault(key, Register()).put(Put(n, agent, value, upto))
        for tag in given.get("tags", ()):
            self.tags.setdefault(tag, Element()).register.put(Put(n, agent, tag, upto), keeps=False)
        self.amounts[agent] = self.amounts.get(agent, 0) + given.get("views", 0)

    def _begin(self, agent: str) -> None:
        n = self.n
        editing = self.ws.agent(agent).edit(*self.at)
        draft = editing.__enter__()
        self.begun.append((agent, n, editing, draft, draft.model_dump()))

    def _end(self, begun: tuple[str, int, AbstractContextManager[Any], Any, dict[str, Any]]) -> None:
        agent, upto, editing, draft, read = begun
        if self.random.random() < 0.5:
            draft.status = self.random.choice(VALUES)
        if self.random.random() < 0.5:
            key = self.random.choice("xy")
            if key in draft.owners and self.random.random() < 0.4:
                del draft.owners[key]
            else:
                draft.owners[key] = self.random.choice(VALUES)
        if self.random.random() < 0.5:
            tag = self.random.choice("abc")
            draft.tags = [*draft.tags, tag] if tag not in draft.tags else [one for one in draft.tags if one != tag]
        if self.random.random() < 0.3:
            draft.views += self.random.randint(-5, 5)
        made = draft.model_dump()
        before = self.n
        editing.__exit__(None, None, None)
        n = self.n
        if n == before:
            return
        if made["status"] != read["status"]:
            self.status.put(Put(n, agent, made["status"], upto))
        for key in {*made["owners"], *read["owners"]}:
            if made["owners"].get(key) != read["owners"].get(key):
                self.owners.setdefault(key, Register()).put(Put(n, agent, made["owners"].get(key), upto))
        for tag in {*made["tags"]} ^ {*read["tags"]}:
            value = tag if tag in made["tags"] else None
            self.tags.setdefault(tag, Element()).register.put(Put(n, agent, value, upto), keeps=False)
        self.amounts[agent] = self.amounts.get(agent, 0) + made["views"] - read["views"]

    # -- what is expected ------------------------------------------------------------------------------------------

    def compare(self, *bad: str) -> None:
        """The room shows what the model says of the history without some agents."""
        document = self.ws.get(*self.at)
        value = {} if document is None else document.value
        open_ = {question.path: question for question in self.room.questions()}
        self._compare(("status",), self.status.after_undo(bad), value.get("status"), open_)
        for key, register in self.owners.items():
            self._compare(("owners", key), register.after_undo(bad), value.get("owners", {}).get(key), open_)
        assert not open_, f"asked without reason: {[*map(str, open_.values())]}"
        tags = {tag for tag, element in self.tags.items() if element.stands_without(bad)}
        assert set(value.get("tags", ())) == tags, (value.get("tags"), tags)
        assert value.get("views", 0) == sum(n for agent, n in self.amounts.items() if agent not in bad)

    def _compare(self, path: tuple[str, ...], wanted: set[Any], shown: Any, open_: dict[Any, Any]) -> None:
        question = open_.pop(path, None)
        if len(wanted) > 1:
            assert question is not None, f"{path}: not asked about {wanted}"
            found = {None if c.value is DELETED else c.value for c in question.contenders}
            assert found == wanted, f"{path}: asked about {found}, not {wanted}"
        else:
            assert question is None, f"{path}: asked without reason: {question}, not {wanted}"
            assert shown == next(iter(wanted), None), f"{path}: {shown}, not {wanted}"


def sides(questions: Any) -> list[Any]:
    """Questions by place, reason and what the sides say."""
    return sorted(
        (q.namespace, q.key, q.path, q.reason, sorted(repr((normal(c.value), sorted(c.agents))) for c in q.contenders))
        for q in questions
    )


def normal(value: Any) -> Any:
    """A value with the keys of its dicts in order, and with one gap between sentences, for where one stands again gaps
    are laid out anew."""
    if isinstance(value, str):
        return " ".join(value.split())
    return {k: normal(v) for k, v in sorted(value.items())} if isinstance(value, dict) else value


def replicas(*rooms: Room) -> Iterator[Any]:
    """What rooms show once each knows all."""
    for _ in range(2):
        for one, other in combinations(rooms, 2):
            one.ws.exchange(other.ws)
    ids = [{question.id for question in room.questions()} for room in rooms]
    assert all(one == ids[0] for one in ids), "questions have other names"
    return (room.shown() for room in rooms)


class Wide:
    """A random history of documents of every kind, in which each thing that somebody says is said once, with its
    author's name in it: so it can be told what of whom is shown.

    Args:
        names: under which other name somebody writes.
    """

    def __init__(self, seed: int, room: Room, names: Mapping[str, str] | None = None) -> None:
        self.names = names or {}
        self.fields = ["status", "owners", "tags", "notes", "notes", "steps", "people", "views", "free"]
        self.random = random.Random(seed)
        self.room, self.ws = room, room.ws
        self.count = 0
        self.moments = [room.began]
        self.begun: list[tuple[str, str, AbstractContextManager[Any], Any]] = []

    def run(self, steps: int, agents: tuple[str, ...] = (BAD, *OTHERS)) -> None:
        """Makes so many steps."""
        for _ in range(steps):
            self._step(self.random.choice(agents), self.random.choice("kkkm"))
            self.moments.append(self.ws.moment())
        while self.begun:
            self._end(*self.begun.pop())

    def move(self, room: Room) -> None:
        """Goes on in another room."""
        self.room, self.ws = room, room.ws

    def agent(self, agent: str, **options: Any) -> Agent:
        """The handle by which somebody writes."""
        return self.ws.agent(self.names.get(agent, agent), **options)

    def word(self, agent: str) -> str:
        """Something that was never said before."""
        self.count += 1
        return f"{agent}{self.count:03}"

    def _step(self, agent: str, key: str) -> None:
        chance = self.random.random()
        if chance < 0.3:
            moment = self.random.choice(self.moments[-4:])
            self.agent(agent, began=moment).write(self.room.ns, key, self._given(agent))
        elif chance < 0.37:
            self.agent(agent, began=self.random.choice(self.moments[-3:])).delete(self.room.ns, key)
        elif chance < 0.47:
            self._decide(agent)
        elif chance < 0.6 and self.begun:
            self._end(*self.begun.pop(self.random.randrange(len(self.begun))))
        else:
            editing = self.agent(agent).edit(self.room.ns, key)
            self.begun.append((agent, key, editing, editing.__enter__()))
            if self.random.random() < 0.6 or len(self.begun) > 2:
                self._end(*self.begun.pop())

    def _decide(self, agent: str) -> None:
        questions = self.room.questions()
        if not questions:
            return
        question = self.random.choice(questions)
        by = self.names.get(agent, agent)
        if self.random.random() < 0.3:
            self.ws.dismiss(question, by=by)
        else:
            self.ws.resolve(question, self.random.choice(question.contenders).value, by=by)

    def _given(self, agent: str) -> dict[str, Any]:
        word = self.word(agent)
        return self.random.choice(
            [
                {"status": word},
                {"owners": {self.random.choice("xy"): word}},
                {"tags": [word]},
                {"notes": f"{word} says so."},
                {"steps": [word]},
                {"people": {self.random.choice("pq"): {"role": word, "skills": [self.word(agent)]}}},
                {"views": self.random.randint(1, 9)},
                {"free": {"a": {self.random.choice("bc"): word}}},
                {"free": {"l": [word]}},
            ]
        )

    def _end(self, agent: str, key: str, editing: AbstractContextManager[Any], draft: Any) -> None:
        for _ in range(self.random.randint(1, 3)):
            self._change(agent, draft)
        editing.__exit__(None, None, None)

    def _change(self, agent: str, draft: Any) -> None:
        word = self.word(agent)
        what = self.random.choice(self.fields)
        if what == "status":
            draft.status = word
        elif what == "views":
            draft.views += self.random.randint(-5, 5)
        elif what == "tags":
            draft.tags = self._items(draft.tags, word)
        elif what == "steps":
            draft.steps = self._items(draft.steps, word)
        elif what == "notes":
            said = f"{word} says so." if self.random.random() < 0.7 else f"{word} says so. {self.word(agent)} adds."
            draft.notes = " ".join(self._items([one.strip() for one in re.findall(r"[^.]+\.", draft.notes)], said))
        elif what == "free":
            draft.free = {**draft.free, "a": {**draft.free.get("a", {}), self.random.choice("bc"): word}}
        elif what == "owners":
            self._key(draft.owners, self.random.choice("xy"), word)
        else:
            name = self.random.choice("pq")
            if name in draft.people and self.random.random() < 0.6:
                draft.people[name].role = word
            else:
                self._key(draft.people, name, Person(role=word))

    def _key(self, found: dict[str, Any], name: str, value: Any) -> None:
        if name in found and self.random.random() < 0.4:
            del found[name]
        else:
            found[name] = value

    def _items(self, found: list[str], word: str) -> list[str]:
        items, at = list(found), self.random.randint(0, len(found))
        chance = self.random.random()
        if items and chance < 0.4:
            items[at % len(items)] = word
        elif items and chance < 0.6:
            del items[at % len(items)]
        else:
            items.insert(at, word)
        return items


@dataclass
class Sentence:
    """A place in a text, and what was put there.

    Attributes:
        before: what stood there before the agent came; ``None``: nothing did.
        bad: what the agent made of it; nothing if he took it away, ``None`` if he did not touch it.
        told: the same, as far as the other store had heard of it.
        beside: what others made in the other store of what was before.
        built: what others made in the other store of what they knew, the agent's version if he had made one.
        onward: what others made, once the agent was taken back, of what stood there again.
    """

    before: str | None = None
    bad: str | None = None
    told: str | None = None
    beside: str | None = None
    built: str | None = None
    onward: str | None = None

    def standing(self, *, there: bool = False) -> str:
        """What is shown of it here, or in the other store, before any undo, if only one of the two knows of it."""
        if there:
            versions = (self.built, self.beside, self.told, self.before)
        else:
            versions = (self.onward, self.bad, self.before, None)
        return next((one for one in versions if one is not None), "")

    @property
    def is_asked(self) -> bool:
        """Whether others have built on what the agent had put there, and differ from what stands again."""
        return self.built is not None and self.again != self.built

    @property
    def again(self) -> str:
        """What stands there once the agent is taken back, without what was built on his version."""
        return next((one for one in (self.beside, self.onward, self.before) if one is not None), "")


class Sentences(Wide):
    """A random history of one text in two stores: the agent changes it in the one, one sentence at a time, while others
    do in the other, which knows a part of what he did, and hears of his being taken back only later.

    Args:
        there: a room in the other store.
    """

    def __init__(self, seed: int, here: Room, there: Room) -> None:
        super().__init__(seed, here)
        self.there = there
        said = [self.said(self.random.choice(OTHERS)) for _ in range(self.random.randint(1, 4))]
        self.text = [Sentence(one) for one in said]
        self.asked: list[Sentence] = []
        here.ws.agent("eve").write(here.ns, KEY, {"notes": " ".join(said)})
        there.ws.import_(here.ws.export(since=here.began))

    def said(self, agent: str) -> str:
        return f"{self.word(agent)} says so."

    def bad_goes_on(self, steps: int) -> None:
        """The agent changes sentences that are there, or puts new ones."""
        for _ in range(steps):
            here = [one for one in self.text if one.standing()]
            if here and self.random.random() < 0.75:
                one = self.random.choice(here)
                one.bad = self.random.choice([self.said(BAD), self.said(BAD), ""])
            else:
                at = self.random.randint(0, len(self.text))
                if not all(one.standing() for one in self.text[max(at - 1, 0) : at + 1]):
                    continue  # on which side of what is removed is not told
                self.text.insert(at, Sentence(bad=self.said(BAD)))
            self._write(self.room, BAD, there=False)

    def told(self) -> None:
        """The other store hears of it."""
        self.there.ws.import_(self.room.ws.export(since=self.room.began))
        for one in self.text:
            one.told = one.bad

    def others_go_on_there(self, steps: int) -> None:
        """Others change sentences in the other store."""
        for _ in range(steps):
            there = [one for one in self.text if one.standing(there=True)]
            if not there:
                return
            one, agent = self.random.choice(there), self.random.choice(OTHERS)
            made = self.random.choice([self.said(agent), self.said(agent), ""])
            at = next(number for number, other in enumerate(self.text) if other is one)
            beside = self.text[max(at - 1, 0) : at + 2]
            if not made and not all(other.standing(there=True) for other in beside):
                continue  # the gap that goes may be the one on the other side of what stands again
            if one.told is not None:
                one.built = made
            else:
                one.beside = made
            self._write(self.there, agent, there=True)

    @contextmanager
    def one_edits_meanwhile(self) -> Iterator[None]:
        """Somebody changes one of the agent's sentences in an edit that began here before what happens meanwhile."""
        said, agent = [one.standing() for one in self.text], self.random.choice(OTHERS)
        bad = [n for n, one in enumerate(self.text) if one.bad and one.built is None and one.beside is None]
        with self.room.ws.agent(agent).edit(self.room.ns, KEY) as draft:
            for at in self.random.sample(bad, min(len(bad), 1)):
                said[at] = self.text[at].built = self.said(agent)
                self.asked = [self.text[at]]
            draft.notes = _text(said)
            yield

    def others_go_on_here(self) -> None:
        """Others change one of the sentences that stand again once the agent is taken back."""
        pairs = zip(self.text, [*self.text[1:], Sentence("")], strict=True)
        plain = [one for one, behind in pairs if behind.before is not None]  # what he put behind his stays in front
        touched = [one for one in plain if one.bad is not None and one.before is not None and one.beside is None]
        again = [one for one in touched if one not in self.asked]  # who has seen a question settles it
        for one in self.random.sample(again, min(len(again), 1)):
            agent = self.random.choice(OTHERS)
            one.onward = self.random.choice([self.said(agent), ""])
            said = [other.again if other.beside is None else other.before or "" for other in self.text]
            self._edit(self.room, agent, said)

    def _write(self, room: Room, agent: str, *, there: bool) -> None:
        self._edit(room, agent, [one.standing(there=there) for one in self.text])

    def _edit(self, room: Room, agent: str, said: list[str]) -> None:
        with room.ws.agent(agent).edit(room.ns, KEY) as draft:
            draft.notes = " ".join(filter(None, said))

    def compare(self) -> None:
        """Both rooms show what stood before the agent, and ask about what was built on his sentences, and only that:
        neighbours with nothing between them at once."""
        shown = [one.before or "" if one.is_asked else one.again for one in self.text]
        asked: list[list[Sentence]] = [[]]
        for one in self.text:
            if one.is_asked:
                asked[-1].append(one)
            elif one.again and asked[-1]:
                asked.append([])
        wanted = [("text", *_question(part)) for part in asked if part]
        for room in (self.room, self.there):
            document = room.ws.get(room.ns, KEY)
            found = normal(document.value.get("notes", "")) if document is not None else ""
            assert found == _text(shown), f"{found!r}, not {_text(shown)!r}"
            told = [(q.reason, normal(q.base), sorted(normal(c.value) for c in q.contenders)) for q in room.questions()]
            assert sorted(told) == sorted(wanted), f"asked {told}, not {wanted}"


def _question(part: list[Sentence]) -> tuple[str, list[str]]:
    """What stood there, and the two sides."""
    sides = [[one.again for one in part], [one.built or "" for one in part]]
    return _text([one.before or "" for one in part]), sorted(map(_text, sides))


def _text(said: list[str]) -> str:
    return " ".join(filter(None, said))


class Narrow(Wide):
    """The same of one document and few of its fields, with more deletions: what one of these keeps, and who goes on
    from it, is met more often."""

    def __init__(self, seed: int, room: Room, names: Mapping[str, str] | None = None) -> None:
        super().__init__(seed, room, names)
        fields = [*Plan.model_fields]
        self.fields = self.random.sample(fields, self.random.randint(1, 3))
        self.deletions = self.random.choice([0.1, 0.2, 0.3])

    def _step(self, agent: str, key: str) -> None:
        if self.random.random() < self.deletions:
            self.agent(agent, began=self.random.choice(self.moments[-3:])).delete(self.room.ns, KEY)
        else:
            super()._step(agent, KEY)

    def _given(self, agent: str) -> dict[str, Any]:
        given = super()._given(agent)
        while not given.keys() <= {*self.fields}:
            given = super()._given(agent)
        return given


WORD = re.compile(r"(?:ada|eve|bob)\d{3}")


def words(value: Any) -> list[str]:
    """What was said that is in a value."""
    return WORD.findall(repr(value))
