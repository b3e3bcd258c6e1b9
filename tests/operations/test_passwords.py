"""No password in any error, whatever was given as a url; nor in what an object says of itself."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given, strategies as st

from concordant import ConcordantError, PostgresOptions, Workspace
from concordant.storage.urls import scrubbed, without_password

QUICK = PostgresOptions(connect_timeout=1)


@pytest.mark.parametrize(
    "url",
    [
        "POSTGRESQL://bob:hunter2@nowhere/x",
        " postgresql://bob:hunter2@nowhere/x",
        "postgresql+psycopg://bob:hunter2@nowhere/x",
        "host=nowhere password=hunter2",
        "host=nowhere password = 'hunter2 and more'",
        "postgresql://bob:hunter2@localhost:1/x",
        "postgresql://bob:hunter2/more@localhost:1/x",
        "postgresql://bob:more@hunter2@localhost:1/x",
        "postgresql://bob:hunter2@localhost:port/x",
        "postgresql://bob:hunter2@[::1/x",
        "postgresql://localhost:1/x?user=bob&password=hunter2",
        "postgresql://localhost:1/x?sslpassword=hunter2&bogus=1",
        "postgresql://bob:hunter2",
        "postgres:bob:hunter2@localhost",
        "sqlite://bob:hunter2@x",
        "sqlite:///x.db?password=hunter2",
        "mysql://bob:hunter2@localhost/x",
    ],
)
def test_a_password_is_in_no_error(url: str) -> None:
    """Neither the error nor what it was raised from, as a traceback shows it, has the password in it."""
    with pytest.raises(ConcordantError) as refused:
        Workspace(url, options=QUICK if url.startswith("postgres") else None)
    error = refused.value
    told = [str(error), repr(error), repr(vars(error))]
    told += traceback.format_exception_only(error.__cause__) if error.__cause__ is not None else []
    assert not any("hunter2" in text for text in told), told


SECRETS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=6, max_size=12).map("pw".__add__)


@given(
    SECRETS, st.sampled_from(["postgresql://bob:{}@h/x", "postgres://:{}@h", "host=h password={}", "x://b:{}@h?q=1"])
)
def test_whatever_the_password_is_it_is_left_out(secret: str, form: str) -> None:
    """A url is shown without its password, and so is what a driver says of it."""
    url = form.format(secret)
    assert secret not in without_password(url)
    assert secret not in scrubbed(f'invalid value in "{url}"', url)


def test_no_object_tells_the_password(postgres_server: str) -> None:
    """What a workspace and its parts say of themselves has no password in it."""
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(postgres_server)
    user = parts.username or "postgres"
    url = urlunsplit(parts._replace(netloc=f"{user}:hunter2@{parts.netloc.rpartition('@')[2]}"))
    with Workspace(url) as ws:
        database = ws.storage.database  # type: ignore[attr-defined]
        for thing in (ws, ws.storage, database, database.place, ws.stats(), ws.moment(), ws.check()):
            assert "hunter2" not in repr(thing)
