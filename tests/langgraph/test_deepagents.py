"""``MergeBackend``: the files of deepagents' agents, judged by what each agent was shown of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deepagents import create_deep_agent
from deepagents.backends import CompositeBackend, StateBackend, StoreBackend
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel

from concordant import ConcordantError, Workspace
from concordant_langgraph import MergeStore
from concordant_langgraph.deepagents import File, MergeBackend
from tests.langgraph.test_memory_tools import Call, Scripted, said
from tests.patience import PATIENCE

NS = ("files",)
PATH = "/report.md"
TEXT = "# Report\nThe first point.\nThe second point.\nThe third point."


class Agent(Scripted):
    """A model by script; what stands between its turns happens before the next turn is decided."""

    between: dict[int, Callable[[], Any]] = {}

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        done = sum(message.type == "ai" for message in messages)
        if done in self.between:
            self.between[done]()
        return super()._generate(messages)


def model(*turns: list[Call] | Callable[[], Any]) -> Agent:
    calls: list[list[Call]] = []
    between: dict[int, Callable[[], Any]] = {}
    for turn in turns:
        if callable(turn):
            between[len(calls)] = turn
        else:
            calls.append(turn)
    return Agent(turns=calls, between=between)


def read(path: str = PATH, **options: Any) -> list[Call]:
    return [("read_file", {"file_path": path, **options})]


def write(content: str, path: str = PATH) -> list[Call]:
    return [("write_file", {"file_path": path, "content": content})]


def edit(old: str, new: str, path: str = PATH) -> list[Call]:
    return [("edit_file", {"file_path": path, "old_string": old, "new_string": new})]


class Team:
    """A store with a file, and deep agents that work on it."""

    def __init__(self, text: str | None = TEXT, store: MergeStore | None = None) -> None:
        self.store = store if store is not None else MergeStore()
        self.backend = MergeBackend(namespace=lambda _: NS)
        if text is not None:
            self.other(text)

    def other(self, text: str, path: str = PATH) -> None:
        """Somebody else writes a whole file, having seen what is there."""
        backend = MergeBackend(namespace=lambda _: NS, store=self.store)

        def work() -> None:
            with self.store.acting_as("eve"):
                backend.read(path)
                backend.write(path, text)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    def run(self, lead: Agent, is_async: bool = False, **helpers: Agent) -> list[str]:
        """Runs a deep agent with sub-agents; returns what its tools answered."""
        subagents: Any = [
            {"name": name, "description": name, "system_prompt": "", "model": helper}
            for name, helper in helpers.items()
        ]
        agent = create_deep_agent(lead, backend=self.backend, subagents=subagents, store=self.store, name="lead")
        given: Any = {"messages": [("user", "go")]}
        return said(asyncio.run(agent.ainvoke(given)) if is_async else agent.invoke(given))

    def delegate(self, is_async: bool = False, **helpers: Agent) -> list[str]:
        """The lead has its sub-agents work at once."""
        return self.run(model([tasked(name) for name in helpers]), is_async, **helpers)

    def text(self, path: str = PATH) -> str:
        item = self.store.get(NS, path)
        assert item is not None
        content: str = item.value["content"]
        return content


def tasked(name: str) -> Call:
    return "task", {"description": "work", "subagent_type": name}


BACKENDS: list[tuple[Any, Any]] = [(StoreBackend, InMemoryStore), (MergeBackend, MergeStore)]


def shown_by(backend: Any, path: str, offset: int, limit: int) -> Any:
    """What a backend shows of a file, without its times."""
    found = backend.read(path, offset, limit)
    return found.error, found.file_data and found.file_data["content"], found.total_lines, found.no_lines_requested


def lost_on(backend: Any, store: Any) -> bool:
    """Whether two sub-agents that read, think and write whole files lose an edit without a question."""
    backend.upload_files([(PATH, TEXT.encode())])
    both = threading.Barrier(2)
    order = threading.Event()

    def first() -> None:
        both.wait(PATIENCE)

    def second() -> None:
        both.wait(PATIENCE)
        assert order.wait(PATIENCE)

    one = model(read(), first, write(TEXT.replace("first", "FIRST")), order.set)
    two = model(read(), second, write(TEXT.replace("third", "THIRD")))
    subagents: Any = [
        {"name": name, "description": name, "system_prompt": "", "model": helper}
        for name, helper in (("one", one), ("two", two))
    ]
    agent = create_deep_agent(model([tasked("one"), tasked("two")]), backend=backend, subagents=subagents, store=store)
    agent.invoke({"messages": [("user", "go")]})
    item = store.get(NS, PATH)
    return "FIRST" not in item.value["content"] and not getattr(item, "contested", None)


def test_two_subagents_that_read_think_and_write_lose_an_edit_on_a_stock_store() -> None:
    """The loss is real: the second whole file replaces the first."""
    store = InMemoryStore()
    assert lost_on(StoreBackend(namespace=lambda _: NS, store=store), store)


def test_two_subagents_that_read_think_and_write_lose_nothing() -> None:
    """Each write is a change of what its sub-agent was shown."""
    store = MergeStore()
    assert not lost_on(MergeBackend(namespace=lambda _: NS, store=store), store)
    item = store.get(NS, PATH)
    assert item is not None and item.value["content"] == TEXT.replace("first", "FIRST").replace("third", "THIRD")
    assert store.escalations() == []


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("url", [None, "sqlite:///{}/team.db"], ids=["memory", "sqlite"])
def test_subagents_at_once_keep_each_others_edits(is_async: bool, url: str | None, tmp_path: Path) -> None:
    """Sub-agents that the lead starts in one message work at once on one file, by whole writes and by replacements."""
    with Workspace(url and url.format(tmp_path)) as workspace:
        team = Team(store=MergeStore(workspace=workspace))
        all_three = threading.Barrier(3)

        def once_all_have_read() -> None:
            all_three.wait(PATIENCE)

        team.delegate(
            is_async,
            one=model(read(), once_all_have_read, write(TEXT.replace("first", "FIRST"))),
            two=model(read(), once_all_have_read, write(TEXT + "\nThe fourth point.")),
            three=model(read(), once_all_have_read, edit("third point", "THIRD point")),
        )
        expected = TEXT.replace("first", "FIRST").replace("third", "THIRD") + "\nThe fourth point."
        assert team.text() == expected and team.store.escalations() == []


def contested() -> Team:
    """A team of which two have changed one line differently at once."""
    team = Team()
    both = threading.Barrier(2)
    team.delegate(
        one=model(read(), lambda: both.wait(PATIENCE), write(TEXT.replace("The first point.", "The first claim."))),
        two=model(read(), lambda: both.wait(PATIENCE), write(TEXT.replace("The first point.", "A fact."))),
    )
    return team


def test_different_changes_of_one_place_are_a_question() -> None:
    """What cannot be merged escalates with both sides."""
    team = contested()
    [question] = team.store.escalations()
    assert question.path == ("content",) and len(question.contenders) == 2
    assert "The second point.\nThe third point." in team.text()


def test_whoever_reads_a_contested_line_is_shown_all_sides_of_it() -> None:
    """So an agent that goes on from one of them takes out no other that it was not shown."""
    team = contested()
    answers = team.run(model(read(), edit("The first claim.", "The first claim, checked.")))
    assert "The first claim." in answers[0] and "A fact." in answers[0]
    title, line, *others = team.text().splitlines()
    assert line in ("The first claim, checked. A fact.", "A fact. The first claim, checked.")  # by who was the first
    assert [title, *others] == ["# Report", "The second point.", "The third point."]


def test_an_agent_alone_gets_what_it_writes() -> None:
    """One agent at a time has the stock backend: a file is what was written last, whatever was there."""
    team = Team()
    answers = team.run(
        model(
            write("# Draft"),
            write("# Draft\nMore."),
            read(),
            edit("More.", "Much more."),
            write("# New", "/new.md"),
            [("ls", {"path": "/"})],
            [("grep", {"pattern": "Much"})],
            [("glob", {"pattern": "*.md"})],
            [("delete", {"file_path": "/new.md"})],
            read("/new.md"),
        )
    )
    assert team.text() == "# Draft\nMuch more." and team.store.escalations(state="all") == []
    assert "/new.md" in answers[5] and PATH in answers[6] and "/new.md" in answers[7]
    assert "not found" in answers[9] and team.store.get(NS, "/new.md") is None


def test_a_stale_write_keeps_what_came_since() -> None:
    """What others wrote after the agent was shown a file stays, at whatever step it writes."""
    team = Team()
    later = TEXT.replace("second", "SECOND")
    team.run(model(read(), lambda: team.other(later), write(TEXT + "\nThe fourth point.")))
    assert team.text() == later + "\nThe fourth point."


def test_a_write_of_what_was_never_shown_keeps_what_came_since_the_run_began() -> None:
    """An agent that writes without having read replaces what was there when its run began, and no more."""
    team = Team("Old.")
    team.run(model([("ls", {"path": "/"})], lambda: team.other("Old.\nBy eve."), write("New.")))
    assert sorted(team.text().splitlines()) == ["By eve.", "New."]


def test_the_lead_has_not_seen_what_its_subagents_wrote() -> None:
    """A whole write by the lead, from what it was shown before it delegated, keeps the sub-agent's edit."""
    team = Team()
    lead = model(read(), [tasked("one")], write(TEXT.replace("third", "THIRD")))
    team.run(lead, one=model(read(), edit("first", "FIRST")))
    assert team.text() == TEXT.replace("first", "FIRST").replace("third", "THIRD")


