"""What becomes of people's concurrent edits under ways of merging, held against the merge that they made themselves."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import tempfile
import tomllib
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

from pydantic import create_model

from concordant.bench.repository import ConcurrentEdit
from concordant.errors import ConcordantError
from concordant.merge.kinds import Kind, Text, Tree
from concordant.values import alike, is_json
from concordant.workspace import Workspace

__all__ = ["OUTCOMES", "PROSE", "STRUCTURE", "WAYS", "Merged", "Tally", "play_merges"]

PROSE = (".md", ".markdown", ".rst", ".txt", ".adoc")
"""How the names of files end that are prose."""

STRUCTURE = (".json", ".toml", ".yaml", ".yml")
"""How the names of files end that are data."""

OUTCOMES = ("asked", "as people did", "in another order", "doubled", "people wrote something new", "another choice")
"""What may become of an edit: somebody is asked; else what is shown is compared with what the people made of it."""

_AT = ("merges",), "file"
_END = re.compile(r"(?<=[.!?\u2026\u3002\uff01\uff1f])[\"'\u201d\u2019)\]`*_]*\s+|\n")


class Merged(NamedTuple):
    """What a way of merging makes of an edit.

    Attributes:
        value: what is shown.
        asked: whether somebody has to decide.
    """

    value: Any
    asked: bool


class Tally:
    """Counts what became of edits under one way of merging.

    Attributes:
        edits: how many there were.
        outcomes: how many had which of ``OUTCOMES``.
        invented: how many show a unit (a sentence, or a value of data) that nobody wrote.
    """

    def __init__(self) -> None:
        self.edits = 0
        self.invented = 0
        self.outcomes: Counts[str] = Counts()

    def add(self, merged: Merged, parts: Callable[[Any], Sequence[str]], given: Sequence[Any], truth: Any) -> None:
        """Counts an edit.

        Args:
            parts: the units of a value.
            given: base and both sides.
            truth: what the people made of them.
        """
        known = {part for one in given for part in parts(one)}
        got, wanted = parts(merged.value), parts(truth)
        self.edits += 1
        self.invented += any(part not in known for part in got)
        self.outcomes[_outcome(merged, got, wanted, known, truth)] += 1


def _outcome(merged: Merged, got: Sequence[str], wanted: Sequence[str], known: set[str], truth: Any) -> str:
    if merged.asked:
        return "asked"
    if got == wanted and (isinstance(truth, str) or alike(merged.value, truth)):
        return "as people did"
    if sorted(got) == sorted(wanted):
        return "in another order"
    if set(got) == set(wanted):
        return "doubled"
    return "people wrote something new" if any(part not in known for part in wanted) else "another choice"


def sentences(text: str) -> list[str]:
    """Returns the sentences of a text, without what separates them; a line break ends one.

    >>> sentences("One.  Two!\\nThree")
    ['One.', 'Two!', 'Three']
    """
    found = (" ".join(part.split()) for part in _END.split(text))
    return [part for part in found if part]


def values(data: Any, path: str = "") -> list[str]:
    """Returns the values of data, each with where it stands; items of a list stand where it does.

    >>> values({"a": [1, {"b": None}]})
    ['/a[] 1', '/a[]/b null']
    """
    if isinstance(data, dict) and data:
        return [part for name, one in sorted(data.items()) for part in values(one, f"{path}/{name}")]
    if isinstance(data, list) and data:
        return [part for one in data for part in values(one, f"{path}[]")]
    return [f"{path} {json.dumps(data, sort_keys=True)}"]


# -- ways of merging ---------------------------------------------------------------------------------------------------

Way: TypeAlias = Callable[[Any, Any, Any], Merged]
"""Merges base and two sides."""


def _concordant(kind: Kind, annotation: Any, empty: Any) -> Way:
    content: Any = Annotated[annotation, kind]
    model = create_model("File", content=(content, empty))

    def merge(base: Any, one: Any, other: Any) -> Merged:
        ws = Workspace(schemas={_AT[0]: model})
        ws.agent("base").write(*_AT, {"content": base})
        first, second = ws.agent("one"), ws.agent("other")
        with first.edit(*_AT) as a, second.edit(*_AT) as b:
            a.content, b.content = one, other
        document = ws.get(*_AT)
        assert document is not None
        return Merged(document.value.get("content", empty), bool(document.contested))

    return merge


def _lines(base: str, one: str, other: str) -> Merged:
    """As git merges: line by line; where both sides changed neighbouring lines it asks."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("one", "base", "other")]
        for path, text in zip(paths, (one, base, other), strict=True):
            path.write_text(text, encoding="utf-8", newline="")
        done = subprocess.run(["git", "merge-file", "-p", *map(str, paths)], capture_output=True, check=False)
    asked = done.returncode != 0
    return Merged(base if asked else done.stdout.decode(errors="replace"), asked)


def _last(base: Any, one: Any, other: Any) -> Merged:
    return Merged(other, False)


WAYS: Mapping[str, tuple[Way | None, Way | None]] = {
    "Concordant": (_concordant(Text(), str, ""), _concordant(Tree(), dict[str, Any], {})),
    "git, line by line": (_lines, None),
    "the last write wins": (_last, _last),
}
"""The ways of merging, by name: for prose, and for data (``None``: as the text that it is written as)."""


def play_merges(edits: Iterable[ConcurrentEdit]) -> tuple[dict[str, dict[str, Tally]], Counts[str]]:
    """Plays edits under each way of merging.

    Returns:
        Tallies by ``"prose"`` or ``"data"`` and by way; and how many files were left out, by reason.
    """
    tallies = {sort: {name: Tally() for name in WAYS} for sort in ("prose", "data")}
    left_out: Counts[str] = Counts()
    for edit in edits:
        texts = edit.base, edit.one, edit.other, edit.truth
        if edit.path.lower().endswith(STRUCTURE):
            try:
                given = [_loaded(edit.path, text) for text in texts]
            except _UnreadableError as error:
                left_out[str(error)] += 1
                continue
            _play_data(edit, given, tallies["data"])
        else:
            for name, (way, _) in WAYS.items():
                assert way is not None
                tallies["prose"][name].add(way(*texts[:3]), sentences, texts[:3], edit.truth)
    return tallies, left_out


def _play_data(edit: ConcurrentEdit, given: Sequence[Any], tallies: Mapping[str, Tally]) -> None:
    for name, (as_text, way) in WAYS.items():
        if way is not None:
            merged = way(*given[:3])
        else:
            assert as_text is not None
            text, asked = as_text(edit.base, edit.one, edit.other)
            try:
                merged = Merged(_loaded(edit.path, text), asked)
            except _UnreadableError:  # the lines of both make no document
                merged = Merged({"": text}, False)
        tallies[name].add(merged, values, given[:3], given[3])


class _UnreadableError(ConcordantError):
    """A file is no document that a tree can hold."""


def _loaded(path: str, text: str) -> Any:
    try:
        if path.lower().endswith(".json"):
            found = json.loads(text)
        elif path.lower().endswith(".toml"):
            found = tomllib.loads(text)
        else:
            found = importlib.import_module("yaml").safe_load(text)
    except ImportError as error:
        raise _UnreadableError("PyYAML is not installed") from error
    except Exception as error:  # whatever a parser raises at what people committed
        raise _UnreadableError("cannot be parsed") from error
    if not isinstance(found, dict) or not is_json(found):
        raise _UnreadableError("no object of JSON values with names")
    return found
