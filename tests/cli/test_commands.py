"""The command line, on real stores."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner, Result

from concordant import Scalar, Set, Workspace
from concordant.cli.app import app

FreshUrl = Callable[[str], str]
DURABLE = pytest.mark.parametrize("kind", ["sqlite", "postgres"])


class Brief(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    status: Annotated[str | None, Scalar()] = None


SCHEMAS = {("briefs",): Brief}
OPTION = ["--schemas", "tests.cli.test_commands:SCHEMAS"]


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, [*arguments], env=env)


def write(url: str, agent: str, **value: object) -> None:
    with Workspace(url, schemas=SCHEMAS) as workspace:
        workspace.agent(agent).write(("briefs",), "launch", value)


def shown(url: str) -> tuple[object, int]:
    with Workspace(url, schemas=SCHEMAS) as workspace:
        document = workspace.get(("briefs",), "launch")
        assert document is not None
        return document.value, len(workspace.escalations())


@DURABLE
def test_sync_brings_two_stores_together(kind: str, fresh_url: FreshUrl) -> None:
    """Both end with what either had, conflicts included; a second run changes nothing."""
    one, other = fresh_url(kind), fresh_url("sqlite")
    write(one, "ada", tags=["crdt"], status="draft")
    write(other, "bob", tags=["memory"], status="final")
    done = run("sync", one, other, *OPTION)
    assert done.exit_code == 0, done.output
    assert done.output == (
        f"{one}: 1 documents changed, 1 escalations open (+1)\n{other}: 1 documents changed, 1 escalations open (+1)\n"
    )
    assert shown(one) == shown(other)
    value, contested = shown(one)
    assert contested == 1 and set(value["tags"]) == {"crdt", "memory"}  # type: ignore[index]
    again = run("sync", one, other, *OPTION)
    assert "0 documents changed, 1 escalations open\n" in again.output and "1 documents" not in again.output
    waiting = run("inbox", one, "--namespace", "briefs")
    assert "'draft' by ada" in waiting.output and "'final' by bob" in waiting.output
    assert run("inbox", one, "--namespace", "other").output == "Nothing waits for a decision.\n"


def test_sync_with_a_key(fresh_url: FreshUrl) -> None:
    """Frames are authenticated with a secret from the environment; without it nothing is done."""
    one, other = fresh_url("sqlite"), fresh_url("sqlite")
    write(one, "ada", status="draft")
    missing = run("sync", one, other, "--new", "--key-env", "NO_SUCH_KEY", *OPTION)
    assert missing.exit_code == 2 and "NO_SUCH_KEY" in missing.stderr
    done = run("sync", one, other, "--new", "--key-env", "FRAME_KEY", *OPTION, env={"FRAME_KEY": "secret"})
    assert done.exit_code == 0, done.output
    assert shown(other) == ({"status": "draft"}, 0)


def test_sync_asks_for_schemas(fresh_url: FreshUrl) -> None:
    """Merging by no schema what was declared would be wrong, so one of the two has to be said."""
    one = fresh_url("sqlite")
    write(one, "ada", status="draft")
    for options in ([], [*OPTION, "--undeclared"]):
        refused = run("sync", one, one, *options)
        assert refused.exit_code == 2 and "--schemas" in refused.stderr
    assert run("sync", one, one, *OPTION).exit_code == 1


def test_stats_counts(fresh_url: FreshUrl) -> None:
    """Documents, writes and escalations of a store, whatever its schemas."""
    url = fresh_url("sqlite")
    write(url, "ada", status="draft")
    write(url, "bob", tags=["crdt"])
    done = run("stats", url)
    assert done.exit_code == 0, done.output
    assert re.search(r"documents\W+1\b", done.output) and re.search(r"writes\W+write\W+2\b", done.output)
    assert re.search(r"briefs\W+status\W+1\W+0\W+0\W+0\W+0\b", done.output)


def test_stats_tells_how_far_subscriptions_are_behind(fresh_url: FreshUrl) -> None:
    """Each by name; one that nobody uses any more is let go by `vacuum`, which knows no other."""
    url = fresh_url("sqlite")
    write(url, "ada", status="draft")
    assert "subscription" not in run("stats", url).output
    with Workspace(url, schemas=SCHEMAS) as ws, ws.subscribe("team"):
        ws.subscribe("old").close()
        began = ws.moment()
        for agent in ("ada", "bob"):
            ws.agent(agent, began=began).write(("briefs",), "launch", {"status": agent})
        shown = run("stats", url).output
        assert re.search(r"old +1 +\d+ s +away", shown) and re.search(r"team +1 +\d+ s +receiving", shown)
        told = json.loads(run("stats", url, "--json").output)["subscriptions"]
        assert [(one["name"], one["waiting"], one["receiving"]) for one in told] == [
            ("old", 1, False),
            ("team", 1, True),
        ]
        unknown = run("vacuum", url, "--unsubscribe", "lost")
        assert unknown.exit_code == 1 and "no subscription lost" in unknown.stderr
        assert run("vacuum", url, "--unsubscribe", "old").exit_code == 0
        assert [one.name for one in ws.subscriptions()] == ["team"]


def test_rename_gives_a_copy_a_name(fresh_url: FreshUrl) -> None:
    """A store that was restored or copied gets a name of its own."""
    url = fresh_url("sqlite")
    write(url, "ada", status="draft")
    assert run("rename", url, "copy-1").output == f"{url} is now copy-1\n"
    with Workspace(url) as workspace:
        assert workspace.storage.replica == "copy-1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["stats", "nowhere.db"], "no file nowhere.db: give the path of a store"),
        (["put", "nowhere.db", "a:b", "{}"], "no file nowhere.db: give another path, or --new"),
        (["import", "nowhere.db", "there.db"], "no file nowhere.db: give another path, or --new"),
        (["inbox", "folder"], "folder is a folder"),
        (["stats", "mysql://host/db"], "no storage"),
        (["inbox", "there.db", "--schemas", "nowhere:SCHEMAS"], "nowhere"),
        (["inbox", "there.db", "--schemas", "nowhere"], "module:NAME"),
        (["inbox", "there.db", "--schemas", "tests.cli.test_commands:NOTHING"], "NOTHING"),
        (["inbox", "there.db", "--schemas", "raises:SCHEMAS"], "RuntimeError: no key ("),
        (["inbox", "there.db", "--schemas", "wrong:SCHEMAS"], "(wrong.py, line 1)"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback: one line on the standard error, and the exit code 1."""
    monkeypatch.chdir(tmp_path)
    Workspace("sqlite:///there.db").close()
    Path("folder").mkdir()
    Path("raises.py").write_text('raise RuntimeError("no key")', "utf-8")
    Path("wrong.py").write_text("def f(:", "utf-8")
    done = run(*arguments)
    assert done.exit_code == 1 and said in done.stderr and done.stderr.count("\n") == 1