def test_words_that_came_since_may_be_replaced_all_the_same() -> None:
    """Who gives words that somebody else has written meanwhile knows them."""
    team = Team()
    later = TEXT + "\nThe fourth point."
    answers = team.run(model(read(), lambda: team.other(later), edit("The fourth point.", "The last point.")))
    assert "not found" not in answers[1] and team.text() == TEXT + "\nThe last point."


def test_words_that_are_not_there_are_told() -> None:
    """A replacement that does not fit changes nothing."""
    team = Team()
    answers = team.run(model(read(), edit("nowhere", "x"), edit("point", "x"), edit("a", "b", "/none.md")))
    assert "not found" in answers[1] and "times" in answers[2] and "not found" in answers[3]
    assert team.text() == TEXT


def test_a_look_at_a_part_shows_no_more() -> None:
    """Lines read anew are no sight of the rest; all of them together are one of the whole."""
    later = TEXT.replace("third", "THIRD")
    team = Team()
    team.run(model(read(), lambda: team.other(later), read(limit=2), write(TEXT + "\nMore.")))
    assert team.text() == later + "\nMore."
    team = Team()
    parts = [read(limit=2), read(offset=2, limit=2)]
    team.run(model(read(), lambda: team.other(later), *parts, write(TEXT + "\nMore.")))
    assert team.text() == TEXT + "\nMore." and team.store.escalations() == []


