"""Reads that travel as tokens: what is written on the strength of one is judged as if its reader had written."""

from __future__ import annotations

import json
import pickle
import string
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import pytest
from hypothesis import event, given as drawn, note, settings, strategies as st
from pydantic import BaseModel, Field

from concordant import (
    Agent,
    Counter,
    Document,
    HistoryExpiredError,
    InvalidTokenError,
    List,
    Map,
    Scalar,
    Set,
    Text,
    Workspace,
)
from concordant.storage import SqliteOptions
from concordant.workspace.scope import Scope

KEY = "k"
DECLARED, OPEN = ("boards",), ("open",)
WORDS = ["red", "green", "blue", "grey"]
LINES = ["One is red.", "Two is green.", "Three is blue.", "Four is grey."]


class Part(BaseModel):
    name: Annotated[str | None, Scalar()] = None
    marks: Annotated[set[str], Set()] = set()


class Board(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    log: Annotated[set[str], Set(grow_only=True)] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    votes: Annotated[dict[str, Annotated[int, Counter()]], Map()] = {}
    body: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []
    views: Annotated[int, Counter(), Field(le=20)] = 0
    status: Annotated[str | None, Scalar()] = None
    best: Annotated[int | None, Scalar(resolve="max")] = None
    parts: Annotated[list[Part], Set(by="name")] = []
    main: Part = Part()


word = st.sampled_from(WORDS)
few = st.lists(word, max_size=3, unique=True)
part = st.fixed_dictionaries({"name": word}, optional={"marks": few})
FIELDS: dict[str, Any] = {
    "tags": few,
    "log": few,
    "owners": st.dictionaries(word, word, max_size=2),
    "votes": st.dictionaries(word, st.integers(-2, 2), max_size=2),
    "body": st.lists(st.sampled_from(LINES), max_size=4).map("\n".join),
    "steps": st.lists(word, max_size=4),
    "views": st.integers(-3, 8),
    "status": st.one_of(st.none(), word),
    "best": st.integers(0, 5),
    "parts": st.lists(part, max_size=2, unique_by=lambda one: one["name"]),
    "main": part,
}
values = st.sets(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: FIELDS[name] for name in sorted(names)})
)
slot = st.integers(0, 2)
acts = st.one_of(
    st.tuples(st.just("read"), slot, st.none()),
    st.tuples(st.just("now"), slot, values),
    *(st.tuples(st.just(name), slot, values) for name in ("write", "edit", "put", "put")),
    st.tuples(st.just("again"), slot, values),
    st.tuples(st.just("delete"), slot, st.none()),
    st.tuples(st.just("resolve"), slot, st.none()),
    st.tuples(st.just("import"), slot, values),
)


def loosely(given: dict[str, Any] | None) -> dict[str, Any]:
    """The values of an act as those of a document without a model."""
    return {name: value for name, value in (given or {}).items() if name in ("tags", "status", "owners", "best")}


class Reader:
    """Somebody who has read, and then writes: as one handle that lives on, or by a token that travels.

    Where there is no document to be read, the one begins there, and the other has the token of that moment.
    """

    def __init__(self, ws: Workspace, name: str, space: tuple[str, ...]) -> None:
        self.ws, self.name, self.space = ws, name, space

    def change(self, draft: Any, given: dict[str, Any]) -> None:
        for name, value in given.items():
            if isinstance(draft, dict):
                draft[name] = value
            else:
                setattr(draft, name, type(draft).model_validate({name: value}).__getattribute__(name))


class Live(Reader):
    """The handle that has read."""

    def __init__(self, ws: Workspace, name: str, space: tuple[str, ...]) -> None:
        super().__init__(ws, name, space)
        self.agent = ws.agent(name)
        self.opened: Any = None
        if ws.get(space, KEY) is not None:
            self.opened = self.agent.edit(space, KEY)
            self.draft = self.opened.__enter__()

    def act(self, act: str, given: dict[str, Any]) -> None:
        if act == "edit":
            self.change(self.draft, given)
            self.opened.__exit__(None, None, None)
        else:
            perform(self.agent, self.agent.scope, self.space, act, given)


class ByToken(Reader):
    """A token, and a workspace that knows nothing but the store."""

    def __init__(self, ws: Workspace, name: str, space: tuple[str, ...], elsewhere: Callable[[], Workspace]) -> None:
        super().__init__(ws, name, space)
        document = ws.get(space, KEY)
        moment = ws.moment()
        self.token = [pickle.loads(pickle.dumps(document)).token] if document is not None else [moment.token]
        self.opened = document
        self.elsewhere = elsewhere
        self.agent: Agent | None = None

    def act(self, act: str, given: dict[str, Any]) -> None:
        if self.agent is None:
            self.agent = self.elsewhere().agent(self.name, seen=self.token)
        if act == "edit":
            with self.agent.edit(self.space, KEY) as draft:
                self.change(draft, given)
        else:
            perform(self.agent, self.agent.scope, self.space, act, given)


