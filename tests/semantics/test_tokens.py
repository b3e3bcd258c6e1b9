"""Reads that travel as text: who writes on the strength of one is judged by what was read then."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import (
    Counter,
    HistoryExpiredError,
    InvalidTokenError,
    List,
    Map,
    Moment,
    Scalar,
    Schema,
    Set,
    Text,
    Workspace,
)

from .support import AT, NS, Tasks, only, shown, sides, values, workspace


class Page(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    body: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []
    views: Annotated[int, Counter()] = 0
    status: Annotated[str | None, Scalar()] = None


FIRST = {"tags": ["a", "b"], "owners": {"x": "ada"}, "body": "One.\nTwo.", "steps": ["p", "q"], "views": 10}


def begun(**options: Any) -> tuple[Workspace, str]:
    """A workspace with a document, and the token of that."""
    ws = workspace(Page, **options)
    ws.agent("planner").write(*AT, {**FIRST, "status": "draft"})
    return ws, token_of(ws)


def token_of(ws: Workspace) -> str:
    document = ws.get(*AT)
    assert document is not None
    return document.token


def elsewhere(ws: Workspace, storage: str) -> Workspace:
    """Another workspace on the same store; in memory there is only one."""
    return ws if storage == "memory" else Workspace(url_of(ws), schemas={NS: Page})


def url_of(ws: Workspace) -> str:
    """The url of a workspace's database."""
    storage: Any = ws.storage
    database = getattr(storage, "database", None)
    if database is None:
        return str(storage.place)
    return database._url if hasattr(database, "_url") else f"sqlite:///{database.path}"


# -- what a token is -------------------------------------------------------------------------------------------------


def test_a_token_is_short_and_fits_into_a_url() -> None:
    """However long names and values are, a token has 36 letters that need no quoting; a moment's too, and eight more
    for each clock of a store that has several."""
    ws = workspace(Page)
    namespace, key = ("t",), "k" * 1_000
    ws.agent("ada").write(namespace, key, {"body": "word " * 10_000})
    document = ws.get(namespace, key)
    assert document is not None
    for token in (document.token, ws.moment().token):
        assert len(token) == 36 or (token != document.token and len(token) <= 36 + 8 * ws.storage.clocks > 44)
        assert token.replace("-", "a").replace("_", "a").isalnum()


def test_the_store_keeps_nothing_for_a_token() -> None:
    """Making and reading tokens commits nothing."""
    ws, _ = begun()
    before = ws.version_vector(), len(ws.history(*AT))
    for _ in range(3):
        ws.agent("ada", seen=token_of(ws)).read(*AT)
    assert (ws.version_vector(), len(ws.history(*AT))) == before


def test_equal_reads_have_equal_tokens() -> None:
    """A document that did not change has the token it had; one that was written has another."""
    ws, token = begun()
    first = ws.history(*AT)[0].version
    assert token_of(ws) == token
    ws.agent("ada").write(*AT, {"tags": ["c"]})
    assert token_of(ws) != token
    past = ws.get(*AT, at=first)
    assert past is not None and past.token == token


# -- who has read just that ------------------------------------------------------------------------------------------


def test_two_who_write_by_one_token_are_concurrent() -> None:
    """Who decides by what was read then has not seen what came since."""
    ws, token = begun()
    ws.agent("ada", seen=token).write(*AT, {"status": "A"})
    ws.agent("bob", seen=token).write(*AT, {"status": "B"})
    assert sides(only(ws)) == {"ada": "A", "bob": "B"}


def test_who_writes_by_a_new_token_follows() -> None:
    """A token of what stands now lets its bearer replace it: G2, no false alarm."""
    ws, token = begun()
    ws.agent("ada", seen=token).write(*AT, {"status": "A"})
    ws.agent("bob", seen=token_of(ws)).write(*AT, {"status": "B"})
    assert ws.escalations() == []
    assert shown(ws) == {**FIRST, "status": "B"}


def test_a_token_is_valid_in_another_workspace_and_after_a_restart(storage: str) -> None:
    """What was read by way of one workspace is known to the next that opens the store, the first being closed."""
    ws, token = begun()
    ws.agent("ada").write(*AT, {"status": "A"})
    other = elsewhere(ws, storage)
    if storage != "memory":
        ws.close()
    with other.agent("bob", seen=token).edit(*AT) as page:
        assert page.status == "draft"
        page.status = "B"
        page.tags.discard("a")
    assert sides(only(other)) == {"ada": "A", "bob": "B"}
    assert other.get(*AT).value["tags"] == ["b"]  # type: ignore[union-attr]
    other.close()


