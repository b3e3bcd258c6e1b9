"""The examples run as they are, without a network, and show what they say."""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, NoReturn

import httpx
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command
from pydantic import BaseModel

import concordant_langgraph
from concordant import Counter, Escalation, Scalar, Set, Text, Workspace, webhooks
from concordant_langgraph import MergeStore
from tests.patience import PATIENCE, until

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever tries to connect anywhere fails."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("an example opened a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


def run(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Runs an example as a program; returns what it printed."""
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


def without_times(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.count(":") < 2]


def test_every_example_is_tested() -> None:
    """No example is without a test in this file."""
    here = Path(__file__).read_text(encoding="utf-8")
    names = [path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.py")]
    names = [name for name in names if not name.startswith("crewai_")]  # tests/crews/test_examples.py
    assert [name for name in names if f'"{name}"' not in here] == []


def test_a_team_leaves_questions_for_the_desk(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The team of `make desk` merges most of its work and leaves the rest to a person."""
    monkeypatch.setattr(sys, "argv", ["desk.py", "--no-serve"])
    assert "5 questions wait for you." in run("desk.py", capsys)


def test_two_agents_write_in_the_editors_document(tmp_path: Path) -> None:
    """`make live` prints where the editor is, its agents write one text, and it ends by an interrupt in silence."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so it is in a shell's background, and children inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    options = ["--store", f"{tmp_path}/live.db", "--port", "0", "--pace", "0.05", "--no-open", "--by", "maria"]
    command = [sys.executable, str(EXAMPLES / "live.py"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            assert "/editor?doc=briefs:launch&token=" in process.stdout.readline()
            with Workspace(f"sqlite:///{tmp_path}/live.db") as ws:

                def wrote() -> set[str]:
                    return {entry.agent for entry in ws.history(("briefs",), "launch")}

                until(lambda: {"researcher", "writer"} <= wrote())
                names = wrote()
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert names == {"planner", "researcher", "writer"} and process.returncode == 0
    assert "Traceback" not in said and "ERROR" not in said, said


def test_a_receiver_of_webhooks_verifies_what_comes(tmp_path: Path) -> None:
    """It prints an event that `concordant notify` sends, once though it comes twice; what is forged, changed or old is
    refused."""
    secret, url = webhooks.new_secret(), f"sqlite:///{tmp_path}/team.db"
    with Workspace(url) as ws, ws.subscribe("one") as one, ws.subscribe("two"):
        for agent in ("ada", "bob"):
            ws.agent(agent, began=ws.moment()).write(("plans",), "launch", {"status": "done"})
        began = ws.moment()
        for agent in ("ada", "bob"):
            ws.agent(agent, began=began).write(("plans",), "launch", {"status": f"{agent}'s"})
        event = one.receive(timeout=PATIENCE)
        assert event is not None
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    env = {**os.environ, "CONCORDANT_WEBHOOK_SECRET": secret, "CONCORDANT_WEBHOOK": f"http://127.0.0.1:{port}/"}
    receiver = [sys.executable, str(EXAMPLES / "webhook_receiver.py"), port]
    with subprocess.Popen(receiver, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for name in ("one", "two"):
            notify = [sys.executable, "-m", "concordant", "notify", url, "--name", name, "--count", "1"]
            subprocess.run(notify, env=env, check=True, capture_output=True, timeout=PATIENCE)
        process.terminate()
        assert process.stdout is not None
        assert process.stdout.read() == 'escalation.opened: plans:launch "ada\'s" by ada, "bob\'s" by bob\n'
    verified = runpy.run_path(str(EXAMPLES / "webhook_receiver.py"))["verified"]
    hook = webhooks.Webhook("https://h/x", secret)
    headers, body = hook.request(event, time.time())
    old, _ = hook.request(event, time.time() - 400)
    assert verified(headers, body, secret)["id"] == event.id
    for wrong, changed in ((headers, body + b" "), (old, body), ({}, body), ({**headers, "webhook-id": "x"}, body)):
        with pytest.raises(ValueError, match="webhook"):
            verified(wrong, changed, secret)


def test_demo_shows_what_is_lost_and_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """The demo shows the losses of the stock store, the merge, the contenders and the decision."""
    shown = " ".join(run("demo.py", capsys).split())
    for part in (
        "+ store = MergeStore",
        "tags ['launch', 'memory']",
        "status 'needs sources' researcher",
        "tags ['launch', 'crdt', 'memory']",
        "tokens 1400",
        "briefs:launch status is open, reason: scalar",
        "4 resolve maria",
        "writes lost 4 0",
        "briefs:launch tags is open, reason: type",
        "tags is ['launch', 'x', 'y'], and nothing is open",
    ):
        assert part in shown


def test_demo_shows_the_same_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Apart from the times of the contenders, two runs of the demo print the same."""

    assert without_times(run("demo.py", capsys)) == without_times(run("demo.py", capsys))


def test_demo_prints_plain_text_into_a_file(tmp_path: Path) -> None:
    """Piped, the demo exits with 0 and prints lines of at most 100 columns without any escape sequence."""
    environment = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "COLUMNS")}
    with (tmp_path / "out").open("w") as out:
        subprocess.run(
            [sys.executable, EXAMPLES / "demo.py"], stdout=out, check=True, timeout=PATIENCE, env=environment
        )
    shown = (tmp_path / "out").read_text(encoding="utf-8")
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 100