READ_OR_WRITE = pytest.mark.parametrize(
    "command", [["inbox"], ["stats"], ["check"], ["put", "a:b", "{}"], ["import", "frame"]]
)


@READ_OR_WRITE
def test_a_database_of_others_stays_as_it_is(command: list[str], tmp_path: Path) -> None:
    """What is no store is not made one, and is not told to be empty; where a command can make one, `--new` does."""
    path, frame = tmp_path / "other.db", tmp_path / "frame"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (x)")
    with Workspace() as elsewhere:
        frame.write_bytes(elsewhere.export())
    before = path.read_bytes()
    name, *given = [str(frame) if word == "frame" else word for word in command]
    refused = run(name, str(path), *given)
    assert refused.exit_code == 1 and "holds no store" in refused.stderr
    assert path.read_bytes() == before
    if given:
        assert "--new" in refused.stderr
        assert run(name, str(path), *given, "--new").exit_code == 0
        assert run("stats", str(path)).exit_code == 0


@READ_OR_WRITE
def test_a_postgres_without_a_store_stays_as_it_is(command: list[str], fresh_url: FreshUrl, tmp_path: Path) -> None:
    """An empty database is no empty store, and gets no tables; where a command can make them, `--new` does."""
    url, frame = fresh_url("postgres"), tmp_path / "frame"
    with Workspace() as elsewhere:
        frame.write_bytes(elsewhere.export())
    name, *given = [str(frame) if word == "frame" else word for word in command]
    for _ in range(2):
        refused = run(name, url, *given)
        assert refused.exit_code == 1 and "holds no store" in refused.stderr
    if given:
        assert "--new" in refused.stderr
        assert run(name, url, *given, "--new").exit_code == 0
        assert run("stats", url).exit_code == 0


def test_an_import_of_what_cannot_be_read_makes_no_store(tmp_path: Path) -> None:
    """The file is read before the store is made, which `--new` allows."""
    refused = run("import", str(tmp_path / "new.db"), str(tmp_path / "nowhere"), "--new")
    assert refused.exit_code == 1 and "cannot be read" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_reason_is_refused(fresh_url: FreshUrl) -> None:
    """A misspelt reason is told with those there are, instead of that nothing waits."""
    url = fresh_url("sqlite")
    write(url, "ada", status="draft")
    refused = run("inbox", url, "--reason", "scaler")
    assert refused.exit_code == 2 and "scalar" in refused.stderr


