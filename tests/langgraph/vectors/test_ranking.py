"""Searching merged values by similarity: what is found is what LangGraph's own store would find in them."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from langgraph.store.base import PutOp

from concordant import Workspace
from concordant_langgraph import MergedSearchItem, MergeStore

from .support import NS, WORDS, AsyncEmbedder, Embedder, Note, config, fresh, keys, ranking, scored


@pytest.fixture
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def store(embedder: Embedder) -> MergeStore:
    return MergeStore({NS: Note}, index=config(embedder))


def test_a_query_ranks_by_similarity(store: MergeStore) -> None:
    """The most similar document comes first, with its score, its merged value and what else our items have."""
    store.put(NS, "a", {"text": "apple banana"})
    store.put(NS, "b", {"text": "cherry"})
    store.put(("other",), "c", {"text": "apple"})
    found = store.search(NS, query="apple")
    assert keys(found) == ["a", "b"]
    assert isinstance(found[0], MergedSearchItem)
    assert found[0].score is not None and found[1].score is not None and found[0].score > found[1].score
    assert found[0].value == {"text": "apple banana"} and found[0].version > 0


async def test_the_async_way_finds_the_same() -> None:
    """aput and asearch embed by the async way of the embedding, and find what put and search find."""
    sync, both = MergeStore(index=config()), MergeStore(index=config(AsyncEmbedder()))
    for number, word in enumerate(WORDS):
        sync.put(NS, str(number), {"text": word})
        await both.aput(NS, str(number), {"text": word})
    assert scored(await both.asearch(NS, query="fig honey", limit=20)) == ranking(sync, "fig honey", NS)
    assert (await both.aget(NS, "0")).value == {"text": "apple"}  # type: ignore[union-attr]


def test_concurrent_writes_are_found_merged(store: MergeStore) -> None:
    """What two writers add to one document is found by either's words; neither put's text alone is what is ranked."""
    ada, bob = store.workspace.agent("ada"), store.workspace.agent("bob")
    ada.write(NS, "a", {"tags": ["apple"], "text": "banana"})
    bob.write(NS, "a", {"tags": ["cherry"], "text": "date"})
    store.put(NS, "b", {"text": "elder"})
    for word in ("apple", "banana", "cherry", "date"):
        assert keys(store.search(NS, query=word))[0] == "a"
    assert ranking(store, "apple date") == ranking(fresh(store), "apple date")


def test_every_way_of_writing_reaches_the_vectors(store: MergeStore) -> None:
    """Writes, edits, decisions, dismissals, imports, deletions and purges made beside the store are ranked as they are
    read at the next search."""
    ws, other = store.workspace, Workspace(schemas={NS: Note})
    ada, bob = ws.agent("ada"), ws.agent("bob")

    def best(query: str) -> str:
        assert ranking(store, query) == ranking(fresh(store), query)
        return keys(store.search(NS, query=query, limit=1))[0]

    store.put(NS, "z", {"text": "something else"})
    ada.write(NS, "a", {"title": "apple"})
    assert best("apple") == "a"
    bob.write(NS, "a", {"title": "banana"})
    best("apple")
    ws.resolve(ws.escalations()[0], "cherry", by="maria")
    assert best("cherry") == "a"
    ada.refresh()
    bob.refresh()
    ada.write(NS, "a", {"title": "date"})
    bob.write(NS, "a", {"title": "elder"})
    best("cherry")
    ws.dismiss(ws.escalations()[0], by="maria")
    assert best("cherry") == "a"
    with ada.edit(NS, "a") as note:
        note.text = "fig"
    assert best("fig") == "a"
    other.agent("eve").write(NS, "e", {"text": "grape"})
    ws.import_(other.export())
    assert best("grape") == "e"
    ada.refresh()
    ada.delete(NS, "a")
    assert keys(store.search(NS, query="fig")) == ["e", "z"] or keys(store.search(NS, query="fig")) == ["z", "e"]
    ws.purge(NS, "e")
    assert keys(store.search(NS, query="grape")) == ["z"]


def test_a_contested_field_is_ranked_as_it_is_read(store: MergeStore) -> None:
    """While a field is contested its agreed value is ranked, no contender; after the decision what was decided."""
    store.put(NS, "a", {"title": "apple"})
    store.put(NS, "b", {"title": "banana date"})
    ada, bob = store.workspace.agent("ada"), store.workspace.agent("bob")
    ada.write(NS, "a", {"title": "cherry"})
    bob.write(NS, "a", {"title": "date"})
    [found, _] = store.search(NS, query="apple")
    assert isinstance(found, MergedSearchItem)
    assert found.key == "a" and found.value == {"title": "apple"} and ("title",) in found.contested
    assert keys(store.search(NS, query="date")) == ["b", "a"]
    store.resolve(store.escalations()[0], "date", by="maria")
    assert keys(store.search(NS, query="date")) == ["a", "b"]


def test_what_a_value_no_longer_has_is_no_longer_found() -> None:
    """A field, or an item of a list, that went away takes its vector with it."""
    store = MergeStore(index=config(None, "title", "tags[*]"))
    store.put(NS, "a", {"title": "apple", "tags": ["banana", "cherry", "date"]})
    store.put(NS, "b", {"title": "elder fig"})
    for value, gone in (
        ({"title": "apple", "tags": ["banana"]}, "cherry"),
        ({"tags": ["grape", "honey"]}, "apple"),
        ({"other": 1}, "grape"),
    ):
        store.put(NS, "a", value)
        assert ranking(store, gone) == ranking(fresh(store, "title", "tags[*]"), gone)
        assert all(not item.score or item.score < 0.1 for item in store.search(NS, query=gone))


def test_deletion_and_new_life(store: MergeStore) -> None:
    """A deleted document is not found; put again, it is found by its new text alone."""
    store.put(NS, "a", {"text": "apple"})
    store.delete(NS, "a")
    assert store.search(NS, query="apple") == []
    store.put(NS, "a", {"title": "banana"})
    assert [round(item.score or 0, 1) for item in store.search(NS, query="apple")] == [0.0]
    assert ranking(store, "banana") == ranking(fresh(store), "banana")


# -- index= of a put -------------------------------------------------------------------------------------------------


def test_a_put_says_what_is_indexed(store: MergeStore) -> None:
    """index=False makes no vector, a list of paths those vectors, and nothing said what the store says."""
    store.put(NS, "none", {"text": "apple", "title": "banana"}, index=False)
    store.put(NS, "title", {"text": "apple", "title": "banana"}, index=["title"])
    store.put(NS, "all", {"text": "apple", "title": "banana"})
    found = store.search(NS, query="apple")
    assert keys(found) == ["all", "title", "none"]
    assert found[2].score is None
    assert ranking(store, "apple") == ranking(fresh(store), "apple")
    store.put(NS, "none", {"text": "apple"})
    assert keys(store.search(NS, query="apple"))[0] == "none"
    store.put(NS, "all", {"text": "apple"}, index=False)
    assert ranking(store, "apple") == ranking(fresh(store), "apple")


@pytest.mark.parametrize("index", [False, ["title"], ["tags[*]", "title"]])
def test_what_a_put_said_holds_whoever_writes_later(store: MergeStore, embedder: Embedder, index: Any) -> None:
    """Merges, edits, decisions and imports embed only what the document's last put allowed."""
    ws = store.workspace
    store.put(NS, "a", {"text": "apple", "title": "banana", "tags": ["cherry"]}, index=index)
    ada, bob = ws.agent("ada"), ws.agent("bob")
    ada.write(NS, "a", {"title": "date"})
    bob.write(NS, "a", {"title": "elder", "tags": ["fig"], "text": "secret words"})
    store.search(NS, query="x")
    ws.resolve(ws.escalations()[0], "grape", by="maria")
    with ada.edit(NS, "a") as note:
        note.tags.add("honey")
    other = Workspace(schemas={NS: Note})
    other.agent("eve").write(NS, "a", {"tags": ["imported"], "text": "secret import"})
    ws.import_(other.export())
    for query in ("date", "grape", "honey", "imported"):
        assert ranking(store, query) == ranking(fresh(store), query)
    assert not any("secret" in text for text in embedder.asked)