class Forgetful(InMemoryStore):
    """A store with the look of ours that loses what the stock store loses."""

    def __init__(self, *_: Any) -> None:
        super().__init__()

    def escalations(self) -> list[Escalation]:
        """None, ever."""
        return []


def test_demo_fails_if_our_store_loses(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The demo does not claim that nothing was lost where something was."""
    monkeypatch.setattr(concordant_langgraph, "MergeStore", Forgetful)
    with pytest.raises(AssertionError):
        run("demo.py", capsys)
    assert "Lost: nothing" not in capsys.readouterr().out


def test_demo_fails_if_the_stock_store_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo does not go on if the stock store lost nothing."""

    class Brief(BaseModel):
        tags: Annotated[set[str], Set()]
        notes: Annotated[str, Text()]
        tokens: Annotated[int, Counter()]
        status: Annotated[str | None, Scalar(resolve="latest")] = None

    def merging() -> concordant_langgraph.MergeStore:
        return concordant_langgraph.MergeStore({("briefs",): Brief})

    monkeypatch.setattr("langgraph.store.memory.InMemoryStore", merging)
    with pytest.raises(AssertionError):
        run("demo.py", capsys)
    assert "MergeStore({" not in capsys.readouterr().out


def test_swap_keeps_both_nodes_writes(capsys: pytest.CaptureFixture[str]) -> None:
    """The swap keeps both interests, escalates the two cities, and ends with the one decided for."""
    assert run("langgraph_swap.py", capsys).splitlines() == [
        "interests: ['chess', 'jazz']",
        "city: 'Lyon' by from_chat",
        "city: 'Paris' by from_mail",
        "city: Lyon",
    ]


def test_state_merges_what_nodes_return_and_refuses_a_conflict(capsys: pytest.CaptureFixture[str]) -> None:
    """The state has every node's part, the store the same, and the conflict is decided by a person."""
    assert run("langgraph_state.py", capsys).splitlines() == [
        "topics: ['crdt', 'memory']",
        "draft: Memory is for teams of agents. It loses writes.",
        "findings: ['Sets merge.', 'Texts merge.']",
        "tokens: 1400 confidence: 0.6 status: reviewed",
        "stored: ['crdt', 'memory']",
        "conflict: ('status',) ['rejected', 'approved'] before: draft",
        "decided: approved tokens: 30",
    ]


def test_plain_python_settles_by_policy_resolver_and_person(capsys: pytest.CaptureFixture[str]) -> None:
    """Threads' findings merge; the policy, the resolver and the person each settle their part."""
    assert run("plain_python.py", capsys).splitlines() == [
        "open: T-2 ('team',) ['database', 'web']",
        "T-1 ['login', 'token'] ['500 on /login', 'token in the URL'] 5 security",
        "T-2 ['slow'] ['a query without an index', 'p99 is 4 s'] 2 database",
        "T-1 team: security by resolver:most_urgent_team",
        "T-2 team: database by maria",
    ]


def test_team_keeps_what_every_agent_did(capsys: pytest.CaptureFixture[str]) -> None:
    """Sources merge by their url, findings, tokens and both revisions of the report are kept; the verdict is open."""
    assert run("langgraph_team.py", capsys).splitlines() == [
        "a.org supports ['cost']",
        "b.org supports ['cost', 'quality', 'speed']",
        "c.org supports ['quality']",
        "findings: Costs grow with the number of agents. Four agents are twice as fast as one. "
        "Reviews find half of the errors.",
        "report: Teams of agents are slow. They are thorough. | 3 findings.",
        "tokens: 1250 confidence: 0.6",
        "researcher/cost: Costs grow with the number of agents.",
        "researcher/speed: Four agents are twice as fast as one.",
        "researcher/quality: Reviews find half of the errors.",
        "open: verdict [('critic', 'weak'), ('writer', 'done')]",
    ]


def test_review_asks_a_person_and_goes_on_with_the_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """The run tells of two conflicts and pauses; one is decided for a contender, one for another value."""
    lines = run("langgraph_review.py", capsys).splitlines()
    assert sorted(lines[:2]) == ["told: opened price", "told: opened status"]
    questions = "\n".join(lines[2:8])
    assert "Which value is right for status of contracts:c1?\n  buyer: accepted\n  lawyer: rejected" in questions
    assert "Which value is right for price of contracts:c1?\n  buyer: 800\n  lawyer: 900" in questions
    assert lines[8] == "signed: ['delivery', 'liability'] accepted 850"
    assert sorted(lines[9:]) == ["decided: price 850 by maria", "decided: status accepted by maria"]


async def test_server_runs_the_graph_on_the_store_of_its_factory() -> None:
    """As the server does it: what langgraph.json names is loaded, the factory entered, the graph given the store."""
    folder = EXAMPLES / "langgraph_server"
    named = json.loads((folder / "langgraph.json").read_text(encoding="utf-8"))
    assert {named["graphs"]["team"], named["store"]["path"]} == {"./agent.py:graph", "./agent.py:store"}
    agent = runpy.run_path(str(EXAMPLES / "langgraph_server/agent.py"))
    config: Any = {"configurable": {"thread_id": "1"}}
    async with agent["store"]() as store:
        graph = agent["graph"].copy(update={"store": store, "checkpointer": InMemorySaver()})
        told = [event["event"] async for event in graph.astream({"key": "launch"}, config, stream_mode="custom")]
        [pause] = (await graph.aget_state(config)).interrupts
        [question] = pause.value["questions"]
        answers = {question["ref"]: {"value": "ready"}, "by": "maria"}
        state = await graph.ainvoke(Command(resume=answers), config)
        item = await store.aget(("briefs",), "launch")
    assert told == ["opened"]
    assert [(one["by"], one["value"]) for one in state["decisions"]] == [("maria", "ready")]
    assert (sorted(item.value["tags"]), item.value["status"]) == (["crdt", "memory"], "ready")


def test_models_merge_as_declared(capsys: pytest.CaptureFixture[str]) -> None:
    """Each kind gives what its comment says."""
    lines = [" ".join(line.split()) for line in run("models.py", capsys).splitlines()]
    for expected in (
        "tags ['crdt']",
        "seen ['p1', 'p2']",
        "votes {'yes': 2}",
        "draft 'The fox is quick and brown. It jumps high.'",
        "log 'editor was here | writer was here'",
        "tokens 15",
        "cost '0.35'",
        "steps ['plan', 'read', 'write', 'review']",
        "title 'Untitled'",
        "language 'fr'",
        "deadline '2030-01-01'",
        "confidence 0.7",
        "verdict 'reject'",
        "contested title ['On foxes', 'Foxes']",
        "contested approved [False, True]",
        "slogan 'Buy soon\\nBuy today'",
        "sources [{'id': 'a', 'quotes': ['two']}, {'id': 'b'}, {'id': 'c', 'title': 'Clocks'}]",
        "main {'id': 'a', 'title': 'Dots'}",
    ):
        assert expected in lines


def test_vectors_follow_what_is_merged(capsys: pytest.CaptureFixture[str]) -> None:
    """What was there is found as before; what two nodes added is found, and held, merged; what was removed is not."""
    assert run("langgraph_vectors.py", capsys).splitlines() == [
        "river: Lyon 1.00 ['a museum', 'two rivers']",
        "jazz: Nice 1.00 ['its harbour', 'the beach', 'the jazz bars']",
        "harbour: Nice 1.00 ['its harbour', 'the beach', 'the jazz bars']",
        "held: ['its harbour', 'the beach', 'the jazz bars']",
        "jazz: []",
    ]


async def test_a_web_service_judges_by_what_it_had_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two forms of one read both additions are kept, and the title is asked; tests/durable runs it for real."""
    monkeypatch.delenv("CONCORDANT_URL", raising=False)
    service = runpy.run_path(str(EXAMPLES / "web_service.py"), run_name="web_service")
    app = service["app"]
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client,
    ):
        token = (await client.get("/briefs/launch")).json()["token"]
        for name in ("ada", "bob"):
            form = {"token": token, "value": {"title": name, "tags": [name]}}
            saved = (await client.put("/briefs/launch", json=form, headers={"X-User": name})).json()
        [question] = (await client.get("/questions")).json()
    assert saved["value"] == {"tags": ["ada", "bob"]}
    assert [contender["value"] for contender in question["contenders"]] == ["ada", "bob"]


def test_the_inbox_misses_nothing_over_a_crash() -> None:
    """What agents of another process could not merge is decided, though the reviewer was away and crashes once."""
    command = [sys.executable, str(EXAMPLES / "inbox.py")]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE).stdout
    assert shown.splitlines() == [
        "open: [('launch', 'open'), ('budget', 'open')]",
        "eve claims launch and crashes",
        "open: [('launch', 'claimed'), ('budget', 'open')]",
        "eve decides launch: final, as bob wrote",
        "eve decides budget: final, as bob wrote",
        "open: []",
        "values: {'launch': 'final', 'budget': 'final'}",
    ]


def test_a_storage_of_ones_own_is_played(capsys: pytest.CaptureFixture[str]) -> None:
    """The storage in a folder keeps what two processes wrote at once, the question, and the decision."""
    shown = run("folder_storage.py", capsys)
    assert "both are kept: ['from ada', 'from bob']" in shown
    assert "asked: [('bob', 'final'), ('ada', 'draft')]" in shown
    assert "decided: final ['resolve', 'write', 'write']" in shown


def test_the_demo_is_played_on_a_storage_of_ones_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The demo shows the same on the storage in a folder as in memory: nothing of it depends on where it is kept."""
    stores: list[MergeStore] = []

    def on_folder(schemas: Any) -> MergeStore:
        stores.append(MergeStore(workspace=Workspace(f"folder://{tmp_path}/{len(stores)}", schemas=schemas)))
        return stores[-1]

    here = without_times(run("demo.py", capsys))
    monkeypatch.setattr(concordant_langgraph, "MergeStore", on_folder)
    assert without_times(run("demo.py", capsys)) == here and len(stores) == 3
    for store in stores:
        store.workspace.close()