def test_an_edit_starts_from_what_the_token_showed() -> None:
    """What others wrote since is not in the draft, so that leaving it out removes nothing of it; every kind merges."""
    ws, token = begun()
    with ws.agent("ada").edit(*AT) as page:
        page.tags.add("c")
        page.owners["y"] = "ada"
        page.body = "Zero.\nOne.\nTwo."
        page.steps.insert(0, "o")
        page.views += 5
    with ws.agent("bob", seen=token).edit(*AT) as page:
        assert page == Page(**FIRST, status="draft")
        page.tags = {"b", "d"}
        page.owners = {"z": "bob"}
        page.body = "One.\nTwo.\nThree."
        page.steps = ["q", "r"]
        page.views = 12
    assert ws.escalations() == []
    assert shown(ws) == {
        "tags": ["b", "c", "d"],
        "owners": {"y": "ada", "z": "bob"},
        "body": "Zero.\nOne.\nTwo.\nThree.",
        "steps": ["o", "q", "r"],
        "views": 17,
        "status": "draft",
    }


def test_the_next_edit_starts_from_what_the_first_left() -> None:
    """A handle with a token makes no read of its own: all its edits are of what it was shown, and made of it."""
    ws, token = begun()
    ws.agent("ada").write(*AT, {"tags": ["c"]})
    bob = ws.agent("bob", seen=token)
    with bob.edit(*AT) as page:
        page.tags.add("d")
    with bob.edit(*AT) as page:
        assert page.tags == {"a", "b", "d"}
        page.tags = {"d"}
    assert shown(ws)["tags"] == ["c", "d"]  # type: ignore[index]


def test_a_read_moves_the_handle_forward() -> None:
    """What the handle reads itself it has seen: its token is of the past then."""
    ws, token = begun()
    ws.agent("ada").write(*AT, {"status": "A", "tags": ["c"]})
    bob = ws.agent("bob", seen=token)
    bob.read(*AT)
    with bob.edit(*AT) as page:
        assert page.status == "A"
        page.status = "B"
        page.tags.discard("c")
    assert ws.escalations() == []
    assert shown(ws) == {**FIRST, "status": "B"}


def test_refresh_ends_what_the_token_says() -> None:
    """``refresh`` begins a scope that has seen all there is, as of any handle."""
    ws, token = begun()
    ws.agent("ada").write(*AT, {"status": "A"})
    bob = ws.agent("bob", seen=token)
    bob.refresh()
    bob.write(*AT, {"status": "B"})
    assert ws.escalations() == []


def test_a_write_contributes_with_that_sight() -> None:
    """``write`` removes nothing, and replaces only what the token showed."""
    ws, token = begun()
    ws.agent("ada").write(*AT, {"status": "A"})
    receipt = ws.agent("bob", seen=token).write(*AT, {"status": "B", "tags": ["c"], "views": 1})
    assert [e.path for e in receipt.escalations] == [("status",)]
    assert shown(ws) == {**FIRST, "tags": ["a", "b", "c"], "views": 11, "status": "draft"}


def test_a_deletion_is_of_what_was_shown() -> None:
    """Who deletes by a token what was updated since asks a question; what was not updated goes."""
    ws, token = begun()
    ws.agent("ada").write(*AT, {"status": "A"})
    ws.agent("bob", seen=token).delete(*AT)
    assert only(ws).reason == "delete"
    ws, token = begun()
    ws.agent("bob", seen=token).delete(*AT)
    assert shown(ws) is None


def test_an_update_by_token_of_what_was_deleted_since_is_a_question() -> None:
    """The update was made from the document as it stood: it does not begin a new one."""
    ws, token = begun()
    ws.agent("ada").delete(*AT)
    with ws.agent("bob", seen=token).edit(*AT) as page:
        page.status = "B"
    assert only(ws).reason == "delete"
    assert shown(ws) == {**FIRST, "status": "B"}