def perform(agent: Agent, scope: Scope, space: tuple[str, ...], act: str, given: dict[str, Any]) -> None:
    if act in ("write", "again"):
        agent.write(space, KEY, given)
    elif act == "put":
        agent._writing.put(space, KEY, given, scope)
    elif act == "delete":
        agent.delete(space, KEY)


def picture(document: Document | None) -> Any:
    """All that a document shows, and what is contested in it."""
    if document is None:
        return None
    contested = [
        (e.path, e.reason, e.base, [(c.value, c.agents) for c in e.contenders]) for e in document.contested.values()
    ]
    return document.value, contested


def travels(ws: Workspace, space: tuple[str, ...]) -> None:
    """All that is handed out goes through strict JSON and through pickle unchanged."""
    things: list[Any] = [*ws.list(space), *ws.history(space, KEY), *ws.escalations(state="all"), ws.stats()]
    for thing in things:
        shape = thing.to_dict()
        assert json.loads(json.dumps(shape, allow_nan=False)) == shape
        twin = pickle.loads(pickle.dumps(thing))
        assert twin == thing and twin.to_dict() == shape


def nothing(ws: Workspace) -> None:
    """A vacuum that forgets nothing."""


def forget_words(ws: Workspace) -> None:
    """A vacuum that forgets all words and items that were removed."""
    ws.vacuum(removed=timedelta(0))


def play(
    history: list[tuple[str, int, Any]],
    space: tuple[str, ...],
    make: Callable[[], Any],
    vacuum: Callable[[Workspace], None],
    once: bool,
) -> list[Any]:
    """Plays a history; returns what it shows after every act.

    Args:
        once: whether each reader writes once only, and has not lived through a vacuum after it began to write.
    """
    ws, begin = make()
    peer = Workspace(schemas={DECLARED: Board}, replica="peer")
    readers: dict[int, Any] = {}
    edited: set[int] = set()
    shown = []
    for number, (act, who, made) in enumerate(history):
        given = made if space == DECLARED else loosely(made)
        if act == "read":
            readers[who] = begin(f"agent{who}")
            edited.discard(who)
        elif act == "now":
            ws.agent(f"other{number}").write(space, KEY, given)
        elif act == "resolve":
            for escalation in ws.escalations()[:1]:
                ws.dismiss(escalation, by="maria")
        elif act == "import":
            peer.import_(ws.export())
            peer.agent(f"peer{number}").write(space, KEY, given)
            ws.import_(peer.export())
        elif act == "vacuum":
            vacuum(ws)
        elif who in readers and not (act == "edit" and (who in edited or readers[who].opened is None)):
            try:
                readers[who].act(act, given)
            except HistoryExpiredError:
                break  # what was read then is forgotten: a live reader would have gone on by a guess
            edited.add(who)  # a second edit of a handle would be another read
            if once:
                del readers[who]
        shown.append(picture(ws.get(space, KEY)))
    travels(ws, space)
    ws.close()
    return shown


def compare(
    history: list[tuple[str, int, Any]], space: tuple[str, ...], url: Callable[[], str | None], once: bool = False
) -> None:
    """Plays a history with live readers and with tokens."""
    options = {"schemas": {DECLARED: Board}, "replica": "store"}

    def live() -> Any:
        ws = Workspace(**options)
        return ws, lambda name: Live(ws, name, space)

    def by_token() -> Any:
        place = url()
        fast = SqliteOptions(synchronous="normal") if place and place.startswith("sqlite") else None
        ws = Workspace(place, options=fast, **options)
        others: list[Workspace] = []
        close = ws.close

        def elsewhere() -> Workspace:
            if place is None:
                return ws
            others.append(Workspace(place, options=fast, schemas=options["schemas"]))
            return others[-1]

        def close_all() -> None:
            for other in others:
                other.close()
            close()

        ws.close = close_all  # type: ignore[method-assign]
        return ws, lambda name: ByToken(ws, name, space, elsewhere)

    wanted, got = play(history, space, live, nothing, once), play(history, space, by_token, forget_words, once)
    for number, (one, other) in enumerate(zip(wanted, got, strict=False)):
        if one != other:
            note(f"after act {number} {history[number]}:\n live  {one}\n token {other}")
    assert got == wanted[: len(got)]
    event("expired" if len(got) < len(wanted) else "contested" if any(one and one[1] for one in wanted) else "merged")


