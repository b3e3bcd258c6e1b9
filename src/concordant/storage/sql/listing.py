"""Which documents of a database a listing has to load: those that the columns beside the records do not rule out.

The column ``value`` holds what a document showed when it was saved. A record saved under another schema may show
something else by now, so that its column is trusted only as long as the schema is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from concordant.storage.base import Projection, is_present
from concordant.storage.conditions import Condition
from concordant.storage.encoding import bounds, dump_namespace, load_namespace
from concordant.storage.sql.database import Database, Query

__all__ = ["PAGE", "candidates", "namespaces"]

PAGE = 200
"""How many documents are fetched at once."""

_UNDER = "namespace >= ? AND namespace < ?"
_ALIVE = "id NOT IN (SELECT id FROM concordant_documents WHERE expires <= ?)"  # few: they have an index of their own

# What differs among the documents that show nothing is looked for step by step in their index, not by passing them.
_MODELS = (
    "WITH RECURSIVE m(p) AS (SELECT min(fingerprint) FROM concordant_documents WHERE value IS NULL UNION ALL SELECT "
    "(SELECT min(fingerprint) FROM concordant_documents WHERE value IS NULL AND fingerprint > m.p) FROM m "
    "WHERE m.p IS NOT NULL) SELECT p FROM m WHERE p IS NOT NULL"
)
_SPACES = (
    "WITH RECURSIVE s(p) AS (SELECT min(namespace) FROM concordant_documents WHERE value IS NULL AND fingerprint = ? "
    "AND namespace >= ? AND namespace < ? UNION ALL SELECT (SELECT min(namespace) FROM concordant_documents "
    "WHERE value IS NULL AND fingerprint = ? AND namespace > s.p AND namespace < ?) FROM s WHERE s.p IS NOT NULL) "
    "SELECT p FROM s WHERE p IS NOT NULL"
)


def candidates(
    database: Database,
    projection: Projection,
    prefix: tuple[str, ...],
    conditions: Sequence[Condition],
    now: float,
) -> Iterator[Sequence[int]]:
    """Iterates the ids of the documents under a prefix that have not expired and may meet the conditions, oldest first:
    a page, and the rest if that is asked for. Those that show nothing have an index of their own and are not passed."""
    where, parameters = f"value IS NOT NULL AND {_UNDER} AND {_ALIVE}", [*bounds(prefix), now]
    if conditions:
        trusted, known = _trusted(database, projection, prefix)
        met, operands = database.restriction(conditions)
        short, more = _of_large(database, conditions)
        where += f" AND CASE WHEN {trusted} THEN CASE WHEN kept IS NULL THEN {met} ELSE {short} END ELSE TRUE END"
        parameters += [*known, *operands, *more]
    query = f"SELECT id FROM concordant_documents WHERE {where}"
    hidden = _doubtful(database, projection, prefix)
    page = [id_ for (id_,) in database.rows(f"{query} ORDER BY id LIMIT {PAGE}", parameters)]
    whole = len(page) < PAGE
    yield sorted([*page, *(id_ for id_ in hidden if whole or id_ < page[-1])])
    if not whole:
        rest = database.rows(f"{query} AND id > ? ORDER BY id", [*parameters, page[-1]])
        yield sorted([*(id_ for (id_,) in rest), *(id_ for id_ in hidden if id_ > page[-1])])


def _of_large(database: Database, conditions: Sequence[Condition]) -> Query:
    """What holds for large documents that may meet conditions: beside them only their short fields are kept."""
    terms, parameters = list[str](), list[Any]()
    for condition in conditions:
        missing = Condition(condition.path[:1], "equal", None)
        for one in (condition, missing):
            expression, operands = database.restriction([one])
            terms.append(expression)
            parameters += operands
    pairs = zip(terms[::2], terms[1::2], strict=True)
    return " AND ".join(f"({met} OR {left_out})" for met, left_out in pairs), parameters


def _doubtful(database: Database, projection: Projection, prefix: tuple[str, ...]) -> list[int]:
    """The ids of the documents that showed nothing when they were saved, under another model than counts by now."""
    models = [model for (model,) in database.rows(_MODELS)]
    if not models:
        return []
    below = projection.below(prefix) | ({projection.fingerprint(prefix)} if prefix else set())
    found: list[int] = []
    for model in models:
        if len(below) == 1 and is_present(model, *below):
            continue
        spaces = [name for (name,) in database.rows(_SPACES, (model, *bounds(prefix), model, bounds(prefix)[1]))]
        for name in spaces:
            if not is_present(model, projection.fingerprint(load_namespace(name))):
                query = "SELECT id FROM concordant_documents WHERE value IS NULL AND fingerprint = ? AND namespace = ?"
                found += [id_ for (id_,) in database.rows(query, (model, name))]
    return found


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
            "SELECT DISTINCT namespace, fingerprint FROM concordant_documents "
            f"WHERE value IS NOT NULL AND {_UNDER} AND namespace <> ? AND fingerprint IS NOT NULL"
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
    """Iterates the namespaces under a prefix with documents, and whether a reader finds one there, as far as can be
    told."""
    # By the index alone, and one document of each that shows something.
    query = (
        "SELECT n.namespace, (SELECT CASE WHEN d.agent IS NOT NULL THEN '' ELSE d.fingerprint END "
        f"FROM concordant_documents d WHERE d.namespace = n.namespace AND d.value IS NOT NULL AND {_ALIVE} LIMIT 1) "
        f"FROM (SELECT DISTINCT namespace FROM concordant_documents WHERE value IS NOT NULL AND {_UNDER}) n "
        "ORDER BY n.namespace"
    )
    unsure = _spaces_of(database, _doubtful(database, projection, prefix))
    for name, found in database.rows(query, (now, *bounds(prefix))):
        namespace = load_namespace(name)
        mine = projection.fingerprint(namespace)
        if found is not None:
            unsure.discard(namespace)
            yield namespace, True if found in ("", mine) else None
    yield from ((namespace, None) for namespace in sorted(unsure))


def _spaces_of(database: Database, ids: Sequence[int]) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        query = f"SELECT DISTINCT namespace FROM concordant_documents WHERE id IN ({', '.join('?' * len(page))})"
        found |= {load_namespace(name) for (name,) in database.rows(query, page)}
    return found
