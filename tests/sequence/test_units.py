"""The units of texts, and what changed between two texts, unit by unit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from concordant.merge.sequence import units as units_module
from concordant.merge.sequence.diff import Hunk
from concordant.merge.sequence.units import Span, unit_hunks, units

from .test_diff import never_exact

UNITS = ["sentence", "line", "word", "whole"]
FRAGMENTS = [
    *[
        "a",
        "b",
        "open",
        "One.",
        "Two?",
        "été",
        "d_1",
        "中文。",
        "किताब",
        "e\u0301",
        "1.25",
        "2. ",
        "- x",
        "(y)",
        "\u2026",
    ],
    *[" ", " ", "  ", "\t", "\n", "\n", "\n\n", "\r\n", "\u00a0", "\n    "],
    *[".", ",", "-", "!\ufe0f", "👍🏽", "👨\u200d👩\u200d👧", "🇩🇪"],
]
texts = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join) | st.text(max_size=30)


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, str]:
    """A text, and the same text after some of its fragments were removed, replaced or repeated."""
    parts = draw(st.lists(st.sampled_from(FRAGMENTS), max_size=40))
    new = list(parts)
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(new)))
        end = draw(st.integers(start, min(start + 4, len(new))))
        new[start:end] = draw(st.lists(st.sampled_from(FRAGMENTS), max_size=4) | st.just(new[start:end] * 2))
    return "".join(parts), "".join(new)


pairs = edited() | st.tuples(texts, texts)


def applied(base: str, hunks: list[Hunk]) -> str:
    for hunk in reversed(hunks):
        base = base[: hunk.start] + hunk.content + base[hunk.end :]
    return base


def assert_well_formed(hunks: list[Hunk]) -> None:
    assert all(hunk.start <= hunk.end and (hunk.start < hunk.end or hunk.content) for hunk in hunks)
    assert all(hunk.end <= after.start for hunk, after in pairwise(hunks))


def split(text: str, unit: str) -> list[str]:
    return [text[start:end] for start, end in units(text, unit)]


@pytest.mark.parametrize("unit", UNITS)
@given(pairs)
@settings(max_examples=100)
def test_round_trip(unit: str, pair: tuple[str, str]) -> None:
    """Applying the hunks, which are in order and not empty, to what was read gives exactly what it became."""
    base, new = pair
    hunks = unit_hunks(base, new, unit)
    assert_well_formed(hunks)
    assert applied(base, hunks) == new
    assert all(base[hunk.start : hunk.end] != hunk.content for hunk in hunks)


@settings(max_examples=400)
@given(texts, st.integers(0, 200), st.integers(0, 4), st.sampled_from([*FRAGMENTS, "", "x", "(", "x.y", "x y"]))
def test_a_change_in_one_word_is_what_a_look_at_all_words_tells(base: str, at: int, removed: int, put: str) -> None:
    """Where two texts differ within white space the words around it are not looked at, and it makes no difference."""
    at = min(at, len(base))
    new = base[:at] + put + base[at + removed :]
    found = unit_hunks(base, new, "word")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units_module, "_in_one_word", lambda *_: None)
        assert unit_hunks(base, new, "word") == found


def test_a_word_in_a_long_line_is_found_without_a_look_at_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a line in which one word is another one just that is read."""
    read: list[str] = []

    def noted(text: str, unit: str) -> Iterator[Span]:
        read.append(text)
        return units(text, unit)

    monkeypatch.setattr(units_module, "units", noted)
    assert unit_hunks("One (two), three four.", "One (2), three four.", "word") == [Hunk(5, 8, "2")]
    assert read == ["(two),", "(2),"]


@pytest.mark.parametrize("unit", UNITS)
@given(pairs)
@settings(max_examples=100)
def test_no_unit_is_torn(unit: str, pair: tuple[str, str]) -> None:
    """A hunk begins and ends at units or in the gaps between them, and puts whole units."""
    base, new = pair
    inside = {at for start, end in units(base, unit) for at in range(start + 1, end)}
    mine = set(split(new, unit))
    for hunk in unit_hunks(base, new, unit):
        assert hunk.start not in inside and hunk.end not in inside
        if unit != "sentence":  # the number of an item is one with its sentence only where a line begins
            assert {part.strip() for part in split(hunk.content, unit)} <= {part.strip() for part in mine}


