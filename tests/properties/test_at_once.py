"""What one write gave at once is, to whoever looks at it, what as many parts made one by one would be."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from benchmarks.writers import calls
from concordant import Counter, Map, Scalar, Set, Text, Workspace
from concordant.errors import ConcordantError, DamagedDocumentError
from concordant.merge.kinds import at_once
from concordant.merge.record import CodecError, Record, dump_by_portions, dump_record, load_record, view
from concordant.merge.registers import leaves
from concordant.merge.registers.bulk import Bulk, GivenAtOnce
from concordant.merge.registers.leaf import as_register
from concordant.schema import Compiled
from concordant.workspace.states import expanded

AT = (("t",), "k")
Patch = pytest.MonkeyPatch


class Inner(BaseModel):
    s: Annotated[str | None, Scalar()] = None
    n: Annotated[int | None, Scalar(resolve="max")] = None


class Part(BaseModel):
    s: Annotated[str | None, Scalar()] = None
    t: Annotated[set[str], Set()] = set()
    p: Inner = Inner()
    m: Annotated[dict[str, int], Map()] = {}


class Row(BaseModel):
    n: Annotated[int | None, Scalar()] = None
    id: Annotated[str, Scalar()] = ""
    t: Annotated[list[str], Set()] = []


class Line(BaseModel):
    id: Annotated[int, Scalar()] = 0
    s: Annotated[str | None, Scalar(sticky=True)] = None


class Noted(BaseModel):
    x: Annotated[str, Text()] = ""
    c: Annotated[int, Counter()] = 0


class Much(BaseModel):
    t: Annotated[set[str], Set()] = set()
    j: Annotated[list[Any], Set()] = []
    g: Annotated[list[int], Set(grow_only=True)] = []
    m: Annotated[dict[str, Any], Map()] = {}
    mm: Annotated[dict[str, Annotated[dict[str, int], Map()]], Map()] = {}
    ms: Annotated[dict[str, Annotated[list[str], Set()]], Map()] = {}
    r: Annotated[dict[str, Part], Map()] = {}
    k: Annotated[list[Row], Set(by="id")] = []
    l: Annotated[list[Line], Set(by="id")] = []  # noqa: E741
    w: Annotated[dict[str, Noted], Map()] = {}
    s: Annotated[str | None, Scalar()] = None
    x: Annotated[str, Text()] = ""


WORDS = "abcdef"


def some(rnd: random.Random, most: int) -> dict[str, Any]:
    """Values for some of the fields, of so many parts at most."""
    word = lambda: rnd.choice(WORDS)  # noqa: E731
    number = lambda: rnd.randrange(-1, 4)  # noqa: E731
    words = lambda: [word() for _ in range(rnd.randrange(most))]  # noqa: E731
    part: Callable[[], dict[str, Any]] = lambda: rnd.choice(  # noqa: E731
        [{}, {"s": word()}, {"t": words()}, {"p": {"n": number()}}, {"m": {word(): number()}, "s": None}]
    )
    keyed = lambda make: {word(): make() for _ in range(rnd.randrange(most))}  # noqa: E731
    free = lambda: rnd.choice([1, True, "a", None, 1.0, {"b": 1, "a": -0.0}, {"a": 0.0, "b": 1}, [1, "é\n"]])  # noqa: E731
    rows = {name: {"id": name, **rnd.choice([{}, {"n": number()}, {"t": words()}])} for name in words()}
    makers: dict[str, Callable[[], Any]] = {
        "t": words,
        "j": lambda: [free() for _ in range(rnd.randrange(most))],
        "g": lambda: [number() for _ in range(rnd.randrange(most))],
        "m": lambda: keyed(free),
        "mm": lambda: keyed(lambda: {word(): number() for _ in range(rnd.randrange(3))}),
        "ms": lambda: keyed(words),
        "r": lambda: keyed(part),
        "k": lambda: [*rows.values()],
        "l": lambda: [{"id": n, "s": word()} for n in rnd.sample(range(12), rnd.randrange(most))],
        "w": lambda: keyed(lambda: {"x": word(), "c": 1}),
        "s": word,
        "x": word,
    }
    return {name: makers[name]() for name in rnd.sample(sorted(makers), rnd.randrange(1, 5 if most < 5 else 12))}


def changed(rnd: random.Random, value: Any) -> Any:
    """A value with something of it removed, added or changed."""
    value = dict(value)
    more = some(rnd, 3)
    for name in rnd.sample(sorted(value), min(len(value), 3)):
        item = value[name]
        if isinstance(item, list) and item:
            item = [*item]
            del item[rnd.randrange(len(item))]
            value[name] = item
        elif isinstance(item, dict) and item:
            item = dict(item)
            key = rnd.choice(sorted(item))
            if isinstance(more.get(name), dict) and more[name] and rnd.random() < 0.5:
                item[key] = next(iter(more[name].values()))
            else:
                del item[key]
            value[name] = item
        elif name in more:
            value[name] = more[name]
    return value


class Course:
    """One random history, on two stores that meet now and then, or in two workspaces of one.

    Args:
        url: of the one store.
    """

    def __init__(self, seed: str, url: str | None) -> None:
        self.rnd = random.Random(seed)
        names = ("one", "two") if url is None else (None, None)
        self.stores = [Workspace(url, replica=name, schemas={AT[0]: Much}) for name in names]
        self.is_one = url is not None
        self.versions: list[int] = []
        first, rest = some(self.rnd, 7), self.stores[0]
        began = rest.moment()
        rest.agent("first").write(*AT, first)
        moments = {rest: [began, rest.moment()], self.stores[1]: [self.stores[1].moment()]}
        self.scopes = {
            store: [store.agent(f"a{n}", began=self.rnd.choice(moments[store])) for n in range(4)]
            for store in self.stores
        }

    def steps(self, count: int) -> Iterator[Workspace]:
        """Takes so many steps; gives the workspace of each."""
        yield self.stores[0]
        for _ in range(count):
            ws = self.rnd.choice(self.stores) if self.rnd.random() < 0.35 else self.stores[0]
            try:
                self.act(ws)
            except DamagedDocumentError:
                raise
            except ConcordantError:
                pass  # a decision that does not fit, or a past that is not told any more
            yield ws

    def act(self, ws: Workspace) -> None:
        rnd, agent, act = self.rnd, self.rnd.choice(self.scopes[ws]), self.rnd.random()
        if act < 0.3:
            self.versions.append(agent.write(*AT, some(rnd, 3)).version)
        elif act < 0.55:
            self.edits(ws, agent)
        elif act < 0.6:
            agent.refresh()
        elif act < 0.65:
            agent.delete(*AT)
        elif act < 0.75:
            self.decides(ws)
        elif act < 0.8:
            ws.undo(agent=rnd.choice(["first", "a0", "a1"]), by="maria", dry_run=False)
        elif act < 0.83 and self.versions:
            ws.restore(*AT, rnd.choice(self.versions), by="otto")
        elif act < 0.86:
            ws.vacuum()
        elif not self.is_one:
            self.stores[0].exchange(self.stores[1])

    def edits(self, ws: Workspace, agent: Any) -> None:
        document = agent.read(*AT)
        if document is not None:
            with ws.acting_as(agent.scope.agent):
                ws.put(*AT, changed(self.rnd, document.value), seen=document)

    def decides(self, ws: Workspace) -> None:
        found = ws.escalations()
        if found:
            chosen = self.rnd.choice(found)
            ws.resolve(chosen, self.rnd.choice(chosen.contenders).value, by="judge")


def image(ws: Workspace, deep: bool) -> Any:
    """What there is of the document, but for times; what its past was as well, if ``deep``."""
    state = ws.storage.load(*AT)
    if state is None:
        return None
    schema, document = ws.registry.find(AT[0]), ws.get(*AT)
    shown = None if document is None else [*document.value.items()]
    questions = [
        (e.path, e.reason, e.has_base, e.base, [(c.value, c.agents) for c in e.contenders]) for e in ws.escalations()
    ]
    found: list[Any] = [repr(shown), repr(questions)]
    if deep:
        record = expanded(state, schema, ws.storage.replica)
        rows = [(e.version, e.act, e.value, e.paths, e.settled, e.met) for e in ws.history(*AT)]
        found += [repr(told(record)), repr(rows)]
        found += [repr({path: [(c.value, c.agents) for c in credits] for path, credits in ws.blame(*AT).items()})]
        found += [past(ws, e.version) for e in [*ws.history(*AT)][:4]]
    return [repr(one).replace(ws.storage.replica, "here") for one in found]


def past(ws: Workspace, version: int) -> Any:
    try:
        document = ws.get(*AT, at=version)
    except ConcordantError as error:
        return type(error)
    return None if document is None else repr(document.value)


def told(record: Record) -> Any:
    """All leaves of a record, but for times."""

    def entry(one: Any) -> Any:
        base = one.base and one.base[1:]
        kept = sorted((repr(path), repr(leaf(part))) for path, part in one.covered)
        return one.stamp[1:4], one.stamp.act, one.value, base, [s[1:4] for s in one.confirms], kept, one.place

    def leaf(one: Any) -> Any:
        return [entry(part) for part in as_register(one)] or repr([(p.content, p.live) for p in one])

    return sorted((repr(path), repr(leaf(one))) for path, one in leaves(record.tree)), sorted(record.suspects, key=repr)


def check_stored(ws: Workspace, parts_known: bool) -> None:
    """A record that is stored and read again is the one that it was, and shows the same."""
    state = ws.storage.load(*AT)
    if state is None:
        return
    schema = ws.registry.find(AT[0])
    record = expanded(state, schema, ws.storage.replica)
    before = shown_by(record.copy(), schema)
    for data in (dump_record(record), b"".join(dump_by_portions(record)), dump_record(record, local=False)):
        again = load_record(data)
        assert shown_by(again, schema) == before
        if parts_known:
            assert dict(leaves(again.tree)) == dict(leaves(record.tree))
        assert (again.suspects, again.tombs, again.covering) == (record.suspects, record.tombs, record.covering)


def shown_by(record: Record, schema: Compiled) -> Any:
    found = view(record, schema.root, on_delete=schema.on_delete)
    return found.body, found.undeclared, [(c.path, c.reason, [o.value for o in c.options]) for c in found.contests]


def play(seed: str, many: int, patch: Patch, url: Callable[[], str | None], steps: int = 14) -> list[Any]:
    """What each step of a history shows, where so many parts or more are made when somebody looks at them."""
    patch.setattr(at_once, "MANY", many)
    course = Course(seed, url())
    found = []
    for number, ws in enumerate(course.steps(steps)):
        is_deep = number % 5 == 4
        if many == 0:
            check_stored(ws, is_deep)
        found.append(image(ws, is_deep or number == steps))
    return found


def compare(seed: str, histories: int, patch: Patch, url: Callable[[], str | None] = lambda: None) -> None:
    """Compares what histories show where parts are made one by one, and where when somebody looks at them."""
    for number in range(histories):
        one = f"{seed} {number}"
        apart, together = play(one, 1 << 30, patch, url), play(one, 0, patch, url)
        for step, (wanted, found) in enumerate(zip(apart, together, strict=True)):
            assert found == wanted, f"history {one!r}, step {step}: " + differing(wanted, found)


def differing(wanted: Any, found: Any) -> str:
    """Where the first difference is."""
    for number, (one, other) in enumerate(zip(wanted or (), found or (), strict=False)):
        if one != other:
            at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
            return f"part {number}: {one[max(0, at - 150) : at + 150]!r} became {other[max(0, at - 150) : at + 150]!r}"
    return f"{wanted!r} became {found!r}"


KEPT = ["memory", "sqlite", "sqlite, in parts", "sqlite, one file", "sqlite, one file, in parts"]


def compare_kept(
    seed: str, histories: int, kept: str, patch: Patch, keep_on: Callable[[str], None], fresh_url: Any
) -> None:
    """The same in one of ``KEPT``: with two stores, or in two workspaces of one."""
    keep_on(kept)
    compare(seed, histories, patch, (lambda: fresh_url("sqlite")) if "one file" in kept else lambda: None)


@pytest.mark.parametrize("kept", KEPT)
def test_g1_g4_what_is_given_at_once_is_what_its_parts_are(
    seed: str, monkeypatch: Patch, keep_on: Any, fresh_url: Any, kept: str
) -> None:
    """After every step of a random history, with writers who have seen little, edits, deletions, decisions, undo and
    exchange: value, order, questions, blame and past are what parts made one by one give; so after a restart."""
    compare_kept(seed, 2, kept, monkeypatch, keep_on, fresh_url)


@pytest.mark.torture
@pytest.mark.parametrize("kept", KEPT)
def test_g1_g4_hundreds_of_histories_of_what_is_given_at_once(
    seed: str, monkeypatch: Patch, keep_on: Any, fresh_url: Any, kept: str
) -> None:
    """The same for hundreds of histories."""
    compare_kept(seed, 400, kept, monkeypatch, keep_on, fresh_url)


@pytest.mark.parametrize(
    ("field", "value", "more"),
    [
        ("t", lambda n: [f"e{k}" for k in range(n)], ["new"]),
        ("m", lambda n: {f"k{k}": "v" for k in range(n)}, {"new": "v"}),
        ("r", lambda n: {f"k{k}": {"s": "v", "t": ["a"]} for k in range(n)}, {"new": {"s": "v"}}),
        ("k", lambda n: [{"n": 1, "id": f"k{k}"} for k in range(n)], [{"id": "new", "n": 1}]),
    ],
)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_the_first_addition_makes_no_part_of_what_was_given(
    field: str, value: Callable[[int], Any], more: Any, kind: str, fresh_url: Any
) -> None:
    """The first addition to 4,000 parts that one write gave, and a read, take not many more calls than to 1,000; so do
    the next ones, that of a process which has not read the document yet too."""

    def counted(count: int) -> list[int]:
        url = fresh_url(kind)
        ws = Workspace(url, schemas={AT[0]: Much})
        ws.agent("first").write(*AT, {field: value(count)})
        began = ws.moment()
        found = []
        for name in ("late", "later", "last"):
            if name == "last" and url is not None:
                ws.close()
                ws = Workspace(url, schemas={AT[0]: Much})
            writer = ws.agent(name, began=began)
            found.append(calls(lambda w=writer, ws=ws: (w.write(*AT, {field: more}), ws.get(*AT).value)))
        ws.close()
        return found

    few, many = counted(1_000), counted(4_000)
    slower = [(one, other) for one, other in zip(few, many, strict=True) if other > 1.2 * one]
    assert not slower, f"{many} calls for 4,000, {few} for 1,000"


def changes_in_a_part_are_not_noted(patch: Patch) -> None:
    """What was changed within a part is forgotten with what was only looked at."""
    patch.setattr(Bulk, "change", lambda *_: None)


def what_was_changed_is_read_as_given(patch: Patch) -> None:
    """A reader takes all parts that are there as they were given."""
    patch.setattr(Bulk, "apart", property(lambda self: [*self._more]))


def what_went_comes_back(patch: Patch) -> None:
    """A part that went is there again in a copy."""

    def twin(self: Bulk, copied: Any, *, made: bool) -> Bulk:
        found = real(self, copied, made=made)
        found._gone = {}
        return found

    real = Bulk.twin
    patch.setattr(Bulk, "twin", twin)


def all_of_it_is_seen(patch: Patch) -> None:
    """What one write gave counts as seen by everybody."""
    patch.setattr(Bulk, "has_rest", False)


def parts_have_no_place(patch: Patch) -> None:
    """All parts stand at the first place."""

    def made(given: GivenAtOnce, key: str) -> Any:
        return given._made(key, given.value[key if given.keys is given.value else given.place(key)], 0)

    patch.setattr(GivenAtOnce, "made", made)


@pytest.mark.parametrize(
    "mutant",
    [
        changes_in_a_part_are_not_noted,
        what_was_changed_is_read_as_given,
        what_went_comes_back,
        all_of_it_is_seen,
        parts_have_no_place,
    ],
)
def test_a_part_that_is_made_wrong_is_noticed(
    mutant: Callable[[Patch], None], monkeypatch: Patch, keep_on: Any, fresh_url: Any
) -> None:
    """The comparison fails where what was given at once is not what its parts are."""
    mutant(monkeypatch)
    with pytest.raises((AssertionError, LookupError, ConcordantError)):
        compare_kept("mutant", 30, "sqlite, one file", monkeypatch, keep_on, fresh_url)


def test_records_stand_as_they_came_beside_many_given_at_once() -> None:
    """What another store added before many records were given at once stands before them, what was added since behind
    them; so after one of them was changed, and after one is gone."""
    ws, other = Workspace(schemas={AT[0]: Much}), Workspace(schemas={AT[0]: Much})
    began = ws.moment()
    other.agent("early").write(*AT, {"k": [{"id": "early"}]})
    ws.agent("first").write(*AT, {"k": [{"id": f"k{n}"} for n in range(at_once.MANY)]})

    def shown() -> list[str]:
        document = ws.get(*AT)
        assert document is not None
        return [record["id"] for record in document.value["k"]]

    many = [f"k{n}" for n in range(at_once.MANY)]
    ws.agent("late", began=began).write(*AT, {"k": [{"id": "late"}]})
    assert shown() == [*many, "late"]
    ws.agent("later", began=began).write(*AT, {"k": [{"id": "later"}, {"id": "late", "n": 1}]})
    assert shown() == [*many, "late", "later"]
    ws.import_(other.export())
    assert shown() == ["early", *many, "late", "later"]
    ws.agent("last", began=began).write(*AT, {"k": [{"id": "k1", "n": 1}, {"id": "last"}]})
    assert shown() == ["early", *many, "late", "later", "last"]
    with ws.agent("editor").edit(*AT) as board:
        board.k = [record for record in board.k if record.id not in ("k0", "late")]
    assert shown() == ["early", *many[1:], "later", "last"]


def test_a_frame_never_has_what_was_given_at_once() -> None:
    """What travels to other stores is told part by part, and what comes so from outside is refused."""
    ws = Workspace(schemas={AT[0]: Much})
    began = ws.moment()
    ws.agent("first").write(*AT, {"t": [f"e{k}" for k in range(at_once.MANY)]})
    ws.agent("late", began=began).write(*AT, {"t": ["new"]})
    state, schema = ws.storage.load(*AT), ws.registry.find(AT[0])
    record = expanded(state, schema, ws.storage.replica)
    assert isinstance(record.tree["set:t"], Bulk)
    assert load_record(dump_record(record, local=False), {}).tree == record.tree
    with pytest.raises(CodecError):
        load_record(dump_record(record), {})