def test_what_a_token_did_not_show_is_left_alone() -> None:
    """A contested field was not shown: writing back what was shown of it touches no contender."""
    ws, _ = begun()
    first, second = ws.agent("ada"), ws.agent("bob")
    first.write(*AT, {"status": "A"})
    second.write(*AT, {"status": "B"})
    token = token_of(ws)
    with ws.agent("eve", seen=token).edit(*AT) as page:
        page.tags = {"z"}
    assert sides(only(ws)) == {"ada": "A", "bob": "B"}
    assert shown(ws)["tags"] == ["z"]  # type: ignore[index]


def test_without_a_model_too() -> None:
    """In a namespace without a model an edit by token replaces what it showed, and nothing else."""
    ws = workspace()
    ws.agent("planner").write(*AT, {"a": 1, "b": 2})
    token = token_of(ws)
    ws.agent("ada").write(*AT, {"c": 3})
    with ws.agent("bob", seen=token).edit(*AT) as draft:
        assert draft == {"a": 1, "b": 2}
        draft["a"] = 5
        del draft["b"]
    assert shown(ws) == {"a": 5, "c": 3}


# -- acting_as -------------------------------------------------------------------------------------------------------


def test_acting_as_with_a_token_puts_what_was_made_of_it() -> None:
    """``put`` is an edit of what the token showed: it removes that, and what it did not show stays."""
    ws, token = begun()
    ws.agent("ada").write(*AT, {"tags": ["c"], "status": "A"})
    with ws.acting_as("bob", seen=token):
        ws.put(*AT, {"tags": ["b"], "status": "B"})
        ws.put(*AT, {"views": 11})
    assert sides(only(ws)) == {"ada": "A", "bob": "B"}
    assert shown(ws) == {**FIRST, "tags": ["b", "c"], "views": 11, "status": "draft"}


def test_acting_as_with_a_beginning() -> None:
    """``began=`` lets the calls inside be those of one who began then."""
    ws, _ = begun()
    moment = ws.moment()
    ws.agent("ada").write(*AT, {"status": "A"})
    with ws.acting_as("bob", began=moment):
        ws.put(*AT, {"status": "B"})
    assert sides(only(ws)) == {"ada": "A", "bob": "B"}


def test_in_a_task_the_token_says_what_was_seen() -> None:
    """A task that began later, and has read, acts by a token for somebody who read earlier."""
    ws, token = begun()
    tasks = Tasks(ws)
    with tasks.run("ada"):
        ws.read_current(*AT)
        ws.put(*AT, {"status": "A", "tags": ["a", "b", "c"]})
    with tasks.run("relay", step=2):
        ws.read_current(*AT)
        with ws.acting_as("bob", seen=token):
            ws.put(*AT, {"status": "B", "tags": ["b"]})
        ws.put(*AT, {"views": 11})
    assert sides(only(ws)) == {"ada": "A", "bob": "B"}
    assert shown(ws) == {**FIRST, "tags": ["b", "c"], "views": 11, "status": "draft"}
    assert [entry.agent for entry in ws.history(*AT)] == ["relay", "bob", "ada", "planner"]


@pytest.mark.parametrize("how", ["acting_as", "agent"])
def test_a_task_that_is_executed_again_has_its_effect_by_token_once(how: str) -> None:
    """G5: the puts and edits by a token take the place of those of the task's earlier execution."""
    ws, token = begun()
    tasks = Tasks(ws)
    ws.agent("eve").write(*AT, {"views": 100})
    for execution in (1, 2, 3):
        with tasks.run("relay", execution=execution):
            if how == "acting_as":
                with ws.acting_as("bob", seen=token):
                    ws.put(*AT, {"views": 11, "body": f"One.\nTwo.\nTry {execution // 2}."})
            else:
                with ws.agent("bob", seen=token).edit(*AT) as page:
                    page.views, page.body = 11, f"One.\nTwo.\nTry {execution // 2}."
    assert shown(ws) == {**FIRST, "views": 111, "body": "One.\nTwo.\nTry 1.", "status": "draft"}


def test_tasks_begun_inside_are_scopes_of_their_own() -> None:
    """What a person had seen is not what the tasks have seen that run inside: two of them still disagree."""
    ws, token = begun()
    tasks = Tasks(ws)
    with ws.acting_as("maria", seen=token):
        for name in ("ada", "bob"):
            with tasks.run(name):
                ws.put(*AT, {"status": name})
        ws.put(*AT, {"status": "maria"})
    assert len(values(only(ws))) == 3


# -- moments ---------------------------------------------------------------------------------------------------------