@pytest.mark.parametrize("unit", UNITS)
@given(pairs)
def test_large_texts(unit: str, pair: tuple[str, str]) -> None:
    """What is too large for the exact method is compared as rightly."""
    base, new = pair
    with never_exact():
        hunks = unit_hunks(base, new, unit)
    assert_well_formed(hunks)
    assert applied(base, hunks) == new


@pytest.mark.parametrize("seed", ["0", "4242"])
def test_hash_seed_does_not_matter(seed: str) -> None:
    """Another seed of the string hash, as every process has one, gives the same hunks."""
    base = "The quick fox. And the lazy dog met the other fox by the lake. " * 3
    new = "The lazy fox. And a quick dog left the other lake for the dog. " * 3
    code = f"from concordant.merge.sequence.units import unit_hunks; print(unit_hunks({base!r}, {new!r}, 'sentence'))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == str(unit_hunks(base, new, "sentence"))


@pytest.mark.parametrize(
    ("unit", "text", "expected"),
    [
        ("sentence", "A is one. B is two.\nC is three", ["A is one.", "B is two.", "C is three"]),
        ("sentence", 'He said "no." She left.', ['He said "no."', "She left."]),
        ("sentence", "Costs 1.25 EUR (v1.2.3). Ok…  Done", ["Costs 1.25 EUR (v1.2.3).", "Ok…", "Done"]),
        ("sentence", "2. Buy milk. Call Bob.\n- 3) x", ["2. Buy milk.", "Call Bob.", "- 3) x"]),
        ("sentence", "今天。 明天！ 好", ["今天。", "明天！", "好"]),  # noqa: RUF001
        ("sentence", "    if x:\n\n        return 1. ", ["    if x:", "        return 1."]),
        ("line", "a. b.\n\n  c d \n", ["a. b.", "  c d"]),
        (
            "word",
            "Pay $35,000,000 by 2026-05-01, 10:30!",
            ["Pay", "$35,000,000", "by", "2026-05-01", ",", "10:30", "!"],
        ),
        (
            "word",
            "v1.2.3 (a@b.org) https://x.y/z?q=1. .env",
            ["v1.2.3", "(", "a@b.org", ")", "https://x.y/z?q=1", ".", ".env"],
        ),
        ("word", "it's 5% e\u0301 किताब 👍🏽!", ["it's", "5%", "e\u0301", "किताब", "👍🏽", "!"]),
        ("whole", "a. b\nc", ["a. b\nc"]),
        ("sentence", " \n", []),
    ],
)
def test_units(unit: str, text: str, expected: list[str]) -> None:
    """Sentences end before white space or a line break; numbers, dates, versions and addresses are words."""
    assert split(text, unit) == expected


