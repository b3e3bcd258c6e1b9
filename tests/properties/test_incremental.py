"""What is read after a change, by reading what has changed, is what a reading of the whole gives."""

from __future__ import annotations

import operator
import random
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, model_validator

from benchmarks.writers import calls
from concordant import Counter, List, Map, Scalar, Set, Text, Tree, Workspace, priority
from concordant.errors import ConcordantError
from concordant.escalation import escalation_of
from concordant.merge.causality import has_met, order_of
from concordant.merge.kinds import Look, at_once, base as kinds_base, containers
from concordant.merge.kinds.base import Memory, reading
from concordant.merge.kinds.doubt import Doubt
from concordant.merge.kinds.nested import field_at, public_path
from concordant.merge.kinds.weighing import Weighed
from concordant.merge.record import Record, View, by_path, fitting, view
from concordant.merge.registers import PARKED, Path, Tree as Cells, leaf_at, leaves, place_leaf, restored
from concordant.merge.registers.standing import Kept, StandingTree, Whereabouts, keepers
from concordant.merge.sequence.pieces import Sequence
from concordant.schema import Compiled
from concordant.values import ABSENT, canonical, decode, encode
from concordant.workspace import document as document_module, visibility
from concordant.workspace.document import Document
from concordant.workspace.states import current_view, expanded

AT = (("t",), "k")
Patch = pytest.MonkeyPatch


class Row(BaseModel):
    id: Annotated[str, Scalar()]
    n: Annotated[int | None, Scalar()] = None
    tags: Annotated[set[str], Set()] = set()


class Part(BaseModel):
    s: Annotated[str | None, Scalar()] = None
    t: Annotated[set[str], Set()] = set()


class Everything(BaseModel):
    s: Annotated[str | None, Scalar()] = None
    sticky: Annotated[str | None, Scalar(sticky=True)] = None
    top: Annotated[int | None, Scalar(resolve="max")] = None
    late: Annotated[int | None, Scalar(resolve="latest")] = None
    rank: Annotated[str | None, Scalar(resolve=priority("a1", "a*"))] = None
    t: Annotated[set[str], Set()] = set()
    m: Annotated[dict[str, str], Map()] = {}
    mm: Annotated[dict[str, Annotated[dict[str, int], Map()]], Map()] = {}
    c: Annotated[int, Counter()] = 0
    x: Annotated[str, Text()] = ""
    l: Annotated[list[str], List()] = []  # noqa: E741
    p: Part = Part()
    r: Annotated[dict[str, Part], Map()] = {}
    k: Annotated[list[Row], Set(by="id")] = []
    tree: Annotated[dict[str, Any], Tree()] = {}


class Bounded(BaseModel):
    c: Annotated[int, Counter(), Field(ge=0, le=6)] = 0
    t: Annotated[set[str], Set(), Field(max_length=3)] = set()
    l: Annotated[list[str], List(), Field(max_length=3)] = []  # noqa: E741
    m: Annotated[dict[str, Annotated[int, Counter(), Field(ge=-1)]], Map()] = {}
    tree: Annotated[dict[str, Any], Tree(), Field(max_length=2)] = {}
    low: Annotated[int, Scalar()] = 0
    high: Annotated[int, Scalar()] = 3

    @model_validator(mode="after")
    def ordered(self) -> Bounded:
        if self.low > self.high:
            raise ValueError("low above high")
        return self


MODELS: dict[str, Any] = {"every kind": Everything, "constraints": Bounded, "none": None, "trees": "tree"}


def some_tree(rnd: random.Random, depth: int = 0) -> Any:
    """Free JSON, a dict at its top."""
    if rnd.random() < (1.0, 0.5, 0.3, 0.0)[depth]:
        return {rnd.choice("abc"): some_tree(rnd, depth + 1) for _ in range(rnd.randrange(3))}
    return rnd.choice([1, 2, "x", None, [1], [1, 2], [2, 1, 1], []])


