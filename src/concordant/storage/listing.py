"""Which documents of a database a listing has to load: those that the columns beside the records do not rule out.

The column ``value`` holds what a document showed when it was saved. A record saved under another schema may show
something else by now, so that its column is trusted only as long as the schema is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from concordant.storage.conditions import Condition
from concordant.storage.database import Database, Query
from concordant.storage.projection import Projection
from concordant.storage.tables import bounds, dump_namespace, load_namespace

__all__ = ["PAGE", "candidates", "namespaces"]

PAGE = 200
"""How many documents are fetched at once."""

_UNDER = "namespace >= ? AND namespace < ?"
_ALIVE = "id NOT IN (SELECT id FROM concordant_documents WHERE expires <= ?)"  # few: they have an index of their own


def candidates(
    database: Database,
    projection: Projection,
    prefix: tuple[str, ...],
    conditions: Sequence[Condition],
    now: float,
) -> Iterator[Sequence[int]]:
    """The ids of the documents under a prefix that have not expired and may meet the conditions, oldest first: a page,
    and the rest if that is asked for."""
    where, parameters = f"{_UNDER} AND {_ALIVE}", [*bounds(prefix), now]
    if conditions:
        trusted, known = _trusted(database, projection, prefix)
        met, operands = database.restriction(conditions, "value")
        where += f" AND CASE WHEN {trusted} THEN CASE WHEN value IS NULL THEN FALSE ELSE {met} END ELSE TRUE END"
        parameters += [*known, *operands]
    query = f"SELECT id FROM concordant_documents WHERE {where}"
    page = [id_ for (id_,) in database.rows(f"{query} ORDER BY id LIMIT {PAGE}", parameters)]
    yield page
    if len(page) == PAGE:
        rest = database.rows(f"{query} AND id > ? ORDER BY id", [*parameters, page[-1]])
        yield [id_ for (id_,) in rest]


def _trusted(database: Database, projection: Projection, prefix: tuple[str, ...]) -> Query:
    """What holds for documents under a prefix whose column is what they show."""
    exact = dump_namespace(prefix)
    below = projection.below(prefix)
    terms, parameters = list[str](), list[Any]()
    if prefix:
        terms.append("(namespace = ? AND fingerprint = ?)")
        parameters += [exact, projection.fingerprint(prefix)]
    if len(below) == 1 and (not prefix or projection.shape(prefix) == ""):
        terms.append("agent IS NOT NULL")  # without a model, what was written once is shown as it was written
    if len(below) > 1:  # one of them may have been saved where another counts by now
        query = (
            f"SELECT DISTINCT namespace, fingerprint FROM concordant_documents WHERE {_UNDER} "
            "AND namespace <> ? AND fingerprint IS NOT NULL"
        )
        saved = database.rows(query, (*bounds(prefix), exact))
        below -= {one for name, one in saved if one != projection.fingerprint(load_namespace(name))}
    if below:
        terms.append(f"(namespace <> ? AND fingerprint IN ({', '.join('?' * len(below))}))")
        parameters += [exact, *sorted(below)]
    return " OR ".join(terms) or "FALSE", parameters


def namespaces(
    database: Database, projection: Projection, prefix: tuple[str, ...], now: float
) -> Iterator[tuple[tuple[str, ...], bool | None]]:
    """The namespaces under a prefix with documents, and whether a reader finds one there, as far as can be told."""
    # By the index alone, and one document of each that shows something.
    query = (
        "SELECT n.namespace, (SELECT CASE WHEN d.agent IS NOT NULL THEN '' ELSE d.fingerprint END "
        f"FROM concordant_documents d WHERE d.namespace = n.namespace AND d.value IS NOT NULL AND {_ALIVE} LIMIT 1) "
        f"FROM (SELECT DISTINCT namespace FROM concordant_documents WHERE {_UNDER}) n ORDER BY n.namespace"
    )
    saved = f"SELECT DISTINCT fingerprint FROM concordant_documents WHERE namespace = ? AND {_ALIVE}"
    for name, found in database.rows(query, (now, *bounds(prefix))):
        namespace = load_namespace(name)
        mine = projection.fingerprint(namespace)
        if found is not None:
            yield namespace, True if found in ("", mine) else None
        else:
            yield namespace, False if {one for (one,) in database.rows(saved, (name, now))} <= {mine} else None
