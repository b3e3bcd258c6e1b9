"""A team at one live document: persons who type, paste, undo and go offline, agents, decisions, servers that die."""

from __future__ import annotations

import contextlib
import json
import random
import re
from collections import Counter as Count, deque
from typing import Annotated, Any

from loro import ID, ExportMode, LoroDoc, UndoManager, VersionVector
from pydantic import BaseModel

from concordant import Counter, List, Map, Scalar, Set, Text, Workspace
from concordant.spi import compile_schema
from concordant_loro import LiveDocument, LostReplicaError
from concordant_loro.replica import read
from concordant_loro.shape import META, OPEN, value_of

PLACE = ("briefs",), "launch"
WORDS = (
    "merge", "state", "agent", "write", "read", "scope", "text", "unit", "share", "team", "plan", "draft", "review",
    "sources", "notes", "launch",
)  # fmt: skip
MARK = re.compile(r"7w\d+z")


class Section(BaseModel):
    body: Annotated[str, Text()] = ""
    reads: Annotated[int, Counter()] = 0


class Brief(BaseModel):
    body: Annotated[str, Text()] = ""
    rows: Annotated[list[str], List()] = []
    tags: Annotated[set[str], Set()] = set()
    notes: Annotated[dict[str, str], Map()] = {}
    sections: Annotated[dict[str, Section], Map()] = {}
    status: Annotated[str, Scalar()] = "draft"
    tokens: Annotated[int, Counter()] = 0


def prose(chance: random.Random, length: int) -> str:
    sentences: list[str] = []
    while sum(map(len, sentences)) < length:
        sentences.append(" ".join(chance.choice(WORDS) for _ in range(chance.randrange(3, 9))).capitalize() + ".")
    return " ".join(sentences)


def marks_of(document: Any) -> tuple[set[str], set[str]]:
    """The marked words that a document shows, and those in the sides of its open questions about texts."""
    if document is None:
        return set(), set()
    sides: set[str] = set()
    for question in document.contested.values():
        if question.reason == "text":
            sides |= {mark for side in question.contenders for mark in MARK.findall(str(side.value))}
    return set(MARK.findall(json.dumps(document.value))), sides


def said(value: Any) -> Any:
    """A value without texts, lists and sets that are empty: to an editor they are as good as absent."""
    if not isinstance(value, dict):
        return value
    parts = {name: said(part) for name, part in value.items()}
    return {name: part for name, part in parts.items() if part not in ("", [])}


class Person:
    """Somebody at an editor: a Loro document, what it has to send, and what it has not taken in yet."""

    def __init__(self, team: Team, name: str) -> None:
        self.team, self.name = team, name
        self.session = team.live.connect(name)
        self._begin()

    def _begin(self) -> None:
        self.doc = LoroDoc()
        self.doc.peer_id = self.session.peer
        self.doc.import_(self.session.outgoing())
        self.undo = UndoManager(self.doc)
        self.sent, self.online = 0, True
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()

    def flush(self) -> None:
        """What was typed is on its way."""
        now = self.doc.oplog_vv
        own = {p: n for p, (_, n) in now.to_spans().inner().items()}.get(self.session.peer, 0)
        if own > self.sent:
            since = VersionVector.decode(now.encode())
            since.set_end(ID(self.session.peer, self.sent))
            self.up.append(self.doc.export(ExportMode.Updates(since)))
            self.sent = own

    def send(self) -> None:
        if self.up and self.online:
            self.session.receive(self.up.popleft())

    def fetch(self) -> None:
        update = self.session.outgoing()
        if update:
            self.down.append(update)

    def take_in(self) -> None:
        if self.down and self.online:
            assert self.doc.import_(self.down.popleft()).pending is None

    def rejoin(self) -> None:
        """The server has lost what was shared: the editor gives all it has, and begins anew."""
        self.doc.commit()
        self.session = self.team.live.rejoin(self.name, self.doc.export(ExportMode.Snapshot()))
        self._begin()

    def value(self) -> dict[str, Any]:
        return value_of(read(self.doc), compile_schema(Brief).root)