def some(rnd: random.Random, model: Any) -> dict[str, Any]:
    """Values for some of the fields."""
    word = lambda: rnd.choice("abcd")  # noqa: E731
    number = lambda: rnd.randrange(-2, 5)  # noqa: E731
    if model is Bounded:
        makers: dict[str, Callable[[], Any]] = {
            "c": number,
            "t": lambda: [word(), word()],
            "l": lambda: [word()],
            "m": lambda: {word(): number()},
            "tree": lambda: some_tree(rnd),
            "low": number,
            "high": number,
        }
    elif model is Everything:
        makers = {
            **dict.fromkeys(("s", "sticky", "rank"), word),
            **dict.fromkeys(("top", "late", "c"), number),
            "t": lambda: [word()],
            "m": lambda: {word(): word() for _ in range(rnd.randrange(3))},
            "mm": lambda: {word(): {word(): number()}},
            "x": word,
            "l": lambda: [word()],
            "p": lambda: rnd.choice([{"s": word()}, {"t": [word()]}]),
            "r": lambda: {word(): rnd.choice([{"s": word()}, {"t": [word()]}])},
            "k": lambda: [{"id": word(), "n": number()}],
            "tree": lambda: some_tree(rnd),
        }
        if rnd.random() < 0.1:
            return {"c": "no number", "mm": {"a": "no dict"}}
    elif model is not None:
        return some_tree(rnd)  # type: ignore[no-any-return]
    else:
        makers = dict.fromkeys("pqrs", lambda: rnd.choice([word(), number(), None]))
    return {name: makers[name]() for name in rnd.sample(sorted(makers), rnd.randrange(1, 3))}


def changed(rnd: random.Random, value: dict[str, Any]) -> dict[str, Any]:
    """A value with something of it removed or changed."""
    value = dict(value)
    for name in rnd.sample(sorted(value), min(len(value), 2)):
        item = value[name]
        if isinstance(item, (list, dict)) and item:
            item = type(item)(item)
            if isinstance(item, dict) and rnd.random() < 0.5:
                item = changed(rnd, item)
            else:
                item.pop(rnd.choice(sorted(item)) if isinstance(item, dict) else rnd.randrange(len(item)))
            value[name] = item
    return value


def options_of(model: Any) -> dict[str, Any]:
    """What a workspace is given for one of ``MODELS``."""
    return {} if model is None else {"undeclared": "tree"} if model == "tree" else {"schemas": {AT[0]: model}}


def puts_what_it_read(rnd: random.Random, ws: Workspace, agent: Any) -> None:
    """Has an agent read the document, change something of it, and put it."""
    document = agent.read(*AT)
    if document is not None:
        with ws.acting_as(agent.scope.agent):
            ws.put(*AT, changed(rnd, document.value), seen=document)


def play(rnd: random.Random, model: Any, steps: int, deletes: bool, url: str | None = None) -> Iterator[Workspace]:
    """A random history on two stores that meet now and then, or in two workspaces of one; gives that of each step."""
    names = ("one", "two") if url is None else (None, None)
    stores = [Workspace(url, replica=name, **options_of(model)) for name in names]
    scopes = {store: [store.agent(f"a{n}") for n in range(4)] for store in stores}
    for _ in range(steps):
        ws = rnd.choice(stores) if rnd.random() < 0.3 else stores[0]
        agent = rnd.choice(scopes[ws])
        act = rnd.random()
        try:
            if act < 0.5:
                agent.write(*AT, some(rnd, model))
            elif act < 0.62:
                puts_what_it_read(rnd, ws, agent)
            elif act < 0.7:
                agent.refresh()
            elif act < 0.76 and deletes:
                agent.delete(*AT)
            elif act < 0.92:
                found = ws.escalations()
                if found:
                    chosen = rnd.choice(found)
                    value = rnd.choice(chosen.contenders).value
                    ws.resolve(chosen, value, by="judge") if rnd.random() < 0.8 else ws.dismiss(chosen, by="judge")
            elif url is None:
                stores[0].exchange(stores[1])
        except ConcordantError:
            pass  # a decision that does not fit
        yield ws


