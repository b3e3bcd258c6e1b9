"""The command line lists, shows and decides questions, and reads and writes documents."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner, Result

from concordant import Map, Scalar, Schema, Set, Text, Workspace
from concordant.cli.app import app
from tests.patience import PATIENCE


class Brief(BaseModel):
    status: Annotated[Literal["new", "draft", "final"] | None, Scalar()] = None
    notes: Annotated[str, Text()] = ""
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    rank: Annotated[int, Scalar(resolve="max")] = 0


SCHEMAS = {("briefs", "*"): Brief}
STRICT = {("briefs", "*"): Schema(Brief, writers=("planner",), deciders=("human:*",))}
NS = ("briefs", "2026")
PLACE = "briefs/2026:launch"
BASE = {"status": "new", "notes": "We ship. The fox jumps over the dog. Fine.", "tags": ["a"]}


def run(*arguments: str, code: int = 0, text: str | None = None) -> Result:
    done = CliRunner().invoke(app, [*arguments], env={"CONCORDANT_USER": "maria", "COLUMNS": "100"}, input=text)
    assert done.exit_code == code, (done.output, done.stderr, done.exception)
    return done


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with a disagreement about a status and a sentence, in a folder whose pyproject names the schemas."""
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text('[tool.concordant]\nschemas = "tests.cli.test_deciding:SCHEMAS"\n')
    with Workspace("sqlite:///team.db", schemas=SCHEMAS) as ws:
        ws.agent("planner").write(NS, "launch", BASE)
        with ws.agent("ada").edit(NS, "launch") as ada, ws.agent("bob").edit(NS, "launch") as bob:
            ada.status, ada.notes = "draft", BASE["notes"].replace("The fox", "The red fox")
            bob.status, bob.notes = "final", BASE["notes"].replace("the dog", "the lazy dog")
    return "team.db"


def asked(store: str, reason: str = "scalar") -> Any:
    """The one question for this reason, as JSON has it."""
    [question] = json.loads(run("inbox", store, "--reason", reason, "--json").stdout)
    return question


def pinned(question: Any) -> str:
    return f"{question['id'][:8]}@{question['version'][:6]}"


def value(store: str) -> Any:
    return json.loads(run("get", store, PLACE).stdout)


def test_inbox_lists_and_says_when_there_is_nothing(store: str) -> None:
    """Each question has a handle, a place, an age and its sides; an empty inbox says so; filters narrow it."""
    shown = run("inbox", store).stdout
    question = asked(store)
    assert question["id"][:7] + "@" + question["version"][:6] in shown
    assert f"{PLACE}  status  (scalar)" in shown and re.search(r"\d+ s\n", shown)
    assert "'draft' by ada" in shown and "'final' by bob" in shown
    assert "status" not in run("inbox", store, "--reason", "text").stdout
    for narrow in (["--namespace", "other"], ["--agent", "eve"], ["--state", "resolved"]):
        assert run("inbox", store, *narrow).stdout == "Nothing waits for a decision.\n"
    assert run("inbox", store, "--namespace", "other", "--json").stdout == "[]\n"


def test_inbox_wraps_what_is_wide(tmp_path: Path) -> None:
    """A long value is wrapped to the width of the terminal."""
    with Workspace(f"sqlite:///{tmp_path}/wide.db") as ws:
        ada, bob = ws.agent("ada"), ws.agent("bob")
        ada.write(("plans",), "launch", {"status": "word " * 100})
        bob.write(("plans",), "launch", {"status": "other"})
    lines = run("inbox", f"{tmp_path}/wide.db").stdout.splitlines()
    assert len(lines) > 5 and max(map(len, lines)) <= 100


def test_show_tells_base_sides_and_what_each_changed(store: str) -> None:
    """Base, numbered sides with names and times, differences by words, and the suggestion."""
    question = asked(store, "text")
    shown = run("show", store, question["id"][:8]).stdout
    assert "base  'The fox jumps over the dog.'" in shown
    assert "The {+red +}fox" in shown and "the {+lazy +}dog" in shown
    assert "suggested" in shown and "The red fox jumps over the lazy dog." in shown
    assert "concordant resolve team.db" in shown
    assert json.loads(run("show", store, question["id"], "--json").stdout)["contenders"] == question["contenders"]