def test_a_moment_travels_as_text() -> None:
    """Who has a moment's token has seen all that was there then, of every document, and nothing since."""
    ws, _ = begun()
    token = ws.moment().token
    ws.agent("ada").write(*AT, {"status": "A", "tags": ["c"]})
    bob = ws.agent("bob", seen=token)
    bob.write(*AT, {"status": "B"})
    bob.write(NS, "new", {"status": "B"})
    assert sides(only(ws)) == {"ada": "A", "bob": "B"}


def test_an_edit_by_a_moments_token_starts_from_what_stood_then() -> None:
    """Of a document that came later, from nothing."""
    ws, _ = begun()
    token = ws.moment().token
    ws.agent("ada").write(*AT, {"tags": ["c"]})
    ws.agent("ada").write(NS, "later", {"tags": ["c"]})
    bob = ws.agent("bob", seen=token)
    with bob.edit(*AT) as page, bob.edit(NS, "later") as later:
        assert (page.tags, later.tags) == ({"a", "b"}, set())
        page.tags, later.tags = {"b"}, {"d"}
    assert shown(ws)["tags"] == ["b", "c"]  # type: ignore[index]
    assert ws.get(NS, "later").value == {"tags": ["c", "d"]}  # type: ignore[union-attr]


def test_two_who_create_by_one_moment_are_concurrent() -> None:
    """For a form of something that is not there yet: of two who fill it in neither replaces the other."""
    ws = workspace(Page)
    token = ws.moment().token
    ws.agent("ada", seen=token).write(*AT, {"status": "A"})
    with ws.agent("bob", seen=token).edit(*AT) as page:
        page.status = "B"
    assert sides(only(ws)) == {"ada": "A", "bob": "B"}


def test_a_documents_token_says_more_of_it_than_a_later_moment() -> None:
    """What the document showed is what was seen of it, whatever else was seen later."""
    ws, token = begun()
    ws.agent("ada").write(*AT, {"status": "A"})
    moment = ws.moment()
    ways: list[Callable[[], Any]] = [
        lambda: ws.agent("bob", seen=[token, moment.token]),
        lambda: ws.agent("bob", seen=token, began=moment),
    ]
    for way in ways:
        agent = way()
        agent.write(*AT, {"status": "B"})
        agent.write(NS, "other", {"status": "B"})
    assert sides(only(ws)) == {"ada": "A", "bob": "B"}


def test_of_several_tokens_of_one_document_the_newest_counts() -> None:
    """Who has read twice has read what came last."""
    ws, token = begun()
    ws.agent("ada").write(*AT, {"status": "A"})
    ws.agent("bob", seen=[token_of(ws), token]).write(*AT, {"status": "B"})
    assert ws.escalations() == []


# -- what is refused -------------------------------------------------------------------------------------------------


def damaged(token: str) -> list[Any]:
    """What is no token."""
    changed = token[:10] + ("A" if token[10] != "A" else "B") + token[11:]
    return [
        *("nonsense", "", " ", token[:-1], token[:-4], token + "A", token + "====", f" {token}", f"{token}\n", changed),
        *(token.swapcase(), "é" * 36, "A" * 36, "A" * 100_000, "\ud800", token.encode(), 5, None, 1.5, object()),
    ]


def test_nonsense_is_no_token() -> None:
    """Whatever is no token of ours, damaged ones included, is refused with our error when it is given."""
    ws, token = begun()
    for wrong in [*damaged(token), [*damaged(token)], [], [None], {}, [token, "nonsense"], *damaged(ws.moment().token)]:
        if wrong is None:
            continue  # nothing given
        with pytest.raises(InvalidTokenError) as caught:
            ws.agent("eve", seen=wrong)
        with pytest.raises(InvalidTokenError), ws.acting_as("eve", seen=wrong):
            pass
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("wrong", ["token", 5, b"x", ("a", 1, 2.0)])
def test_a_beginning_is_a_moment(wrong: Any) -> None:
    """``began=`` takes a moment; its text goes to ``seen=``, as the error says."""
    ws, token = begun()
    for call in (lambda: ws.agent("eve", began=wrong), lambda: ws.agent("eve", began=wrong, seen=token)):
        with pytest.raises(InvalidTokenError, match="seen="):
            call()