def check(ws: Workspace) -> None:
    """What is known of the document is what a reading of the whole gives, and so are the open escalations."""
    state = ws.storage.load(*AT)
    if state is None:
        return
    schema = ws.registry.find(AT[0])
    record = expanded(state, schema, ws.storage.replica)
    known = current_view(record, schema, ws.storage.replica)
    whole = view(record.copy(), schema.root, on_delete=schema.on_delete, fits=schema.fits if schema.checked else None)
    assert known.body == whole.body
    assert known.value is ABSENT or repr(known.value) == repr(decode(known.body or b"null"))
    assert known.undeclared == whole.undeclared
    assert told(known.contests) == told(whole.contests)
    assert sorted(known.settled) == sorted(whole.settled)
    if record.standing is not None:
        assert dict(leaves(record.standing.tree)) == dict(leaves(restored(record.tree)))
    if record.covering and not schema.checked:
        body, contests = by_a_look_at_all(record, schema)
        assert known.body == body
        assert in_any_order(known.contests) == in_any_order(contests)
    if schema.checked and not record.covering:
        naive_value, naive_contests = by_the_rule(record, schema)
        assert decode(known.body or b"null") == naive_value
        assert {key for key in told(known.contests) if key[1] == "invalid"} == naive_contests
    expected = {e.id: (e.version, e.contenders, e.base) for e in (escalation_of(*AT, one) for one in whole.contests)}
    assert {e.id: (e.version, e.contenders, e.base) for e in ws.escalations()} == expected


def by_a_look_at_all(record: Record, schema: Compiled) -> tuple[bytes | None, list[Any]]:
    """What a record in which something is deleted shows, and what is contested, with nothing remembered."""
    look = Look(schema.on_delete, sort_keys=has_met(record.vector), keeps=keepers(record.tree))
    value = schema.root.kind.read(look, schema.root, (), (), restored(record.tree))
    contests = by_path(one for one in look.contests)
    if record.tree.get(PARKED):  # what waits there is asked about by another part
        contests = (*contests, *(one for one in view(record.copy(), schema.root).contests if one.reason == "type"))
        value = {} if value is ABSENT and not record.tree.get(None) else value
    once = {(one.path, one.reason, one.anchor): one for one in contests}
    return (None if value is ABSENT else encode(value)), list(once.values())


def in_any_order(contests: Any) -> dict[Any, Any]:
    """The same, keys in values in any order."""

    def compared(text: Any) -> Any:
        return canonical(text) if isinstance(text, bytes) else text

    return {
        (path, reason, anchor, tuple((compared(value), *who) for value, *who in options)): compared(base)
        for (path, reason, anchor, options), base in told(contests).items()
    }


def told(contests: Any) -> dict[Any, Any]:
    return {
        (c.path, c.reason, c.anchor, tuple((o.value, o.stamps, o.agents) for o in c.options)): c.base for c in contests
    }


def by_the_rule(record: Record, schema: Compiled) -> tuple[Any, set[Any]]:
    """Entries apply in (time, dot) order, those that would make the document invalid are contenders: word by word."""
    root, tree = schema.root, record.tree
    look = Look(schema.on_delete, sort_keys=len(record.vector) > 1)
    value: Any = root.kind.read(look, root, (), (), tree) if tree else ABSENT
    contested = {contest.path for contest in look.contests}
    if value is ABSENT or schema.fits(value):
        return (None if value is ABSENT else decode(encode(value))), set()
    parts: dict[Any, set[tuple[Any, Path]]] = {}
    for path, leaf in leaves(tree):
        if path[0] != PARKED:
            cell = path[: len(public_path(root, path))]
            for stamp in leaf.stamps() if isinstance(leaf, Sequence) else [entry.stamp for entry in leaf]:
                parts.setdefault(order_of(stamp), set()).add((stamp, cell))
    taken: set[tuple[Any, Path]] = set()
    held: dict[Any, dict[bytes, list[Any]]] = {}

    def read(chosen: set[tuple[Any, Path]]) -> Any:
        return root.kind.read(Look(schema.on_delete), root, (), (), only(tree, root, chosen))

    def fits(chosen: set[tuple[Any, Path]]) -> bool:
        candidate = read(chosen)
        return candidate is ABSENT or schema.fits(candidate)

    for order in sorted(parts):
        if fits(taken | parts[order]):
            taken |= parts[order]
            continue
        for part in sorted(parts[order], key=lambda item: repr(item[1])):
            if fits(taken | {part}):
                taken.add(part)
            elif public_path(root, part[1]) not in contested:
                alone = leaf_at(only(tree, root, {part}), part[1])
                own = None if alone is None else reading(field_at(root, part[1]), alone)
                text = encode(None if own is ABSENT else own)
                held.setdefault(public_path(root, part[1]), {}).setdefault(text, []).append(part[0])
    value = read(taken)
    contests = {
        (
            path,
            "invalid",
            "",
            tuple(
                (text, tuple(stamps), tuple(dict.fromkeys(s.agent for s in stamps))) for text, stamps in groups.items()
            ),
        )
        for path, groups in held.items()
    }
    return ({} if value is ABSENT else decode(encode(value))), contests