@pytest.mark.parametrize("how", [["--take", "bob"], ["--take", "NUMBER"], ["--value", '"final"'], ["--text", "final"]])
def test_resolve_takes_a_side_or_a_value(store: str, how: list[str]) -> None:
    """A side by its number or by an agent's name, or another value, as JSON or as a text."""
    question = asked(store)
    number = [side["agent"] for side in question["contenders"]].index("bob") + 1
    said = run("resolve", store, pinned(question), *(part.replace("NUMBER", str(number)) for part in how)).stdout
    assert said == f"{PLACE} status is now final\n"
    assert value(store)["status"] == "final"
    [decided] = json.loads(run("inbox", store, "--state", "resolved", "--json").stdout)
    assert (decided["by"], decided["decision"]) == ("maria", "final")
    assert "resolved by maria" in run("show", store, question["id"]).stdout


def test_the_reason_is_kept(store: str) -> None:
    """``--why`` goes with a decision, for a value and against all; ``show`` and ``history`` tell it."""
    run("resolve", store, pinned(asked(store)), "--take", "bob", "--why", "Bob asked the customer.")
    run("dismiss", store, pinned(asked(store, "text")), "--why", "Neither reads well.")
    settled = json.loads(run("inbox", store, "--state", "all", "--json").stdout)
    assert {one["remarks"][-1]["text"] for one in settled} == {"Bob asked the customer.", "Neither reads well."}
    assert "maria: Bob asked the customer." in run("show", store, settled[0]["id"]).stdout + (
        run("show", store, settled[1]["id"]).stdout
    )


def test_resolve_takes_the_suggestion(store: str) -> None:
    """All changes of a sentence by words, where no two touch one word."""
    run("resolve", store, pinned(asked(store, "text")), "--suggestion")
    assert value(store)["notes"] == "We ship. The red fox jumps over the lazy dog. Fine."
    refused = run("resolve", store, pinned(asked(store)), "--suggestion", code=1)
    assert "no suggestion" in refused.stderr


def test_resolve_decides_for_a_deletion(tmp_path: Path) -> None:
    """A document that one deleted and another changed."""
    url = f"{tmp_path}/gone.db"
    with Workspace(f"sqlite:///{url}") as ws:
        ws.agent("planner").write(("plans",), "launch", {"status": "new"})
        ada, bob = ws.agent("ada"), ws.agent("bob")
        ada.read(("plans",), "launch"), bob.read(("plans",), "launch")
        ada.delete(("plans",), "launch")
        bob.write(("plans",), "launch", {"status": "final"})
    [question] = json.loads(run("inbox", url, "--json").stdout)
    assert "(deleted)" in run("show", url, question["id"]).stdout
    run("resolve", url, pinned(question), "--delete", "--by", "eve")
    assert "there is no document" in run("get", url, "plans:launch", code=1).stderr


def test_a_value_comes_from_a_file(store: str) -> None:
    """A text as it is, anything else as JSON."""
    Path("notes.txt").write_text("Line one.\nLine two.", encoding="utf-8")
    text = asked(store, "text")
    run("resolve", store, pinned(text), "--file", "notes.txt")
    assert "Line one.\nLine two." in value(store)["notes"]
    Path("notes.txt").write_bytes(b"\xff")
    assert "cannot be read" in run("resolve", store, pinned(asked(store)), "--file", "notes.txt", code=1).stderr


def test_only_deciders_decide(store: str) -> None:
    """By the name that `--by` gives; what is refused ends with 1 and a line."""
    Path("pyproject.toml").write_text('[tool.concordant]\nschemas = "tests.cli.test_deciding:STRICT"\n')
    question = asked(store)
    for command in (
        ["resolve", store, pinned(question), "--take", "1"],
        ["dismiss", store, pinned(question)],
        ["claim", store, question["id"]],
        ["ask", store, PLACE, "rank"],
    ):
        assert "'maria' may not decide" in run(*command, code=1).stderr
    assert "may not write" in run("put", store, PLACE, '{"tags": ["z"]}', code=1).stderr
    assert "left as it is: 'maria' may not" in run("undo", store, "ada", "--do").stdout
    assert asked(store) == question
    run("resolve", store, pinned(question), "--take", "1", "--by", "human:maria")
    assert "may not decide" in run("reopen", store, question["id"], code=1).stderr


def test_dismiss_keeps_what_was_agreed(store: str) -> None:
    """Against all sides."""
    assert run("dismiss", store, pinned(asked(store))).stdout == f"{PLACE} status keeps new\n"
    assert value(store)["status"] == "new"