def test_what_a_put_said_travels_to_a_replica() -> None:
    """A workspace that imports a document indexes it as its last put said."""
    one = MergeStore(index=config())
    one.put(NS, "a", {"text": "secret", "title": "apple"}, index=["title"])
    embedder = Embedder()
    two = MergeStore(index=config(embedder))
    two.workspace.import_(one.workspace.export())
    assert keys(two.search(NS, query="apple")) == ["a"]
    assert embedder.asked == ["apple", "apple"]


@pytest.mark.parametrize("index", [True, "title", 5, [5]])
def test_a_wrong_index_is_refused(store: MergeStore, index: Any) -> None:
    """index= that is neither False nor a list of paths is an error, and nothing is stored."""
    with pytest.raises(ValueError, match="index"):
        store.put(NS, "a", {"text": "x"}, index=index)
    assert store.get(NS, "a") is None


@pytest.mark.parametrize(
    "fields", [("title", "body"), ("tags[*]",), ("title", "tags[*]", "deep.list[*].x"), ("$",), ("*", "title")]
)
def test_one_text_twice_is_indexed(fields: tuple[str, ...]) -> None:
    """Equal texts in one document, or in several of one batch, are found (LangGraph's own store refuses them)."""
    store = MergeStore(index=config(None, *fields))
    value = {
        "title": "apple",
        "body": "apple",
        "tags": ["apple", "fig", "apple"],
        "deep": {"list": [{}, {"x": "fig"}, {"x": "honey"}]},
    }
    ada = store.workspace.agent("ada")
    for key in "abc":
        ada.write(NS, key, value)
    store.put(NS, "z", {"title": "cherry"})
    for word in ("apple", *(["fig"] if {"tags[*]", "*"} & {*fields} else []), *(["honey"] if len(fields) == 3 else [])):
        found = store.search(NS, query=word)
        assert sorted(keys(found)[:3]) == ["a", "b", "c"]
        assert all(item.score and item.score > 0.3 for item in found[:3])