def only(tree: Cells, root: Any, chosen: set[tuple[Any, Path]]) -> Cells:
    result: Cells = {}
    for path, leaf in leaves(tree):
        cell = path[: len(public_path(root, path))]
        if isinstance(leaf, Sequence):
            part = leaf.only(lambda stamp, cell=cell: (stamp, cell) in chosen)  # type: ignore[misc]
            if part.is_alive():
                place_leaf(result, path, part)
        else:
            place_leaf(result, path, tuple(entry for entry in leaf if (entry.stamp, cell) in chosen))
    return result


def play_all(seed: str, histories: int, deletes: bool = True) -> None:
    rnd = random.Random(seed)
    for number in range(histories):
        for name, model in MODELS.items():
            read: list[Document | None] = []
            for step, ws in enumerate(play(rnd, model, 25, deletes and number % 2 == 0)):
                try:
                    check(ws)
                except AssertionError as error:
                    raise AssertionError(f"{name}, history {number} of seed {seed!r}, step {step}: {error}") from error
                read.append(ws.get(*AT))
            for step, document in enumerate(read):
                is_as_read = document is None or repr(document.value) == repr(decode(document._body))
                assert is_as_read, f"{name}, history {number} of seed {seed!r}: what was read in step {step} is another"
                if document is not None:
                    document.value.clear()  # which nobody else sees


def keep_all(patch: Patch) -> None:
    """Has what was read kept, however small it is, and the value beside its JSON."""
    patch.setattr(sys.modules["concordant.merge.record.view"], "LARGE", -1)
    patch.setattr(sys.modules["concordant.merge.record.view"], "MANY_TEXTS", 0)
    patch.setattr(sys.modules["concordant.merge.record.view"], "is_shallow", lambda *_: True)


def test_g3_g4_what_is_read_anew_is_what_the_whole_gives(seed: str) -> None:
    """After every step of random histories: value, contests, escalations, and what constraints hold back."""
    play_all(seed, 4)


def test_g3_g4_what_is_large_is_read_by_what_has_changed(seed: str, monkeypatch: Patch) -> None:
    """A document of which much is stored is remembered whether anything in it is contested or not; what somebody has
    read of it stays as it was."""
    keep_all(monkeypatch)
    play_all(seed, 2)


def test_g3_g4_what_is_given_at_once_is_read_by_what_has_changed(seed: str, monkeypatch: Patch) -> None:
    """The same where the parts of what a first write gave are made when somebody looks at them."""
    keep_all(monkeypatch)
    monkeypatch.setattr(at_once, "MANY", 0)
    play_all(seed, 2)


def what_is_seen_is_compared(patch: Patch) -> list[bool]:
    """Has what is told of a field by its newest writes compared with what all of it tells; gives what was told."""
    patch.setattr(sys.modules["concordant.merge.record.view"], "LARGE", -1)
    known, told = visibility._is_all_seen, []

    def both(record: Record, slot: str, seen: Any) -> bool:
        wanted = visibility._is_seen(record.tree[slot], seen)
        assert known(record, slot, seen) == wanted, slot
        told.append(wanted)
        return wanted

    patch.setattr(visibility, "_is_all_seen", both)
    return told


def test_g1_what_the_newest_writes_tell_is_what_all_of_a_field_tells(seed: str, monkeypatch: Patch) -> None:
    """Whether a writer has seen all that stands in a field is told as by looking at all of it."""
    told = what_is_seen_is_compared(monkeypatch)
    play_all(seed, 2)
    assert True in told and False in told


def test_g1_what_another_store_wrote_is_told_by_all_of_it(monkeypatch: Patch) -> None:
    """The numbers of another store's writes tell nothing of what was seen here."""
    what_is_seen_is_compared(monkeypatch)
    play_all("5", 6)