def test_claim_tells_others(store: str) -> None:
    """The question stays open; a second one who claims is refused."""
    question = asked(store)
    assert "claimed by maria" in run("claim", store, question["id"][:8]).stdout
    assert "claimed by maria" in run("inbox", store).stdout
    assert asked(store)["state"] == "claimed"
    assert "maria has claimed it" in run("claim", store, question["id"], "--by", "eve", code=1).stderr


def test_what_was_settled_is_asked_again(store: str) -> None:
    """A decision by its id, what a policy settled by its place."""
    question = asked(store)
    run("resolve", store, pinned(question), "--take", "bob")
    assert "draft" in run("reopen", store, question["id"][:8]).stdout
    assert asked(store)["id"] == question["id"]
    with Workspace("sqlite:///team.db", schemas=SCHEMAS) as ws:
        document = ws.get(NS, "launch")
        assert document is not None
        for agent, rank in (("ada", 1), ("bob", 2)):
            ws.agent(agent, seen=document.token).write(NS, "launch", {"rank": rank})
    told = json.loads(run("ask", store, PLACE, "rank", "--json").stdout)
    assert [side["value"] for side in told["contenders"]] == [1, 2] and told["state"] == "open"
    assert "no policy has settled anything" in run("ask", store, PLACE, "owners", "x", code=1).stderr


def test_a_decision_is_pinned_to_what_was_looked_at(store: str) -> None:
    """A side that came meanwhile refuses it, so does an id without a version where nobody can be asked."""
    question = asked(store)
    for command in (["resolve", store, question["id"], "--take", "bob"], ["dismiss", store, question["id"]]):
        assert "ID@VERSION" in run(*command, code=1).stderr
    with Workspace("sqlite:///team.db", schemas=SCHEMAS) as ws:
        ws.agent("carl", seen=ws.get(NS, "launch", at=1).token).write(NS, "launch", {"status": None})
    for command in (["resolve", store, pinned(question), "--take", "bob"], ["dismiss", store, pinned(question)]):
        refused = run(*command, code=1).stderr
        assert "contenders changed" in refused and "came too late" in refused
    run("resolve", store, pinned(asked(store)), "--take", "bob")
    assert "it is resolved by now" in run("resolve", store, pinned(question), "--take", "ada", code=1).stderr


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (["--take", "3"], "a number from 1 to 2"),
        (["--take", "eve"], "no side is 'eve'"),
        (["--value", "final"], "no JSON"),
        (["--value", '"other"'], "field's type"),
        ([], "say what to decide"),
    ],
)
def test_a_choice_that_is_none_is_told(store: str, choice: list[str], said: str) -> None:
    """One line tells what can be said; nothing is decided."""
    assert said in run("resolve", store, pinned(asked(store)), *choice, code=1).stderr
    assert asked(store)["state"] == "open"


def test_names_of_questions(store: str) -> None:
    """An unknown id, and the beginning of several, are told."""
    assert "no question 'zzz'" in run("show", store, "zzz", code=1).stderr
    with Workspace("sqlite:///many.db") as ws:
        ada, bob = ws.agent("ada"), ws.agent("bob")
        for agent, said in ((ada, 1), (bob, 2)):
            agent.write(("plans",), "many", {f"field{n}": said for n in range(20)})
        ids = [escalation.id for escalation in ws.escalations()]
    first = next(one[0] for one in ids if sum(other[0] == one[0] for other in ids) > 1)
    assert "several ids" in run("show", "many.db", first, code=1).stderr


def test_what_a_model_cannot_take_is_told(store: str) -> None:
    """``put`` tells each fault; a value that is no JSON is wrong use."""
    assert "nothing of it was applied" in run("put", store, PLACE, '{"nothing": 1}', code=1).stderr
    assert "no JSON" in run("put", store, PLACE, "{", code=2).stderr
    assert "NAMESPACE:KEY" in run("put", store, "launch", "{}", code=1).stderr


def test_put_adds_and_changes_what_was_seen(store: str) -> None:
    """Without a token fields are added; with the token of a read they are changed from that."""
    run("put", store, PLACE, '{"tags": ["b"]}', "--by", "eve")
    read = json.loads(run("get", store, PLACE, "--json").stdout)
    assert set(read["value"]["tags"]) == {"a", "b"}
    said = json.loads(run("put", store, PLACE, "-", "--seen", read["token"], "--json", text='{"tags": ["b"]}').stdout)
    assert said["version"] > read["version"] and value(store)["tags"] == ["b"]
    assert "version" in run("put", store, PLACE, '{"tags": ["c"]}', "--if-version", "1", code=1).stderr
    assert json.loads(run("log", store, "--agent", "eve", "--json").stdout)[0]["paths"] == [["tags"]]


