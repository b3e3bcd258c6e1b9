"""Several server processes on one database, each with editors of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import websockets
from loro import ExportMode

from concordant import Workspace
from concordant_loro.protocol import Status
from tests.patience import PATIENCE

from .simulation import PLACE, Brief
from .test_wire import Client

ROOT = Path(__file__).parent.parent.parent


@asynccontextmanager
async def process(url: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server in a process of its own, and its address."""
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.live.server_process", url),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert made.stdout is not None
        yield made, (await asyncio.wait_for(made.stdout.readline(), PATIENCE)).decode().strip()
    finally:
        if made.returncode is None:
            made.kill()
        await made.wait()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_server_processes_meet_in_the_database(kind: str, fresh_url: Callable[[str], str]) -> None:
    """Editors at two server processes and an agent in a third see each other's work; when one server is killed, its
    editor joins the other and brings what it had not sent: nothing is lost, nor there twice, and each is named."""
    url = fresh_url(kind)
    with Workspace(url, schemas={PLACE[0]: Brief}) as ws:
        ws.agent("seed").write(*PLACE, {"body": "Begun."})
        async with (
            process(url) as (first, one),
            process(url) as (_, other),
            websockets.connect(one) as here,
            websockets.connect(other) as there,
        ):
            maria, john = Client(here, "maria"), Client(there, "john")
            await maria.join()
            await john.join()
            for editor in (maria, john):
                await editor.until(lambda editor=editor: "Begun." in editor.body)
            words = ["Begun."]
            for number in range(4):
                for editor in (maria, john):
                    words.append(f"{editor.name}{number}.")
                    await editor.send(editor.write(f" {words[-1]}"))
                words.append(f"ada{number}.")
                ws.agent("ada").write(*PLACE, {"body": words[-1]})
            for editor in (maria, john):
                await editor.until(lambda editor=editor: all(editor.body.count(word) == 1 for word in words))
            first.kill()
            maria.write(" Unsent.")
            async with websockets.connect(other) as again:
                away = Client(again, "maria")
                await away.join(version=maria.doc.oplog_vv.encode())
                await away.send(maria.doc.export(ExportMode.Snapshot()))
                await away.until(lambda: away.acknowledged == [Status.INVALID_UPDATE])  # taken in; begin anew
                await away.join()
                for editor in (away, john):
                    await editor.until(
                        lambda editor=editor: all(editor.body.count(word) == 1 for word in [*words, "Unsent."])
                    )
                assert away.body == john.body == ws.get(*PLACE).value["body"]
        names = {agent for credit in ws.blame(*PLACE)["body",] for agent in credit.agents}
        assert names == {"seed", "maria", "john", "ada"}