def texts_are_told_by_their_newest_register(patch: Patch) -> None:
    """That a text or list has changed is not noted."""
    patch.setattr(kinds_base, "is_sequence", lambda _: False)


def the_last_one_is_the_newest(patch: Patch) -> None:
    """What stands last after others went is taken for the newest write."""

    def note(memory: Memory, path: Path, stamp: Any) -> None:
        known = memory.latest.get(path[0]) or ()
        memory.latest[path[0]] = ((stamp, path), *known[:1])

    patch.setattr(Memory, "_note_latest", note)


@pytest.mark.parametrize(
    ("breaks", "seed"), [(texts_are_told_by_their_newest_register, "m4"), (the_last_one_is_the_newest, "m10")]
)
def test_what_is_taken_for_seen_is_noticed(breaks: Callable[[Patch], None], seed: str, monkeypatch: Patch) -> None:
    """The comparison fails where something is taken for seen that is not."""
    what_is_seen_is_compared(monkeypatch)
    breaks(monkeypatch)
    with pytest.raises(AssertionError):
        play_all(seed, 60)


def elements_stay_where_they_were(patch: Patch) -> None:
    """An element that somebody adds anew, or that goes, leaves the order as it is."""
    patch.setattr(sys.modules["concordant.merge.kinds.set"], "bisect_left", lambda *_, **__: 0)


def test_elements_at_the_wrong_place_are_noticed(monkeypatch: Patch) -> None:
    """The comparison fails where an element is not put where it belongs."""
    elements_stay_where_they_were(monkeypatch)
    monkeypatch.setattr(sys.modules["concordant.merge.record.view"], "LARGE", -1)
    with pytest.raises((AssertionError, LookupError)):
        play_all("m1", 60)


@pytest.mark.parametrize(
    ("field", "value", "more"),
    [
        ("t", lambda n: [f"e{k}" for k in range(n)], ["new"]),
        ("m", lambda n: {f"k{k}": "v" for k in range(n)}, {"new": "v"}),
        ("k", lambda n: [{"id": f"k{k}", "n": 1} for k in range(n)], [{"id": "new", "n": 1}]),
    ],
)
def test_what_is_added_to_much_is_read_by_itself(field: str, value: Callable[[int], Any], more: Any) -> None:
    """An unseen addition to 4,000 elements, and a read, take not many more calls than to 1,000."""

    def counted(count: int) -> int:
        ws = Workspace(schemas={AT[0]: Everything})
        ws.agent("first").write(*AT, {field: value(count)})
        began = ws.moment()
        for name in ("second", "third"):
            ws.agent(name, began=began).write(*AT, {field: value(2)})
            ws.get(*AT)
        late = ws.agent("late", began=began)
        return calls(lambda: (late.write(*AT, {field: more}), ws.get(*AT)))

    few, many = counted(1_000), counted(4_000)
    assert many <= 1.2 * few, f"{many} calls for 4,000, {few} for 1,000"


def test_who_writes_to_another_field_costs_what_it_changes() -> None:
    """Where 4,000 elements are in a set that is seen, one more beside somebody's write to another field takes not many
    more calls than where 1,000 are."""

    def counted(count: int) -> int:
        ws = Workspace(schemas={AT[0]: Everything})
        ws.agent("first").write(*AT, {"t": [f"e{k}" for k in range(count)]})
        ws.agent("second").write(*AT, {"t": ["second"]})
        ws.get(*AT)
        late = ws.agent("late")
        late.read(*AT)
        ws.agent("other").write(*AT, {"m": {"k": "v"}})
        return calls(lambda: (late.write(*AT, {"t": ["new"]}), ws.get(*AT)))

    few, many = counted(1_000), counted(4_000)
    assert many <= 1.2 * few, f"{many} calls for 4,000, {few} for 1,000"