# -- filters, pages, values ------------------------------------------------------------------------------------------


def filled(count: int = 60, **options: Any) -> MergeStore:
    store = MergeStore(index=config(**options))
    for number in range(count):
        text = " ".join(WORDS[: 1 + number % len(WORDS)]) + f" w{number}"
        store.put((*NS, f"u{number % 3}"), f"k{number:02}", {"text": text, "n": number, "even": number % 2 == 0})
    return store


@pytest.mark.parametrize(
    "wanted", [None, {"even": True}, {"n": {"$gte": 55}}, {"n": 33}, {"n": -1}, {"n": {"$gte": 5, "$lt": 50}}]
)
@pytest.mark.parametrize("prefix", [(), NS, (*NS, "u1"), ("nobody",)])
def test_filters_and_pages(wanted: Any, prefix: tuple[str, ...]) -> None:
    """Pages of a filtered ranking, put together, are the whole ranking, each document once, however few match."""
    store = filled()
    query = "cherry w33"
    whole = fresh(store).search(prefix, query=query, filter=wanted, limit=1000)
    pages = [store.search(prefix, query=query, filter=wanted, limit=7, offset=at) for at in range(0, 70, 7)]
    together = [item for page in pages for item in page]
    assert scored(together) == scored(whole)
    assert [item.score for item in together] == sorted([item.score or 0.0 for item in together], reverse=True)
    assert all(len(page) == 7 for page, after in pairwise(pages) if after)


def test_pages_go_on_into_what_has_no_vectors() -> None:
    """Documents without vectors come after the ranked ones, and pages show each once."""
    store = MergeStore(index=config())
    for number in range(9):
        store.put(NS, str(number), {"text": WORDS[number % 8]}, index=None if number < 4 else False)
    shown = [key for at in range(0, 12, 2) for key in keys(store.search(NS, query="apple", limit=2, offset=at))]
    assert sorted(shown) == [str(n) for n in range(9)]
    assert shown[0] == "0" and set(shown[:4]) == {"0", "1", "2", "3"}


def test_one_search_asks_for_the_query_once(embedder: Embedder, store: MergeStore) -> None:
    """Where nothing was written since, a search embeds its query and nothing else, also if there is little to find."""
    for number in range(5):
        store.put(NS, str(number), {"text": WORDS[number]})
    embedder.asked.clear()
    assert len(store.search(NS, query="apple", limit=10)) == 5
    assert embedder.asked == ["apple"]
    assert store.search(NS, query="apple", filter={"title": "none has it"}) == []
    assert len(store.search(NS)) == 5
    assert embedder.asked == ["apple"]


def test_without_an_index_a_query_lists() -> None:
    """A store without an index takes a query and lists, as LangGraph's own does."""
    store = MergeStore()
    store.put(NS, "a", {"text": "apple"})
    assert [item.score for item in store.search(NS, query="apple")] == [None]
    assert store.index_config is None and store.catch_up() == 0 and store.adopt() == 0


def test_a_found_value_is_the_finders_own(store: MergeStore) -> None:
    """Changing a found value changes nothing stored."""
    store.put(NS, "a", {"tags": ["apple"]})
    store.search(NS, query="apple")[0].value["tags"].append("x")
    assert store.search(NS, query="apple")[0].value == {"tags": ["apple"]}


def test_finding_is_reading(store: MergeStore) -> None:
    """Who has found a document by a query has seen it: what it then puts is an edit of that, and replaces it."""
    store.put(NS, "a", {"tags": ["apple", "banana"]})
    with store.acting_as("ada"):
        value = store.search(NS, query="apple")[0].value
        store.put(NS, "a", {"tags": [tag for tag in value["tags"] if tag != "apple"]})
    assert store.get(NS, "a").value == {"tags": ["banana"]}  # type: ignore[union-attr]