class Team:
    """The document, who works on it, and what may be expected of it."""

    def __init__(self, seed: int, persons: int = 2, agents: int = 2, length: int = 500, url: str | None = None) -> None:
        self.chance = chance = random.Random(seed)
        self.ws = Workspace(url, schemas={PLACE[0]: Brief})
        self.total = 10
        start = {"body": prose(chance, length), "rows": ["a", "b"], "tags": {"x"}, "notes": {"k1": "v"}, "tokens": 10}
        self.ws.agent("seed").write(*PLACE, {**start, "sections": {"s1": {"body": prose(chance, 80)}}})
        self.marks = 0
        self.may_go: set[str] = set()  # what was decided against or taken back, or replaced by who had been shown it
        self.lost: dict[str, Any] = {}
        self.shown: list[tuple[int, set[str]]] = []  # by version the marks in the sides of open questions
        self._watch()
        self.sight = 0  # which version the writer of the change that is committed had been shown
        self.live = self.begin()
        self.persons = [Person(self, f"person{number}") for number in range(persons)]
        self.agents = [self.ws.agent(f"agent{number}") for number in range(agents)]
        self.drafts: dict[int, Any] = {}
        self.did: Count[str] = Count()

    def begin(self) -> LiveDocument:
        """A server of the document; it notes what is said of an editor's sight."""
        live = LiveDocument(self.ws, *PLACE)
        edit = live._edit

        def watched(name: str, change: Any) -> Any:
            self.sight = change["version"]
            return edit(name, change)

        live._edit = watched  # type: ignore[method-assign]
        return live

    def _watch(self) -> None:
        """Looks at each commit: which marked words are gone by it, and whether its writer had been shown them."""
        commit = self.ws.writing.commit

        def watched(pending: Any) -> Any:
            before = marks_of(self.ws.get(*PLACE))
            receipt = commit(pending)
            document = self.ws.get(*PLACE)
            after = marks_of(document)
            self.shown.append((document.version, after[1]))
            upto = pending.snapshot.at if pending.snapshot is not None else -1
            if pending.scope.origin.startswith("loro/"):
                upto = self.sight  # an edit may count as one that has seen less
            known = next((sides for version, sides in reversed(self.shown) if version <= upto), set())
            for mark in set().union(*before) - set().union(*after):
                if mark in known or pending.mode == "decide":
                    self.may_go.add(mark)
                else:
                    self.lost[mark] = (pending.scope.agent, document.version, upto)
            return receipt

        self.ws.writing.commit = watched  # type: ignore[method-assign]
        self.shown.append((self.ws.get(*PLACE).version, set()))

    # -- what they do --------------------------------------------------------------------------------------------

    def change_of(self, text: str) -> tuple[int, int, str]:
        """A change of a text: from where to where, and what stands there instead. Marked words are left alone."""
        words = [match for match in re.finditer(r"[a-z]+\b", text) if match[0] in WORDS]
        near = words[:12] if self.chance.random() < 0.35 else words
        way = self.chance.random()
        self.marks += 1
        mark = f"7w{self.marks}z"
        if way < 0.4 and near:
            word = self.chance.choice(near)
            return word.start(), word.end(), mark
        if way < 0.55 and near:
            word = self.chance.choice(near)
            return word.start(), word.end(), ""
        places = [match.end() for match in re.finditer(r"[a-z]\b", text)] or [len(text)]
        at = self.chance.choice(places)
        return at, at, f" {mark}" if way < 0.9 else f". {self.chance.choice(WORDS).capitalize()} {mark}"

    def edit_model(self, brief: Brief) -> None:
        way = self.chance.random()
        if way < 0.5:
            start, end, content = self.change_of(brief.body)
            brief.body = brief.body[:start] + content + brief.body[end:]
        elif way < 0.58 and brief.sections:
            section = brief.sections[self.chance.choice(sorted(brief.sections))]
            start, end, content = self.change_of(section.body)
            section.body = section.body[:start] + content + section.body[end:]
        elif way < 0.66:
            self.edit_list(brief.rows)
        elif way < 0.74:
            tag = f"t{self.chance.randrange(20)}"
            brief.tags = brief.tags ^ {tag}
        elif way < 0.82:
            brief.status = f"s{self.chance.randrange(5)}"
        elif way < 0.9:
            more = self.chance.randrange(1, 9)
            brief.tokens, self.total = brief.tokens + more, self.total + more
        else:
            brief.notes = {**brief.notes, f"k{self.chance.randrange(6)}": f"v{self.chance.randrange(9)}"}

    def edit_list(self, rows: list[str]) -> None:
        at = self.chance.randrange(len(rows) + 1)
        if self.chance.random() < 0.7 or not rows:
            rows.insert(at, f"r{self.chance.randrange(10**6)}")
        else:
            rows.pop(min(at, len(rows) - 1))

    def type_in(self, person: Person) -> None:
        """One change in an editor: letter by letter, or as a paste."""
        doc, way = person.doc, self.chance.random()
        fields = doc.get_map("fields")
        if way < 0.5:
            self.type_text(doc.get_text("text:body"))
        elif way < 0.58:
            keys = sorted(doc.get_map("keys:sections").get_value())
            if keys:
                self.type_text(doc.get_text(f"text:sections.{self.chance.choice(keys)}.body"))
        elif way < 0.66:
            rows = doc.get_list("list:rows")
            at = self.chance.randrange(len(rows) + 1)
            if self.chance.random() < 0.7 or not len(rows):
                rows.insert(at, json.dumps(f"r{self.chance.randrange(10**6)}"))
            else:
                rows.delete(min(at, len(rows) - 1), 1)
        elif way < 0.74:
            tags = doc.get_map("set:tags")
            tag = json.dumps(f"t{self.chance.randrange(20)}")
            if tag in tags.get_value():
                tags.delete(tag)
            else:
                tags.insert(tag, "7")
        elif way < 0.8:
            fields.insert("status", json.dumps(f"s{self.chance.randrange(5)}"))
        elif way < 0.87:
            more = self.chance.randrange(1, 9)
            fields.insert("tokens", json.dumps(json.loads(fields.get_value()["tokens"]) + more))
            self.total += more
        elif way < 0.9:
            key = f"s{self.chance.randrange(4)}"
            doc.get_map("keys:sections").insert(key, "record")
        elif way < 0.97:
            doc.get_map("map:notes").insert(f"k{self.chance.randrange(6)}", f'"v{self.chance.randrange(9)}"')
        elif person.undo.can_undo():
            self.take_back(person)
        doc.commit()

    def take_back(self, person: Person) -> None:
        """Undoes the last change, if that was of a text: what it had added may go."""
        doc = person.doc
        before = person.value()
        person.undo.undo()
        after = person.value()
        self.total += after.get("tokens", 0) - before.get("tokens", 0)
        self.may_go |= set(MARK.findall(json.dumps(before))) - set(MARK.findall(json.dumps(after)))
        self.did["undo"] += 1
        assert doc.peer_id == person.session.peer

    def type_text(self, text: Any) -> None:
        start, end, content = self.change_of(text.to_string())
        if end > start:
            text.delete(start, end - start)
        for part in content if self.chance.random() < 0.5 else [content] if content else []:
            text.insert(start, part)
            start += len(part)

    def step(self) -> None:
        chance = self.chance
        way, person = chance.random(), chance.choice(self.persons)
        try:
            if way < 0.30:
                self.type_in(person)
            elif way < 0.45:
                person.flush()
            elif way < 0.60:
                person.send()
            elif way < 0.70:
                person.fetch()
            elif way < 0.80:
                person.take_in()
            elif way < 0.82:
                person.online = not person.online or chance.random() < 0.5
            elif way < 0.97:
                self.agent_step(chance.randrange(len(self.agents)))
            elif way < 0.998:
                self.decide()
            else:
                self.restart()
        except LostReplicaError:
            self.all_rejoin()

    def agent_step(self, number: int) -> None:
        if number in self.drafts:
            context, brief = self.drafts.pop(number)
            self.edit_model(brief)
            context.__exit__(None, None, None)
            self.live.refresh()
        else:
            context = self.agents[number].edit(*PLACE)
            self.drafts[number] = (context, context.__enter__())

    def decide(self) -> None:
        questions = self.ws.escalations()
        if questions:
            question = self.chance.choice(questions)
            self.ws.resolve(question, self.chance.choice(question.contenders).value, by="maria")
            self.did["decision"] += 1
            self.live.refresh()

    def restart(self) -> None:
        """The server is another one, or its child process dies."""
        self.did["restart"] += 1
        if self.chance.random() < 0.5:
            self.live = self.begin()
        else:
            self.live._child.close()
        self.all_rejoin()

    def all_rejoin(self) -> None:
        with contextlib.suppress(LostReplicaError):
            self.live.updates(None)
        for person in self.persons:
            person.rejoin()

    # -- what must hold ------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """All are online, and everything arrives."""
        for context, _ in self.drafts.values():
            context.__exit__(None, None, None)
        self.drafts.clear()
        self.live.refresh()
        for person in self.persons:
            person.online = True
            person.flush()
        while any(person.up for person in self.persons):
            for person in self.persons:
                person.send()
        for person in self.persons:
            person.fetch()
            while person.down:
                person.take_in()

    def check(self) -> None:
        """Every replica shows what Concordant shows, counters are exact, and no word is gone that should not be."""
        document = self.ws.get(*PLACE)
        want = said(document.value)
        for person in self.persons:
            got = said(person.value())
            for name in Brief.model_fields:
                assert got.get(name) == want.get(name), (person.name, name, got.get(name), want.get(name))
            meta = person.doc.get_map(META).get_value()
            assert int(meta["version"]) == document.version
            told = {json.loads(text)["version"] for text in person.doc.get_map(OPEN).get_value().values()}
            assert told == {question.version for question in document.contested.values()}
        assert want["tokens"] == self.total, (want["tokens"], self.total)
        standing = set().union(*marks_of(document))
        lost = {mark: how for mark, how in self.lost.items() if mark not in self.may_go and mark not in standing}
        assert lost == {}, lost


def play(seed: int, steps: int, **given: Any) -> Team:
    """Lets a team work for some steps, and checks what came of it."""
    team = Team(seed, **given)
    for _ in range(steps):
        team.step()
    team.settle()
    team.check()
    return team