@pytest.mark.parametrize(
    ("unit", "base", "new", "hunks"),
    [
        ("word", "status is open", "state is closed", [(0, 6, "state"), (10, 14, "closed")]),
        ("word", "red cat", "blue dog", [(0, 3, "blue"), (4, 7, "dog")]),
        ("word", "we meet on monday", "nobody ever comes today", [(0, 17, "nobody ever comes today")]),
        ("word", "foo", "foo.", [(3, 3, ".")]),
        ("word", "a, b", "a, c, b", [(3, 3, "c, ")]),
        ("word", "foo baz bar", "foo bar", [(4, 8, "")]),
        ("word", "the cat sat.", "the cat.", [(7, 11, "")]),
        ("sentence", "", "x", [(0, 0, "x")]),
        ("sentence", "x", "", [(0, 1, "")]),
        ("sentence", "A. B. C.", "A. C.", [(3, 6, "")]),
        ("sentence", "A. B.", "A.", [(2, 5, "")]),
        ("sentence", "A.\nB. C.", "A.\nC.", [(3, 6, "")]),
        ("sentence", "A.\n\nB.", "A.\n\nNew.\n\nB.", [(4, 4, "New.\n\n")]),
        ("sentence", "A. B.", "A.\n\nB.", [(2, 3, "\n\n")]),
        ("sentence", "A.", "A. B.", [(2, 2, " B.")]),
        ("sentence", "A.\n", "A.\nB.\n", [(3, 3, "B.\n")]),
        (
            "sentence",
            "The red fox runs. Dogs bark.",
            "The big red fox runs. Cats hide away. Birds sing.",
            [(0, 17, "The big red fox runs."), (18, 28, "Cats hide away. Birds sing.")],
        ),
        ("line", "a\nb", "a\nx\nb", [(2, 2, "x\n")]),
        ("line", "a", "a\nb", [(1, 1, "\nb")]),
        ("line", "- a\n- b\n- c", "- a\n- c", [(4, 8, "")]),
        ("line", "x\r\ny\r\n", "x\ny\n", [(1, 3, "\n"), (4, 6, "\n")]),
        ("whole", "a. b", "a. c", [(0, 4, "a. c")]),
    ],
)
def test_hunks(unit: str, base: str, new: str, hunks: list[tuple[int, int, str]]) -> None:
    """A unit goes with one of the gaps beside it; one that is like an old one is its rewrite."""
    assert unit_hunks(base, new, unit) == hunks


@pytest.mark.parametrize("join", [" ", "\n", ""])
@pytest.mark.parametrize("unit", UNITS)
def test_large_rewrite(join: str, unit: str) -> None:
    """A large text that was rewritten altogether is compared in reasonable time."""
    base = join.join(f"<{n * n % 997}>" for n in range(20000))
    new = join.join(f"<{n * n % 991}>" for n in range(20000))
    assert applied(base, unit_hunks(base, new, unit)) == new


@pytest.mark.parametrize("period", [1009, 30011])
def test_scattered_changes_in_a_large_text(period: int) -> None:
    """In a large text, also in one that repeats itself, every changed word is found by itself."""
    old = [f"w{n * n % period}" for n in range(30000)]
    new = [f"new{n}" if n % 500 == 7 else word for n, word in enumerate(old)]
    hunks = unit_hunks(" ".join(old), " ".join(new), "word")
    assert [hunk.content for hunk in hunks] == [f"new{n}" for n in range(7, 30000, 500)]


@pytest.mark.parametrize(
    ("unit", "old", "new"), [("word", "old", "new"), ("sentence", "Old words are.", "Now words are.")]
)
def test_one_change_in_a_long_line(unit: str, old: str, new: str) -> None:
    """One changed unit is one hunk, however long the text and its lines are."""
    before, after = "Lorem ipsum dolor. " * 5000, " Sit amet." * 5000
    hunk = (len(before), len(before) + len(old), new)
    assert unit_hunks(f"{before}{old}{after}", f"{before}{new}{after}", unit) == [hunk]


@pytest.mark.parametrize("piece", ["a ", "a\n", "a", " ", "\n", ".", "a. b\n", "🇩🇪", "\u0301", "👍\u200d"])
@pytest.mark.parametrize("unit", ["sentence", "word"])
def test_repetitive_texts_do_not_blow_up(piece: str, unit: str) -> None:
    """Texts that repeat themselves thousands of times are compared in reasonable time."""
    base = piece * 2500
    for new in (
        piece * 2501,
        "b " + piece * 2501 + " b",
        piece * 500 + "x\n" + piece * 1500 + " y " + piece * 600,
        "b\n" + piece * 1000 + "b" + piece * 500 + "b\n" + piece * 1001 + "b",
    ):
        for before, after in ((base, new), (new, base)):
            hunks = unit_hunks(before, after, unit)
            assert applied(before, hunks) == after
            assert_well_formed(hunks)