def test_a_token_of_another_store_is_refused() -> None:
    """Also where the other has a document of the same name and content."""
    (ws, _), (_, token) = begun(), begun()
    with pytest.raises(InvalidTokenError, match="another store"):
        ws.agent("eve", seen=token)
    moment = Moment("other", 1, 1.0)
    with pytest.raises(InvalidTokenError, match="another store"):
        ws.agent("eve", seen=moment.token)
    with pytest.raises(InvalidTokenError, match="another store"):
        ws.agent("eve", seen=token_of(ws), began=moment)


def test_a_token_of_another_document_is_refused() -> None:
    """Each way of writing refuses it, says which document was meant and how to go on; nothing is written."""
    ws, token = begun()
    ws.agent("ada").write(NS, "other", {"status": "draft"})
    eve = ws.agent("eve", seen=token)

    def edit() -> None:
        with eve.edit(NS, "other"):
            pass

    def put() -> None:
        with ws.acting_as("eve", seen=token):
            ws.put(NS, "other", {"status": "E"})

    def put_all() -> None:
        with ws.acting_as("eve", seen=token):
            ws.put_all([(*AT, {"status": "E"}), (NS, "other", {"status": "E"})])

    ways: list[Callable[[], Any]] = [edit, put, put_all, lambda: eve.write(NS, "other", {"status": "E"})]
    ways += [lambda: eve.delete(NS, "other"), lambda: eve.write(NS, "new", {"status": "E"})]
    for way in ways:
        with pytest.raises(InvalidTokenError, match=r"t:(other|new).*seen=\[") as caught:
            way()
        assert caught.value.token == token
    assert [document.value["status"] for document in ws.list()] == ["draft", "draft"]
    eve.read(NS, "other")
    eve.write(NS, "other", {"status": "E"})
    assert ws.escalations() == []


def test_a_store_that_was_restored_refuses_what_it_does_not_have() -> None:
    """A token of a later state than there is, or of another history with the same numbers, is recognised."""
    ws, _ = begun(replica="one")
    ws.agent("ada").write(*AT, {"status": "A"})
    moment, token = ws.moment().token, token_of(ws)
    restored, _ = begun(replica="one")
    for wrong in (token, moment):
        with pytest.raises(InvalidTokenError):
            restored.agent("eve", seen=wrong).write(*AT, {"status": "E"})
    restored.agent("bob").write(*AT, {"status": "B"})
    with pytest.raises(InvalidTokenError):
        restored.agent("eve", seen=token).write(*AT, {"status": "E"})
    assert shown(restored) == {**FIRST, "status": "B"}


def test_a_token_from_before_a_rename_is_refused() -> None:
    """A store that was given another name has left its earlier reads behind."""
    ws, token = begun()
    ws.rename("anew")
    with pytest.raises(InvalidTokenError, match="another store"):
        ws.agent("eve", seen=token)
    ws.agent("eve", seen=token_of(ws)).write(*AT, {"status": "E"})


def test_a_token_from_before_another_model_is_refused() -> None:
    """Where the model shows something else now, nobody is held to what the earlier one showed."""
    ws, token = begun()

    class Loud(BaseModel):
        status: Annotated[str | None, Scalar()] = None

    moved = Workspace(schemas={NS: Schema(Loud)})
    moved.import_(ws.export())
    with pytest.raises(InvalidTokenError):
        moved.agent("eve", seen=token).write(*AT, {"status": "E"})


def every_way(ws: Workspace, token: str) -> list[Callable[[], Any]]:
    """The ways of writing by a token."""

    def edit() -> None:
        with ws.agent("eve", seen=token).edit(*AT) as page:
            page.status = "E"

    def put() -> None:
        with ws.acting_as("eve", seen=token):
            ws.put(*AT, {"status": "E"})

    return [
        edit,
        put,
        lambda: ws.agent("eve", seen=token).write(*AT, {"status": "E"}),
        lambda: ws.agent("eve", seen=token).delete(*AT),
    ]


def forget(ws: Workspace) -> None:
    """Lets the journal end before now."""
    for number in range(12):
        ws.agent("filler").write(NS, f"filler {number}", {"status": "x"})
    if ws.storage.live is False:
        ws.vacuum(journal=timedelta(0))