def test_lists_and_searches_show_no_file() -> None:
    """Who has seen names, or a line, has not seen what else came."""
    later = TEXT.replace("third", "THIRD")
    looks: list[Call] = [
        ("ls", {"path": "/"}),
        ("glob", {"pattern": "*.md"}),
        ("grep", {"pattern": "first"}),
    ]
    for look in looks:
        team = Team()
        team.run(model(read(), lambda team=team: team.other(later), [look], write(TEXT + "\nMore.")))
        assert team.text() == later + "\nMore."


def test_a_file_that_changed_since_it_was_shown_is_not_just_deleted() -> None:
    """A deletion of what an agent was shown is in conflict with what somebody else has made of it since."""
    team = Team()
    team.run(
        model(read(), lambda: team.other(TEXT + "\nBy eve."), [("delete", {"file_path": PATH})]),
    )
    [question] = team.store.escalations()
    assert question.reason == "delete" and "By eve." in team.text()


def test_files_that_are_no_text_are_kept_whole() -> None:
    """Bytes go in and out as they are; two at once are a question, not a mixture."""
    store = MergeStore()
    backend = MergeBackend(namespace=lambda _: NS, store=store)
    data = bytes(range(256))
    assert backend.upload_files([("/a.bin", data), ("/b.txt", b"text")])[0].error is None
    found = backend.download_files(["/a.bin", "/b.txt", "/none"])
    assert [f.content for f in found] == [data, b"text", None] and found[2].error == "file_not_found"
    assert backend.read("/a.bin").file_data["encoding"] == "base64"  # type: ignore[index]
    assert "binary" in str(backend.edit("/a.bin", "a", "b").error)
    began = store.workspace.moment()
    for name, last in (("ada", b"1"), ("bob", b"2")):
        agent = store.workspace.agent(name, began=began)
        agent.write(NS, "/a.bin", {"binary": last.hex()})
    assert [e.path for e in store.escalations()] == [("binary",)]
    assert asyncio.run(backend.aupload_files([("/a.txt", b"x")]))[0].path == "/a.txt"
    assert asyncio.run(backend.adownload_files(["/a.txt"]))[0].content == b"x"


@pytest.mark.parametrize("path", ["/chart.PNG", "/report.pdf", "/clip.mkv"])
def test_a_text_named_as_a_picture_is_shown_as_by_the_stock_backend(path: str) -> None:
    """Whatever lines are asked for, a file that deepagents takes for no text by its name is shown whole."""
    stock, ours = (kind(namespace=lambda _: NS, store=store()) for kind, store in BACKENDS)
    for backend in (stock, ours):
        backend.write(path, TEXT)
    for lines in ((0, 2000), (1, 2), (9, 1), (0, 0)):
        assert shown_by(ours, path, *lines) == shown_by(stock, path, *lines)