def test_get_tells_what_is_contested(store: str) -> None:
    """The value goes to the standard output, questions to the other; a version in the past can be read."""
    done = run("get", store, PLACE)
    assert json.loads(done.stdout)["status"] == "new"
    assert "contested: status" in done.stderr
    assert json.loads(run("get", store, PLACE, "--at", "1", "--json").stdout)["contested"] == []


def test_history_blame_diff_and_log(store: str) -> None:
    """Who changed what, who stands for what, and what differs."""
    run("resolve", store, pinned(asked(store)), "--take", "bob")
    entries = json.loads(run("history", store, PLACE, "--json").stdout)
    assert [entry["act"] for entry in entries] == ["resolve", "edit", "edit", "write"]
    shown = run("history", store, PLACE).stdout
    assert "maria" in shown and "resolve" in shown and "planner" in shown
    credits = json.loads(run("blame", store, PLACE, "--json").stdout)
    assert {tuple(one["path"]): one["agents"] for one in credits}["status",] == ["bob", "maria"]
    assert "planner" in run("blame", store, PLACE).stdout
    assert "status: [-new-]{+final+}" in run("diff", store, PLACE, "1").stdout
    [changed] = json.loads(run("diff", store, PLACE, "1", str(entries[0]["version"]), "--json").stdout)
    assert (changed["path"], changed["before"], changed["after"]) == (["status"], "new", "final")
    assert run("diff", store, PLACE, "1", "1").stdout == "No difference.\n"
    assert len(json.loads(run("log", store, "--limit", "2", "--json").stdout)) == 2
    assert PLACE in run("log", store, "--namespace", "briefs").stdout
    for command in ("history", "blame", "get"):
        assert "no document" in run(command, store, "briefs/2026:nothing", code=1).stderr


def test_export_import_and_vacuum(store: str) -> None:
    """A file carries a store; importing it again changes nothing; vacuum tells what it forgot."""
    assert "bytes" in run("export", store, "team.frame").stdout
    made = json.loads(run("import", "copy.db", "team.frame", "--new", "--json").stdout)
    assert made == {"changed": 1, "open": 2}
    assert run("import", "copy.db", "team.frame").stdout == "0 documents changed, 2 escalations open\n"
    assert "cannot be read" in run("import", "copy.db", "nowhere", code=1).stderr
    done = json.loads(run("vacuum", store, "--json").stdout)
    assert (done["documents"], done["rows"], done["compacted"], done["pieces"]) == (0, 0, 0, 0)
    assert all({*kept} == {"whom", "pieces", "documents"} for kept in done["kept"])
    assert "forgotten" in run("vacuum", store).stdout


def test_the_other_commands_print_json(store: str) -> None:
    """``stats``, ``check``, ``rename`` and ``sync``."""
    assert json.loads(run("stats", store, "--json").stdout)["escalations"] == {"open": 2}
    assert json.loads(run("check", store, "--json").stdout)["problems"] == []
    synced = json.loads(run("sync", store, "other.db", "--new", "--json").stdout)
    assert synced == [{"changed": 0, "open": 2}, {"changed": 1, "open": 2}]
    assert json.loads(run("rename", "other.db", "mine", "--json").stdout) == {"replica": "mine"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("[tool.concordant]\nschemas = 3\n", "module:NAME"),
        ("[tool.concordant]\nschemas = 'nowhere:SCHEMAS'\n", "nowhere"),
        ("[tool", "cannot be read"),
    ],
)
def test_settings_that_are_none_are_told(store: str, settings: str, said: str) -> None:
    """A ``pyproject.toml`` that cannot be understood is told in a line, and ``--schemas`` goes before it."""
    Path("pyproject.toml").write_text(settings)
    refused = run("inbox", store, code=1).stderr
    assert said in refused and "pyproject.toml" in refused and refused.count("\n") <= 2
    assert "notes" in run("inbox", store, "--schemas", "tests.cli.test_deciding:SCHEMAS").stdout