def test_where_the_history_has_expired_the_token_has() -> None:
    """What the document was then is not known any more: our error, nothing written; one of an unchanged one holds."""
    ws, token = begun(journal=10)
    first = ws.history(*AT)[0].version
    ws.agent("ada").write(*AT, {"status": "A"})
    newer = token_of(ws)
    forget(ws)
    for way in every_way(ws, token):
        with pytest.raises(HistoryExpiredError) as caught:
            way()
        assert (caught.value.namespace, caught.value.key, caught.value.version) == (*AT, first)
    assert shown(ws) == {**FIRST, "status": "A"}
    with ws.agent("bob", seen=newer).edit(*AT) as page:
        page.status = "B"
    assert ws.escalations() == [] and shown(ws) == {**FIRST, "status": "B"}


def test_where_words_that_it_showed_are_forgotten_the_token_has_expired() -> None:
    """A vacuum forgets removed words: who still read them is refused, not guessed at; who read later is not."""
    ws, token = begun()
    with ws.agent("ada").edit(*AT) as page:
        page.body, page.steps = "One.\nOther.", ["q"]
    newer = token_of(ws)
    ws.agent("ada").write(*AT, {"tags": ["c"]})
    assert ws.vacuum(removed=timedelta(0)).compacted == 1
    for way in every_way(ws, token):
        with pytest.raises(HistoryExpiredError):
            way()
    with ws.agent("bob", seen=newer).edit(*AT) as page:
        page.body = "One.\nBetter."
    assert ws.escalations() == []
    assert shown(ws)["body"] == "One.\nBetter."  # type: ignore[index]


def test_what_replaced_forgotten_words_stands_like_any_other() -> None:
    """A line put before one that had replaced words forgotten since leaves it to who removed it: it stays away."""
    ws, _ = begun()
    with ws.agent("ada").edit(*AT) as page:
        page.body = "Four is grey."
    token = token_of(ws)
    assert ws.vacuum(removed=timedelta(0)).compacted == 1
    with ws.agent("ada").edit(*AT) as page:
        page.body = ""
    with ws.agent("bob", seen=token).edit(*AT) as page:
        page.body = "One is red.\nFour is grey."
    assert ws.escalations() == []
    assert shown(ws)["body"] == "One is red.\n"  # type: ignore[index]


def test_a_document_that_was_forgotten_or_purged_has_no_tokens() -> None:
    """What was deleted and forgotten, or erased for good, does not come back by a token."""
    ws, token = begun()
    ws.agent("ada").delete(*AT)
    ws.vacuum(deleted=timedelta(0))
    for way in every_way(ws, token):
        with pytest.raises(HistoryExpiredError):
            way()
    ws, token = begun()
    ws.purge(*AT)
    for way in every_way(ws, token):
        with pytest.raises(HistoryExpiredError):
            way()
    assert shown(ws) is None


# -- threads, coroutines ---------------------------------------------------------------------------------------------


def test_many_threads_by_one_token_lose_nothing() -> None:
    """Twenty bearers of one token at once: every element is there, and the one scalar has twenty contenders."""
    ws, token = begun()
    names = [f"w{number}" for number in range(20)]

    def work(name: str) -> None:
        with ws.agent(name, seen=token).edit(*AT) as page:
            page.tags.add(name)
            page.views += 1
            page.status = name

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    value = shown(ws)
    assert value is not None
    assert set(value["tags"]) == {"a", "b", *names} and value["views"] == 30
    assert sorted(values(only(ws))) == sorted(names)


async def test_coroutines_write_by_tokens() -> None:
    """The twins for coroutines write, edit and delete with that sight too."""
    ws, token = begun()
    await ws.agent("ada").awrite(*AT, {"status": "A"})
    bob = ws.agent("bob", seen=token)
    async with bob.aedit(*AT) as page:
        assert page.status == "draft"
        page.status = "B"
    await ws.agent("eve", seen=token).awrite(*AT, {"status": "E"})
    assert sides(only(ws)) == {"ada": "A", "bob": "B", "eve": "E"}


def test_a_documents_token_is_taken_without_asking_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine may make the handle itself: nothing is waited for until it writes."""
    ws, token = begun()

    def asked(*_: Any) -> Any:
        raise AssertionError("the store was asked")

    with monkeypatch.context() as patch:
        for name in ("now", "load", "peek", "rows"):
            patch.setattr(ws.storage, name, asked)
        agent = ws.agent("ada", seen=[token, token])
    agent.write(*AT, {"status": "A"})


def test_a_moment_and_its_token_survive_pickling() -> None:
    """A pickled moment gives the same token."""
    ws, _ = begun()
    moment = ws.moment()
    assert pickle.loads(pickle.dumps(moment)).token == moment.token