def crowd(rnd: random.Random, model: Any, steps: int) -> Iterator[Workspace]:
    """Many who delete, beside many who write, most of whom have not seen each other; gives the store after each."""
    ws = Workspace(replica="one", **options_of(model))
    ws.agent("first").write(*AT, some(rnd, model))
    began = ws.moment()
    agents = [ws.agent(f"a{n}", began=began) for n in range(30)]
    for _ in range(steps):
        agent, act = rnd.choice(agents), rnd.random()
        try:
            if act < 0.4:
                agent.delete(*AT)
            elif act < 0.8:
                agent.write(*AT, some(rnd, model))
            elif act < 0.88:
                puts_what_it_read(rnd, ws, agent)
            elif act < 0.94:
                agent.refresh()
            elif act < 0.98:
                for found in ws.escalations()[:1]:
                    ws.resolve(found, rnd.choice(found.contenders).value, by="judge")
            else:
                ws.reopen(next(iter(ws.escalations(state="all"))), by="judge")
        except (ConcordantError, StopIteration):
            pass  # a decision that does not fit, or nothing to decide
        yield ws


def play_crowds(seed: str, histories: int) -> None:
    rnd = random.Random(seed)
    for number in range(histories):
        for name, model in MODELS.items():
            for step, ws in enumerate(crowd(rnd, model, 60)):
                try:
                    check(ws)
                except AssertionError as error:
                    raise AssertionError(f"{name}, crowd {number} of seed {seed!r}, step {step}: {error}") from error


def test_g3_g4_many_deletions_beside_many_updates_are_read_anew(seed: str) -> None:
    """What stands beside what deletions keep, and what is contested about them, is what a look at all of it finds."""
    play_crowds(seed, 1)


def an_update_takes_what_two_deletions_keep() -> None:
    """Two delete the same, one of them once more after somebody who has seen nothing of it wrote at the same place."""
    for model, one, two, three in ((None, 1, 2, 3), (Everything, "a", "b", "c")):
        ws = Workspace(replica="one", **options_of(model))
        began = [ws.moment()]
        ws.agent("first").write(*AT, {"s": one, "late": 1})
        began.append(ws.moment())
        agents = {name: ws.agent(name, began=began[name != "late"]) for name in ("late", "he", "she", "other")}
        agents["late"].write(*AT, {"top": 1})  # by which the document stays
        for name, values in (("he", None), ("she", None), ("late", {"s": two}), ("she", None), ("other", {"s": three})):
            agents[name].delete(*AT) if values is None else agents[name].write(*AT, values)
            check(ws)


def test_g3_g4_what_changed_beside_a_node_is_shown_where_all_is_read_anew() -> None:
    """A key that went and came again has its dict read whole, and the nodes that have not changed are not read again:
    unless the dict or list beside one has. Contenders show keys in the order of the document."""
    for seed in (431, 441, 541, 560):
        for ws in play(random.Random(f"trees {seed}"), MODELS["trees"], 40, True):
            check(ws)


def test_g3_g4_what_an_update_took_from_all_deletions_that_kept_it_is_gone() -> None:
    """Also where one of them had been written down again as it was, and another shares with it what they keep."""
    an_update_takes_what_two_deletions_keep()


def test_a_deletion_taken_for_its_equal_is_noticed(monkeypatch: Patch) -> None:
    """The comparison fails where an entry that is equal to another one is taken for the same."""
    monkeypatch.setattr(sys.modules["concordant.merge.registers.standing"], "is_", operator.eq)
    with pytest.raises(AssertionError):
        an_update_takes_what_two_deletions_keep()


def play_stored(seed: str, histories: int, url: Callable[[], str | None] = lambda: None) -> None:
    """Histories in databases, where a writer goes on with what was made of the record that readers have at hand: what
    one of them has read is checked again after the next write."""
    rnd = random.Random(seed)
    for number in range(histories):
        for name, model in MODELS.items():
            read: dict[int, tuple[Record, Any]] = {}
            for step, ws in enumerate(play(rnd, model, 25, number % 2 == 0, url())):
                try:
                    check(ws)
                    for state, shown in read.values():
                        assert as_read(ws, state) == shown
                except AssertionError as error:
                    raise AssertionError(f"{name}, history {number} of seed {seed!r}, step {step}: {error}") from error
                state = ws.storage.load(*AT)
                if isinstance(state, Record):
                    read[id(ws)] = state, as_read(ws, state)


def as_read(ws: Workspace, state: Record) -> Any:
    """What a reader finds in a record, and what it holds."""
    shown = current_view(state, ws.registry.find(AT[0]), ws.storage.replica)
    return shown.body, repr(shown.value), told(shown.contests), sorted(shown.settled), dict(leaves(state.tree))


