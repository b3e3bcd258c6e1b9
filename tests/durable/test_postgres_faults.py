"""What may befall a Postgres: no room, no leave to write, a damaged row. A clear error, nothing half, well again."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from concordant import Workspace
from concordant.errors import ConcordantError, StorageError

from .cutting import outage, own_server
from .processes import check_store
from .work import SCHEMAS, SPACE

PLAN = (SPACE, "d0")


@pytest.fixture
def server() -> Iterator[str]:
    with own_server() as url:
        yield url


def votes(ws: Workspace) -> int:
    document = ws.get(*PLAN)
    assert document is not None
    return int(document.value["votes"])


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def test_g10_a_full_disk_is_told(server: str) -> None:
    """Where files may not grow, the write that finds no room fails with our error; with room it works again."""
    with Workspace(server, schemas=SCHEMAS) as ws:
        ada = ws.agent("ada")
        ada.write(*PLAN, {"votes": 1})
        outage(server, 0.0, largest=20 * 1024 * 1024)
        count = 1
        with pytest.raises(StorageError, match="Nothing of the call was stored"):  # noqa: PT012
            for number in range(1_000):
                status = "".join(chr(0x4E00 + (number * 7_919 + at * 104_729) % 20_000) for at in range(20_000))
                ada.write(*PLAN, {"votes": 1, "status": status})
                count += 1
        assert votes(ws) == count > 10
        outage(server, 0.0)
        ada.write(*PLAN, {"votes": 1})
        assert votes(ws) == count + 1
    check_store(server)


def test_g10_a_server_that_takes_no_writes_is_told(server: str) -> None:
    """On a standby, or where transactions are read-only, reads work and writes fail with our error."""
    with Workspace(server, schemas=SCHEMAS) as ws:
        ws.agent("ada").write(*PLAN, {"votes": 1})
    execute(server, "ALTER DATABASE postgres SET default_transaction_read_only = on")
    with Workspace(server, schemas=SCHEMAS) as ws:
        with pytest.raises(StorageError, match=r"read-only transaction.*writable server"):
            ws.agent("ada").write(*PLAN, {"votes": 1})
        assert votes(ws) == 1
    with psycopg.connect(server, options="-c default_transaction_read_only=off", autocommit=True) as connection:
        connection.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
    with Workspace(server, schemas=SCHEMAS) as ws:
        ws.agent("ada").write(*PLAN, {"votes": 1})
        assert votes(ws) == 2


@pytest.mark.parametrize("damage", ["''", "'\\x00'", "substring(record FROM 1 FOR length(record) / 2)"])
def test_g10_a_damaged_row_is_told(server: str, damage: str) -> None:
    """A document whose record is damaged is refused, by reads of it and writes; the others are as they were."""
    with Workspace(server, schemas=SCHEMAS) as ws:
        for key in ("d0", "d1"):
            for agent in ("ada", "bob"):
                ws.agent(agent).write(SPACE, key, {"votes": 1, "notes": "a line", "tags": [agent]})
    execute(server, f"UPDATE concordant_documents SET record = {damage} WHERE key = 'd0'")
    with Workspace(server, schemas=SCHEMAS) as ws:
        with pytest.raises(ConcordantError):
            ws.agent("ada").write(*PLAN, {"votes": 1})
        with pytest.raises(ConcordantError):
            ws.blame(*PLAN)
        ws.agent("ada").write(SPACE, "d1", {"votes": 1})
        document = ws.get(SPACE, "d1")
        assert document is not None and document.value["votes"] == 3