@pytest.mark.parametrize("path", ["/\ud800.md", "/" + "k" * 20_000])
def test_a_path_that_can_be_none_is_answered(path: str) -> None:
    """A model may make up any path: there is no such file, and none can be written; the agent's run goes on."""
    team = Team(None)
    answers = team.run(model(read(path), edit("a", "b", path), write("x", path), [("delete", {"file_path": path})]))
    assert len(answers) == 4 and all("rror" in answer for answer in answers)
    [downloaded] = MergeBackend(namespace=lambda _: NS, store=team.store).download_files([path])
    assert downloaded.error == "file_not_found"


def test_files_of_the_stock_backend_are_taken_over() -> None:
    """What ``StoreBackend`` has put into a store is read and changed."""
    store = MergeStore({NS: File})
    StoreBackend(namespace=lambda _: NS, store=store).write(PATH, TEXT)
    backend = MergeBackend(namespace=lambda _: NS, store=store)
    assert backend.read(PATH).file_data["content"] == TEXT  # type: ignore[index]
    assert backend.edit(PATH, "first", "FIRST").occurrences == 1
    stock = StoreBackend(namespace=lambda _: NS, store=store).read(PATH)
    assert stock.file_data is not None and stock.file_data["content"] == TEXT.replace("first", "FIRST")


def test_an_agent_is_told_of_a_question_where_the_store_raises() -> None:
    """With ``on_conflict="raise"`` the answer to a write says that it is stored, and contested."""
    team = Team(store=MergeStore({NS: File}, on_conflict="raise"))
    later = TEXT.replace("The first point.", "A fact.")
    answers = team.run(model(read(), lambda: team.other(later), write(TEXT.replace("The first point.", "A claim."))))
    assert "stored, and contested" in answers[1] and len(team.store.escalations()) == 1


def test_another_store_and_another_model_are_refused() -> None:
    """What the backend cannot work on it says, with how to mend it."""
    stock: Any = InMemoryStore()
    with pytest.raises(ConcordantError, match="MergeStore"):
        MergeBackend(namespace=lambda _: NS, store=stock).read(PATH)

    class Note(BaseModel):
        pass

    with pytest.raises(ConcordantError, match="content"):
        MergeBackend(namespace=lambda _: NS, store=MergeStore({NS: Note})).read(PATH)


def test_it_is_a_route_of_a_composite_backend() -> None:
    """Shared files under one directory, the agent's own elsewhere."""
    team = Team(None)
    team.backend = CompositeBackend(default=StateBackend(), routes={"/shared/": team.backend})  # type: ignore[assignment]
    answers = team.run(model(write("mine", "/own.md"), write("ours", "/shared/a.md"), read("/shared/a.md")))
    assert "ours" in answers[2] and team.text("/a.md") == "ours" and team.store.get(NS, "/own.md") is None


@pytest.mark.parametrize("declared", [True, False])
def test_the_stock_backend_on_a_merge_store_loses_nothing_in_silence(declared: bool) -> None:
    """A read that a library makes inside its write is no sight: the text is judged by what the agent was shown."""
    store = MergeStore({NS: File} if declared else None)
    backend = StoreBackend(namespace=lambda _: NS, store=store)
    assert not lost_on(backend, store)
    item = store.get(NS, PATH)
    assert item is not None
    if declared:
        assert item.value["content"] == TEXT.replace("first", "FIRST").replace("third", "THIRD")
    assert [e.path for e in store.escalations()] == ([] if declared else [("content",)])


def test_a_replacement_is_one_of_the_text_that_was_shown() -> None:
    """Two changes of one sentence are a question, also where the words to replace still stand in the other's."""
    team = Team("Deploy to production after tests.")
    other = "Deploy to production without tests."
    team.run(model(read(), lambda: team.other(other), edit("production", "staging")))
    assert "staging without" not in team.text()
    [question] = team.store.escalations()
    assert {c.value for c in question.contenders} == {other, "Deploy to staging after tests."}


def test_words_that_were_shown_twice_are_not_taken_for_the_one_that_is_left() -> None:
    """A replacement that does not say which of two places it means is told so, though another removed one meanwhile."""
    team = Team("TODO one.\nTODO two.")
    answers = team.run(model(read(), lambda: team.other("Done.\nTODO two."), edit("TODO", "Checked")))
    assert "2 times" in answers[1] and team.text() == "Done.\nTODO two."