KEPT = ["sqlite", "sqlite, in parts", "sqlite, one file", "sqlite, one file, in parts"]


def play_kept(seed: str, histories: int, kept: str, keep_on: Callable[[str], None], fresh_url: Any) -> None:
    """Histories in one of ``KEPT``: with two stores, or in two workspaces of one."""
    keep_on(kept)
    play_stored(seed, histories, (lambda: fresh_url("sqlite")) if "one file" in kept else (lambda: None))


@pytest.mark.parametrize("kept", ["sqlite", "sqlite, one file, in parts"])
def test_g3_g4_what_a_database_keeps_is_read_by_what_has_changed(
    seed: str, monkeypatch: Patch, keep_on: Any, fresh_url: Any, kept: str
) -> None:
    """The same in databases, also where others commit to the same document; what a reader holds stays as it is."""
    keep_all(monkeypatch)
    play_kept(seed, 2, kept, keep_on, fresh_url)


def a_readers_view_goes_on(patch: Patch) -> None:
    """What a reader has at hand goes on changing with what a writer makes of it."""
    patch.setattr(View, "alone", lambda self: self)


def a_reader_keeps_what_it_read(patch: Patch) -> None:
    """What others may read is read with what the next writer goes on with."""
    patch.setattr(Record, "shared", property(lambda _: False, lambda *_: None))


def constraints_look_at_the_tree_before(patch: Patch) -> None:
    """What constraints hold back is told by the tree that was copied, not by the copy."""
    patch.setattr(fitting.Fitting, "move_to", lambda *_: None)


def deletions_look_at_the_tree_before(patch: Patch) -> None:
    """What stands beside deletions is made of the tree that was copied, not of the copy."""
    patch.setattr(StandingTree, "move_to", lambda *_: None)


def what_others_committed_was_told(patch: Patch) -> None:
    """What others made contested between is taken for told here."""
    patch.setattr(Record, "untell", lambda _: None)


@pytest.mark.parametrize(
    "breaks",
    [
        a_readers_view_goes_on,
        a_reader_keeps_what_it_read,
        constraints_look_at_the_tree_before,
        deletions_look_at_the_tree_before,
        what_others_committed_was_told,
    ],
)
def test_an_heir_that_goes_wrong_is_noticed(
    breaks: Callable[[Patch], None], monkeypatch: Patch, keep_on: Any, fresh_url: Any
) -> None:
    """The comparison fails where a writer goes on with something else than what the record shows."""
    breaks(monkeypatch)
    monkeypatch.setattr(sys.modules["concordant.merge.record.view"], "LARGE", -1)
    with pytest.raises(AssertionError):
        play_kept("m13", 20, "sqlite, one file, in parts", keep_on, fresh_url)


@pytest.mark.torture
def test_g3_g4_thousands_of_histories_read_anew(seed: str) -> None:
    """The same for thousands of histories."""
    play_all(seed, 1_500)
    play_crowds(seed, 150)


@pytest.mark.torture
def test_g3_g4_thousands_of_histories_of_what_is_large(seed: str, monkeypatch: Patch) -> None:
    """The same where all that was read is kept."""
    keep_all(monkeypatch)
    play_all(seed, 400)


@pytest.mark.torture
@pytest.mark.parametrize("kept", KEPT)
def test_g3_g4_thousands_of_histories_in_databases(
    seed: str, monkeypatch: Patch, keep_on: Any, fresh_url: Any, kept: str
) -> None:
    """The same for thousands of histories in databases."""
    keep_all(monkeypatch)
    play_kept(seed, 400, kept, keep_on, fresh_url)


def changes_are_not_noted(patch: Patch) -> None:
    """What is known of the root alone is read anew."""
    note = Memory.note
    patch.setattr(Memory, "note", lambda self, change: note(self, change._replace(path=change.path[:1])))


def registers_only_grow(patch: Patch) -> None:
    """An entry that a register lost is still weighed."""
    grown = Weighed.grown

    def other(self: Weighed, register: Any) -> bool:
        if len(register) == len(self._register):
            self._register = register
            self._add(register[-1])
            return True
        return grown(self, register)

    patch.setattr(Weighed, "grown", other)


def order_is_that_of_coming(patch: Patch) -> None:
    """A new key stands at the end, wherever it belongs."""
    patch.setattr(containers._Parts, "put_in_order", lambda *_: None)