def test_the_command_is_there(tmp_path: Path) -> None:
    """The installed command runs as a process of its own."""
    Workspace(f"sqlite:///{tmp_path}/team.db").close()
    command = [str(Path(sys.executable).with_name("concordant")), "stats", f"{tmp_path}/team.db"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "documents" in done.stdout


def test_without_the_extra_it_says_what_to_install() -> None:
    """Where typer is not installed the command ends with a line that helps."""
    code = "import sys; sys.modules['typer'] = None\nfrom concordant.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "concordant[cli]" in done.stderr and "Traceback" not in done.stderr


def test_bench_plays_a_workload_of_ones_own(tmp_path: Path) -> None:
    """The table shows that the last write wins and loses, and that Concordant keeps all; a wrong file is told."""
    path = tmp_path / "launch.jsonl"
    path.write_text(
        '{"workload": "launch", "fields": {"tags": "set", "status": "scalar"}}\n'
        '{"round": 1, "agent": "ada", "think": 60, "changes": {"plan": {"tags": ["crdt"], "status": "draft"}}}\n'
        '{"round": 1, "agent": "bob", "think": 60, "changes": {"plan": {"tags": ["agents"], "status": "final"}}}\n',
        "utf-8",
    )
    done = run("bench", "--workload", str(path), "--no-think")
    assert done.exit_code == 0, done.output
    assert "launch: 2 tasks in 1 rounds, 4 contributions, 1 conflicts" in done.output
    rows = {line.split("  ")[0].strip(): line.split() for line in done.output.splitlines()}
    assert rows["right"][-5:] == ["NO", "yes", "yes", "yes", "yes"]
    assert rows["lost"][-5:] == ["2", "0", "0", "0", "0"]
    assert rows["escalated"][-5:] == ["0", "0", "0", "2", "2"]
    path.write_text('{"fields": {"tags": "bag"}}', "utf-8")
    done = run("bench", "--workload", str(path))
    assert done.exit_code == 1
    assert "tags has the kind 'bag'" in done.output


EVIL = "x\x1b[31m\u202e[bold]red[/bold]\nplans:other is fine\r"


@DURABLE
def test_what_a_store_says_cannot_act_on_the_terminal(kind: str, fresh_url: FreshUrl) -> None:
    """Control characters in names and values come out escaped, markup as it is written, a name stays in its line."""
    url = fresh_url(kind)
    with Workspace(url) as ws:
        ada, bob = ws.agent(EVIL), ws.agent("bob")
        ada.write((EVIL,), EVIL, {EVIL: EVIL})
        bob.write((EVIL,), EVIL, {EVIL: "日本"})
    for command in (["inbox", url], ["stats", url], ["check", url], ["inbox", url, "--namespace", EVIL]):
        found = run(*command)
        assert found.exit_code == 0, found.output
        assert not {"\x1b", "\u202e", "\r"} & set(found.output)
        assert not any(line.startswith("plans:other") for line in found.output.splitlines())
    shown = run("inbox", url).output
    assert "[bold]red[/bold]" in shown and "\\x1b" in shown and "日本" in shown


@pytest.mark.parametrize("command", ["stats", "inbox", "check", "rename"])
@pytest.mark.parametrize("url", ["postgresql://bob:hunter2@localhost:1/x", "host=nowhere password=hunter2"])
def test_the_command_line_tells_no_password(command: str, url: str) -> None:
    """A store that cannot be opened is told without the password that was given for it."""
    found = run(command, url)
    assert found.exit_code == 1
    assert "hunter2" not in found.output


@DURABLE
def test_undo_shows_and_then_does(kind: str, fresh_url: FreshUrl) -> None:
    """The preview names each change and question and does nothing; --do does it, and says how to undo that."""
    url = fresh_url(kind)
    write(url, "eve", tags=["crdt"], status="draft")
    write(url, "bob", tags=["spam"], status="final")
    write(url, "ada", status="published")
    looked = run("undo", url, "bob", "--since", "2h", *OPTION)
    assert looked.exit_code == 0, looked.output
    assert "briefs:launch" in looked.output and "'draft' by eve" in looked.output
    assert looked.output.endswith("Nothing was changed; --do does it.\n")
    assert shown(url) == ({"tags": ["crdt", "spam"], "status": "published"}, 0)
    done = run("undo", url, "bob", "--since", "1", "--namespace", "briefs", "--do", "--by", "maria", *OPTION)
    before = re.search(r"maria --since (\d+) --do", done.output)
    assert before is not None and "1 document, 1 new question." in done.output
    assert shown(url) == ({"tags": ["crdt"], "status": "published"}, 1)
    again = run("undo", url, "maria", "--since", before[1], "--do", "--json", *OPTION)
    assert json.loads(again.output)["applied"] is True
    assert shown(url) == ({"tags": ["crdt", "spam"], "status": "published"}, 0)


def test_undo_says_what_is_wrong(fresh_url: FreshUrl) -> None:
    """A name that has written nothing gets those that have; what is no time is said to be none."""
    url = fresh_url("sqlite")
    write(url, "ada", status="draft")
    assert "Nothing of 'bbo' stands. Those who have: ada." in run("undo", url, "bbo", *OPTION).output
    wrong = run("undo", url, "ada", "--since", "yesterday", *OPTION)
    assert wrong.exit_code == 2 and "how long ago" in wrong.output