def test_a_workspace_with_documents_is_indexed() -> None:
    """A store on a workspace that holds documents already finds them."""
    ws = Workspace(schemas={NS: Note})
    ws.agent("ada").write(NS, "a", {"text": "apple"})
    store = MergeStore(workspace=ws, index=config())
    assert keys(store.search(NS, query="apple")) == ["a"]


# -- any history ---------------------------------------------------------------------------------------------------

FIELDS = [(), ("text",), ("title", "tags[*]"), ("text", "title", "steps[*]", "tags[*]"), ("{text,title}",)]


AGENTS: dict[Workspace, Any] = {}


def history(chance: random.Random, store: MergeStore, other: Workspace) -> None:
    """A random step by a random way."""
    ws = store.workspace
    namespace = chance.choice([NS, NS, ("open",), (*NS, "below")])
    key = chance.choice("abc")
    number = iter(range(10**6))

    def words(most: int = 3) -> list[str]:
        return [f"{chance.choice(WORDS)}" for _ in range(chance.randint(0, most))]

    def value() -> dict[str, Any]:
        # No two fields have one text: LangGraph's own store, which is compared with, would refuse it.
        made: dict[str, Any] = {}
        if chance.random() < 0.7:
            made["text"] = " ".join(["text", *words()])
        if chance.random() < 0.5:
            made["title"] = " ".join(["title", *words()])
        if chance.random() < 0.5:
            made["tags"] = sorted({f"tag {word}" for word in words()})
        if chance.random() < 0.5:
            made["steps"] = [f"step {word} {chance.random()} {next(number)}" for word in words()]
        return made

    agent = chance.choice(AGENTS[ws])
    act = chance.choice(
        ["put", "put", "index", "write", "edit", "delete", "remove", "batch", "settle", "import", "purge"]
    )
    if act == "put":
        store.put(namespace, key, value())
    elif act == "index":
        index = chance.choice([False, ["title"], ["tags[*]", "text"], ["steps[*]"]])
        store.put(namespace, key, value(), index=index)  # type: ignore[arg-type]
    elif act == "write":
        agent.write(namespace, key, value())
        if chance.random() < 0.3:
            agent.refresh()
    elif act == "edit":
        with agent.edit(NS, key) as note:
            note.tags ^= {f"tag {word}" for word in words()}
            note.steps = [*note.steps[1:], f"step {next(number)} {chance.random()}"]
    elif act == "delete":
        agent.delete(namespace, key)
    elif act == "remove":
        store.delete(namespace, key)
    elif act == "batch":
        store.batch([PutOp(namespace, k, value() if chance.random() < 0.8 else None) for k in "abc"])
    elif act == "settle":
        while questions := ws.escalations():
            question = chance.choice(questions)
            if chance.random() < 0.5:
                ws.resolve(question, chance.choice(question.contenders).value, by="maria")
            else:
                ws.dismiss(question, by="maria")
    elif act == "import":
        other.agent("eve").write(NS, key, value())
        ws.import_(other.export())
    elif act == "purge" and chance.random() < 0.3:
        ws.purge(namespace, key)


def check_history(seed: str, fields: tuple[str, ...], steps: int) -> None:
    chance = random.Random(seed)
    store = MergeStore({NS: Note}, index=config(None, *fields))
    other = Workspace(schemas={NS: Note})
    AGENTS[store.workspace] = [store.workspace.agent(name) for name in ("ada", "bob", "carl")]
    try:
        for _ in range(steps):
            history(chance, store, other)
            if chance.random() < 0.3:
                query = " ".join(chance.sample(WORDS, 2))
                prefix = chance.choice([(), NS, ("open",)])
                assert ranking(store, query, prefix) == ranking(fresh(store, *fields), query, prefix)
    finally:
        del AGENTS[store.workspace]


@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_after_any_history_the_ranking_is_that_of_the_merged_values(seed: str, fields: tuple[str, ...]) -> None:
    """Whatever was done by whatever way, a search ranks as LangGraph's own store, freshly filled with what is read."""
    for number in range(3):
        check_history(f"{seed}/{fields}/{number}", fields, 40)


@pytest.mark.torture
@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_after_any_long_history(seed: str, fields: tuple[str, ...]) -> None:
    """The same for long histories, many times."""
    for number in range(40):
        check_history(f"{seed}/{fields}/{number}", fields, 120)