def test_settings_are_found_from_below(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest ``pyproject.toml`` that has the table counts, as tools of Python have it."""
    (Path("deep") / "er").mkdir(parents=True)
    Path("deep/pyproject.toml").write_text("[project]\nname = 'other'\n")
    monkeypatch.chdir("deep/er")
    assert "no documents" not in run("inbox", "../../team.db").stdout
    refused = run("put", "../../team.db", PLACE, '{"nothing": 1}', code=1).stderr
    assert "nothing" in refused  # the model is known


def test_names_from_a_store_do_nothing_to_a_terminal(tmp_path: Path) -> None:
    """Control characters in names, keys and values are shown, not obeyed, and a place can be typed as it is shown."""
    nasty = "\x1b[2Jx\u202e[red]/:%"
    with Workspace(f"sqlite:///{tmp_path}/nasty.db") as ws:
        ada, bob = ws.agent(nasty), ws.agent("bob")
        ada.write(("plans", nasty), nasty, {nasty: nasty})
        bob.write(("plans", nasty), nasty, {nasty: "other"})
    url = f"{tmp_path}/nasty.db"
    [question] = json.loads(run("inbox", url, "--json").stdout)
    place = re.search(r"plans/\S+", run("inbox", url).stdout)
    assert place is not None
    for command in (
        ["inbox", url],
        ["show", url, question["id"]],
        ["log", url],
        ["history", url, place[0]],
        ["blame", url, place[0]],
        ["diff", url, place[0], "1"],
        ["stats", url],
    ):
        shown = run(*command).stdout
        assert not set("\x1b\u202e") & set(shown), command
    assert json.loads(run("get", url, place[0], "--json").stdout)["key"] == nasty


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "concordant", *arguments]


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that a test starts, ended with it."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def start(processes: list[subprocess.Popen[str]], *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so it is in a shell's background, and children inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, text=True, env=environment)
    processes.append(process)
    return process


def test_watch_and_tail_hear_of_others(store: str, started: list[subprocess.Popen[str]]) -> None:
    """``inbox --watch`` lists anew, and ``tail`` prints, when another process decides; both end when interrupted."""
    watching, tailing = start(started, "inbox", store, "--watch"), start(started, "tail", store, "--json")
    named = start(started, "tail", store, "--name", "me", "--count", "1", "--json")
    assert watching.stdout is not None and tailing.stdout is not None and named.stdout is not None
    while watching.stdout.readline() != "-- 2 --\n":
        pass
    first, heard = threading.Event(), []

    def read(process: subprocess.Popen[str]) -> None:
        heard.append(json.loads(process.stdout.readline())["kind"])  # type: ignore[union-attr]

    readers = [threading.Thread(target=read, args=(process,)) for process in (tailing, named)]
    for reader in readers:
        reader.start()
    question = asked(store)
    for n in range(1_000):  # who begins to listen hears of what comes next
        run("claim", store, question["id"], "--by", "maria") if n == 0 else take_over(store, f"person{n}")
        if not any(reader.is_alive() for reader in readers):
            break
        first.wait(0.1)
    assert set(heard) == {"claimed"} and len(heard) == 2
    assert named.wait(PATIENCE) == 0
    run("resolve", store, pinned(asked(store)), "--take", "bob")
    while watching.stdout.readline() != "-- 1 --\n":
        pass
    for process in (watching, tailing):
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


def take_over(store: str, name: str) -> None:
    """Claims a question that another has claimed, as one who has seen that."""
    with Workspace(f"sqlite:///{store}", schemas=SCHEMAS) as ws:
        [question] = [e for e in ws.escalations() if e.reason == "scalar"]
        ws.claim(question, by=name)


def test_it_tells_its_version_and_completes() -> None:
    """``--version``, ``python -m concordant`` and the shells' completion."""
    done = subprocess.run(command("--version"), capture_output=True, text=True, check=True)
    assert re.fullmatch(r"concordant \d+\.\d+\.\d+\S*\n", done.stdout)
    assert (
        "--install-completion" in subprocess.run(command("--help"), capture_output=True, text=True, check=True).stdout
    )


def test_ids_are_completed(store: str) -> None:
    """A shell is offered the open questions of the store that was typed."""
    question = asked(store)
    words = f"concordant show {store} {question['id'][:3]}"
    environment = {
        **os.environ,
        "_CONCORDANT_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": "3",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    name = str(Path(sys.executable).with_name("concordant"))
    done = subprocess.run([name], capture_output=True, text=True, check=False, env=environment)
    assert question["id"][:7] in done.stdout, (done.stdout, done.stderr)


def test_show_tells_why_somebody_decided(store: str) -> None:
    """The reason stands below the decision, with who gave it; what it holds is text and nothing else."""
    question = asked(store)
    with Workspace("sqlite:///team.db", schemas=SCHEMAS) as ws:
        ws.resolve(question["id"], "final", by="lead", version=question["version"], why="The [bold]client[/] said so.")
    assert "lead: The [bold]client[/] said so." in run("show", store, question["id"]).stdout