histories = st.tuples(values, st.lists(acts, min_size=6, max_size=16)).map(
    lambda made: [("now", 0, made[0]), *(("read", who, None) for who in range(3)), *made[1]]
)
spaces = st.sampled_from([DECLARED, DECLARED, OPEN])


texts = st.one_of(
    st.fixed_dictionaries({"body": FIELDS["body"]}),
    st.fixed_dictionaries({"steps": FIELDS["steps"]}),
    st.fixed_dictionaries({"body": FIELDS["body"], "steps": FIELDS["steps"]}),
)
rewriting = st.tuples(
    texts,
    st.lists(
        st.one_of(
            *(st.tuples(st.just(name), slot, texts) for name in ("edit", "edit", "put")),
            st.tuples(st.sampled_from(["read", "vacuum", "vacuum"]), slot, st.none()),
        ),
        min_size=4,
        max_size=12,
    ),
).map(lambda made: [("now", 0, made[0]), *(("read", who, None) for who in range(3)), *made[1]])

Histories = list[tuple[str, int, Any]]


@drawn(histories, spaces)
@settings(max_examples=20)
def test_a_token_is_judged_as_the_read_that_it_is_of(history: Histories, space: tuple[str, ...]) -> None:
    """Writes, edits, puts and deletions by token end in what the readers' own end in: values and questions."""
    compare(history, space, lambda: None)


@drawn(rewriting)
@settings(max_examples=30)
def test_where_words_are_forgotten_a_token_guesses_nothing(history: Histories) -> None:
    """With words forgotten in between, a token has either expired or is judged as if all were known."""
    compare(history, DECLARED, lambda: None, once=True)


@drawn(st.data())
@settings(max_examples=300)
def test_whatever_is_no_token_is_refused(data: st.DataObject) -> None:
    """Any text, bytes in base 64, and any token with a letter changed, lost or added get our error and no other."""
    ws = Workspace()
    ws.agent("ada").write(OPEN, KEY, {"x": 1})
    document = ws.get(OPEN, KEY)
    assert document is not None
    letters = string.ascii_letters + string.digits + "-_=+/ "
    token = data.draw(st.sampled_from([document.token, ws.moment().token]))
    at = data.draw(st.integers(0, len(token)))
    wrong = data.draw(
        st.one_of(
            st.text(),
            st.text(letters, min_size=30, max_size=40),
            st.binary(min_size=27, max_size=27).map(lambda data: urlsafe_b64encode(data).decode()),
            st.sampled_from(letters).map(lambda letter: token[:at] + letter + token[at + 1 :]),
            st.sampled_from(letters).map(lambda letter: token[:at] + letter + token[at:]),
            st.just(token[:at]),
        )
    )
    if wrong == token:
        return
    with pytest.raises(InvalidTokenError):
        ws.agent("eve", seen=wrong)


@pytest.mark.torture
@drawn(histories, spaces)
@settings(max_examples=10_000)
def test_many_tokens_are_judged_as_the_reads_that_they_are_of(history: Histories, space: tuple[str, ...]) -> None:
    """The same by the thousand."""
    compare(history, space, lambda: None)


@drawn(histories, spaces)
@settings(max_examples=8)
def test_a_token_is_judged_so_in_other_workspaces_on_sqlite(
    tmp_path_factory: pytest.TempPathFactory, history: Histories, space: tuple[str, ...]
) -> None:
    """Each bearer opens the store's file anew, and knows nothing but that and the token."""
    compare(history, space, lambda: f"sqlite:///{tmp_path_factory.mktemp('tokens')}/s.db")


@drawn(histories, spaces)
@settings(max_examples=6)
def test_a_token_is_judged_so_in_other_workspaces_on_postgres(
    postgres_urls: Callable[[], str], history: Histories, space: tuple[str, ...]
) -> None:
    """Each bearer connects anew."""
    compare(history, space, postgres_urls)


@pytest.mark.torture
@drawn(histories, spaces)
@settings(max_examples=400)
def test_many_tokens_are_judged_so_on_databases(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_urls: Callable[[], str],
    history: Histories,
    space: tuple[str, ...],
) -> None:
    """Both, by the hundred."""
    compare(history, space, lambda: f"sqlite:///{tmp_path_factory.mktemp('tokens')}/s.db")
    compare(history, space, postgres_urls)