def held_back_for_ever(patch: Patch) -> None:
    """Whatever changes, what was taken and held back stays so."""
    patch.setattr(fitting.Fitting, "goes_on", lambda self, changes: True)


def deletions_keep_what_they_kept(patch: Patch) -> None:
    """What another write takes from what deletions keep still stands beside what is live."""
    follow = Kept.follow
    patch.setattr(Kept, "follow", lambda self, register: {} if self.union and register else follow(self, register))


def updates_are_those_of_the_beginning(patch: Patch) -> None:
    """What is written beside a deletion after it was asked about is no contender."""
    follow = Doubt.follow

    def other(self: Doubt, cell: Any) -> None:
        if not self._is_new:
            self.changes.clear()
        follow(self, cell)

    patch.setattr(Doubt, "follow", other)


def what_was_there_is_what_it_was(patch: Patch) -> None:
    """What was there before the deletions is told once."""
    patch.setattr(Doubt, "_take_places", lambda self, cell, places, removed: True)


@pytest.mark.parametrize(
    "mutant",
    [changes_are_not_noted, registers_only_grow, order_is_that_of_coming, held_back_for_ever],
)
def test_a_reading_that_misses_something_is_noticed(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    """The comparison fails where a change is not read."""
    mutant(monkeypatch)
    with pytest.raises((AssertionError, LookupError, TypeError, AttributeError, ValueError)):
        play_all("mutant", 60)


def what_was_shown_goes_on(patch: Patch) -> None:
    """What somebody was shown of a container changes with it."""
    patch.setattr(containers._Parts, "own", lambda self: self)


def readers_share_a_value(patch: Patch) -> None:
    """What one reader changes in its value another one sees."""
    patch.setattr(document_module, "copied", lambda value, text: value)


@pytest.mark.parametrize("mutant", [what_was_shown_goes_on, readers_share_a_value])
def test_a_value_that_changes_in_its_readers_hands_is_noticed(
    mutant: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    """The comparison fails where what was read does not stay as it was."""
    keep_all(monkeypatch)
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        play_all("mutant", 20)


@pytest.mark.parametrize(
    "mutant", [deletions_keep_what_they_kept, updates_are_those_of_the_beginning, what_was_there_is_what_it_was]
)
def test_a_deletion_that_misses_something_is_noticed(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    """The same where many delete beside many who write."""
    mutant(monkeypatch)
    with pytest.raises((AssertionError, LookupError, TypeError, AttributeError, ValueError)):
        play_crowds("mutant", 20)


def some_are_nowhere(patch: Patch) -> None:
    """A deletion finds what its agent has seen of others, not what it wrote itself."""
    patch.setattr(Whereabouts, "_count", _count_without_origin)


def _count_without_origin(self: Whereabouts, entry: Any, path: Path, more: int) -> None:
    count(self, entry._replace(stamp=entry.stamp._replace(origin="")), path, more)


count = Whereabouts._count


def test_a_deletion_takes_what_its_agent_has_seen_of_many(seed: str) -> None:
    """Where many have written, one who deletes finds just what a look at all would have found."""
    rnd = random.Random(seed)
    seen_places = StandingTree.seen_places
    takes_from_all(rnd, seen_places)


def takes_from_all(rnd: random.Random, seen_places: Any) -> None:
    """Plays crowds twice, once with a look at all, and compares what stands."""
    for model in (Everything, None):
        state = rnd.getstate()
        found = []
        for places in (seen_places, lambda self, seen: None):
            rnd.setstate(state)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(StandingTree, "seen_places", places)
                found.append([[value_of(ws) for ws in crowd(rnd, model, 80)] for _ in range(4)])
        assert found[0] == found[1]


def value_of(ws: Workspace) -> Any:
    document = ws.get(*AT)
    return None if document is None else (document.value, sorted(e.reason for e in ws.escalations()))


def test_a_deletion_that_misses_its_own_is_noticed(monkeypatch: Patch) -> None:
    """The comparison fails where an index of what was written has no origins."""
    some_are_nowhere(monkeypatch)
    with pytest.raises(AssertionError):
        takes_from_all(random.Random("mutant"), StandingTree.seen_places)
