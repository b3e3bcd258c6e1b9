"""Workloads as data: what must come of them, how a store is held against that, and a store that is wrong is noticed."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from concordant.bench import (
    STRATEGIES,
    Costs,
    Outcome,
    Strategy,
    Task,
    Verdict,
    Workload,
    WorkloadError,
    dump,
    judge,
    load,
    play,
    truth_of,
)
from concordant.bench.strategies import Concordant

FIELDS = {"tags": "set", "status": "scalar", "notes": "text", "owners": "map", "hits": "counter", "steps": "list"}
BY_NAME = {strategy.name: strategy for strategy in STRATEGIES}


def workload(*rounds: list[tuple[str, Any]], start: dict[str, Any] | None = None) -> Workload:
    """Rounds of (agent, change of the one document)."""
    tasks = tuple(tuple(Task(agent, {"k": change}) for agent, change in one) for one in rounds)
    return Workload("test", FIELDS, tasks, {"k": start} if start else {})


def verdict(given: Workload, strategy: Strategy, *, coroutines: bool = False) -> Verdict:
    outcome = play(given, strategy.open(given), Costs(thinking=False), coroutines=coroutines)
    return judge(truth_of(given), outcome, serial=strategy.serial)


def test_who_saw_a_value_replaces_it() -> None:
    """Of values given one after the other the last must be there, of those given at once each: a conflict."""
    after = truth_of(workload([("ada", {"status": "a"})], [("bob", {"status": "b"})]))
    assert ([fact.value for fact in after.facts], after.conflicts) == (["b"], frozenset())
    at_once = truth_of(workload([("ada", {"status": "a"}), ("bob", {"status": "b"}), ("eve", {"status": "b"})]))
    assert [(fact.value, fact.agents) for fact in at_once.facts] == [("a", ("ada",)), ("b", ("bob", "eve"))]
    assert at_once.conflicts == {("k", ("status",))}


def test_what_merges_is_no_conflict() -> None:
    """Elements, items, lines, amounts and entries of different keys are all there, whoever gave them when."""
    change = {"tags": ["x"], "steps": ["s"], "notes": "A line.", "hits": 2, "owners": {"a": 1}}
    truth = truth_of(workload([("ada", change), ("bob", {**change, "owners": {"b": 1}})]))
    assert truth.conflicts == frozenset()
    assert truth.totals == {("k", ("hits",)): 4}
    assert len([fact for fact in truth.facts if fact.kind == "text"]) == 2
    assert [fact.agents for fact in truth.facts if fact.kind == "set"] == [("ada", "bob")]


def test_a_deletion_beside_an_update_is_a_conflict() -> None:
    """Alone it takes all that was there away; who deletes what another changes at once is of another mind."""
    start = {"status": "new", "tags": ["t"]}
    alone = truth_of(workload([("ada", None)], start=start))
    assert (alone.facts, alone.conflicts) == ((), frozenset())
    beside = truth_of(workload([("ada", None), ("bob", {"status": "b"})], start=start))
    assert beside.conflicts == {("k", ())}
    assert [fact.value for fact in beside.facts] == ["b", "t"]


def test_words_of_a_text() -> None:
    """Two who replace one word differently are in conflict, two who replace different words are not."""
    start = {"notes": "one two three"}
    given = workload([("ada", {"notes": {"replace": ["one", "1"]}}), ("bob", {"notes": {"replace": ["two", "2"]}})])
    assert truth_of(Workload("t", FIELDS, given.rounds, {"k": start})).conflicts == frozenset()
    given = workload([("ada", {"notes": {"replace": ["one", "1"]}}), ("bob", {"notes": {"replace": ["one", "I"]}})])
    assert truth_of(Workload("t", FIELDS, given.rounds, {"k": start})).conflicts == {("k", ("notes",))}


def test_what_is_wrong_is_counted() -> None:
    """A lost element, a doubled line, a wrong sum, an alarm without need, a conflict without a word."""
    given = workload([("ada", {"tags": ["a", "b"], "notes": "Line.", "hits": 1}), ("bob", {"status": "x", "hits": 1})])
    truth = truth_of(given)
    right = {"tags": ["a", "b"], "notes": "Line.", "hits": 2, "status": "x"}
    assert judge(truth, Outcome({"k": right})) == Verdict(6, 6, merged=2)
    assert judge(truth, Outcome({"k": {**right, "tags": ["a"]}})).lost == 1
    assert judge(truth, Outcome({"k": {**right, "notes": "Line.\nLine."}})).corrupted == 1
    assert judge(truth, Outcome({"k": {**right, "hits": 1}})).lost == 1
    assert judge(truth, Outcome({"k": {**right, "hits": 3}})).corrupted == 1
    assert judge(truth, Outcome({"k": None})).lost == 6
    assert judge(truth, Outcome({"k": right}, frozenset([("k", ("status",))]))).false == 1
    two = truth_of(workload([("ada", {"status": "x"}), ("bob", {"status": "y"})]))
    silent = judge(two, Outcome({"k": {"status": "x"}}))
    assert (silent.kept, silent.lost, silent.missed, silent.right) == (1, 1, 1, False)


@pytest.mark.parametrize("coroutines", [False, True])
@pytest.mark.parametrize("name", BY_NAME)
def test_every_strategy_does_what_it_is_known_for(name: str, coroutines: bool) -> None:
    """The last write wins and loses; compare and retry, and locks, lose nothing; Concordant also says who is of another
    mind."""
    change = {"hits": 1, "notes": "A line."}
    given = workload([(f"agent {n}", {**change, "tags": [f"t{n}"], "status": f"s{n}"}) for n in range(5)])
    found = verdict(given, BY_NAME[name], coroutines=coroutines)
    assert found.right == (name != "last write wins")
    assert (found.lost > 0) == (found.missed > 0) == (name == "last write wins")
    if name == "Concordant":
        assert (found.escalated, found.attributed) == (5, found.kept + found.escalated)


def test_retries_and_model_calls_are_counted() -> None:
    """Who compares and retries thinks again; who locks waits."""
    given = workload([(f"agent {n}", {"hits": 1}) for n in range(4)])
    costs = {}
    for name in ("compare and retry", "locks"):
        play(given, BY_NAME[name].open(given), costs.setdefault(name, Costs(thinking=False)))
    assert costs["compare and retry"].model_calls == 4 + costs["compare and retry"].retries > 4
    assert (costs["locks"].model_calls, costs["locks"].retries) == (4, 0)


@pytest.mark.parametrize("coroutines", [False, True])
@pytest.mark.parametrize("name", BY_NAME)
def test_a_task_that_fails_is_done_again(name: str, coroutines: bool) -> None:
    """What it adds counts once with Concordant; where nobody knows of attempts it is there twice."""
    change = {"hits": 1, "notes": "A line.", "steps": ["s"]}
    given = workload([("ada", change)])
    again = Workload("again", FIELDS, ((given.rounds[0][0]._replace(fails=True),),))
    costs = Costs(thinking=False)
    strategy = BY_NAME[name]
    found = judge(truth_of(again), play(again, strategy.open(again), costs, coroutines=coroutines))
    assert (costs.model_calls, costs.retries) == (2, 1)
    assert found.corrupted == (0 if name == "Concordant" else 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "<escalated:status>"},
        {"status": 1},
        {"tags": "a"},
        {"tags": ["a", "z"]},
        {"notes": "Line. <<<<<<< mine"},
        {"notes": ["Line."]},
        {"owners": {"a": 1, "z": 1}},
        {"owners": {"a": True}},
        {"hits": True},
        {"hits": "1"},
        {"steps": ["s", "t"]},
        {"more": "x"},
    ],
    ids=str,
)
def test_what_nobody_gave_is_corrupted(wrong: dict[str, Any]) -> None:
    """A mark of a conflict in a value, a value of the wrong type, and one that was never given are each seen."""
    right = {"tags": ["a"], "status": "x", "notes": "Line.", "owners": {"a": 1}, "hits": 1, "steps": ["s"]}
    truth = truth_of(workload([("ada", right)]))
    assert judge(truth, Outcome({"k": right})).right
    assert judge(truth, Outcome({"k": {**right, **wrong}})).corrupted >= 1


def test_a_policy_settles_on_record() -> None:
    """What it sets aside is resolved; a store without policies has lost it, and told nobody."""
    tasks = [Task(agent, {"k": {"status": price}}) for agent, price in (("ada", 2), ("bob", 3.5), ("eve", 1))]
    given = Workload("policy", FIELDS, (tuple(tasks),), resolve={"status": "max"})
    ours = verdict(given, BY_NAME["Concordant"])
    assert ours.right and (ours.kept, ours.resolved, ours.escalated) == (1, 2, 0)
    stock = verdict(given, BY_NAME["last write wins"])
    assert stock.lost >= 2 and (stock.missed, stock.resolved) == (1, 0)
    for name in ("compare and retry", "locks"):
        assert verdict(given, BY_NAME[name]).right


def test_merged_is_what_met_others_and_is_there() -> None:
    """What nobody else touched is kept but not merged, and where something was lost nothing is."""
    given = workload([("ada", {"tags": ["a"], "status": "x"}), ("bob", {"tags": ["b"]})])
    assert (verdict(given, BY_NAME["Concordant"]).kept, verdict(given, BY_NAME["Concordant"]).merged) == (3, 2)
    assert verdict(given, BY_NAME["last write wins"]).merged == 0


AGENTS = st.sampled_from(["ada", "bob", "eve", "joe"])
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "tags": st.lists(st.sampled_from("abc"), max_size=2, unique=True),
        "status": st.sampled_from(["x", "y", "z"]),
        "owners": st.dictionaries(st.sampled_from("pq"), st.integers(0, 2), max_size=2),
        "hits": st.integers(1, 3),
        "steps": st.lists(st.sampled_from("st"), max_size=2),
    },
)
ROUNDS = st.lists(st.dictionaries(AGENTS, CHANGES, min_size=1, max_size=4), min_size=1, max_size=5)


@settings(max_examples=50)
@given(ROUNDS)
def test_concordant_is_right_on_random_workloads(rounds: list[dict[str, Any]]) -> None:
    """Random teams: nothing lost or corrupted, no alarm false or missed, everybody named."""
    found = verdict(workload(*(list(one.items()) for one in rounds)), BY_NAME["Concordant"])
    assert found.right
    assert found.attributed == found.kept + found.escalated


class Forgetful(Concordant):
    """Every agent begins anew before it writes: it has seen what it never read."""

    turn = threading.Lock()

    def work(self, task: Task, costs: Costs, attempt: int = 0) -> Generator[Any, None, None]:
        yield None
        with self.turn:
            self.begin()
            yield from (step for step in super().work(task, costs, attempt) if step is not None)


def test_an_engine_that_believes_too_much_is_noticed() -> None:
    """A broken Concordant, which takes concurrent writes for later ones, misses the conflict."""
    given = workload([("ada", {"status": "x"}), ("bob", {"status": "y"})])
    assert verdict(given, Strategy("Concordant", Concordant)).right
    found = verdict(given, Strategy("forgetful", Forgetful))
    assert (found.right, found.missed) == (False, 1)


def test_a_file_says_the_same(tmp_path: Path) -> None:
    """What is written is what is read again."""
    given = workload([("ada", {"tags": ["x"]}), ("bob", None)], [("eve", {"status": "y"})], start={"status": "new"})
    path = tmp_path / "test.jsonl"
    path.write_text(dump(given), "utf-8")
    assert load(path) == given


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: the file is empty"),
        ("[1]", "line 1: a list"),
        ("{", "line 1: no JSON"),
        ('{"workload": "w"}', "line 1: no fields"),
        ('{"fields": {"a": "sett"}}', "a has the kind 'sett'. Use one of counter, list, map, scalar, set, text"),
        ('{"fields": {"a": "set"}}\n\n{"agent": "x", "changes": {}}', "line 3: no round"),
        ('{"fields": {"a": "set"}}\n{"round": 1, "changes": {}}', "line 2: a task names its agent"),
        ('{"fields": {"a": "set"}}\n{"round": 1, "agent": "x", "changes": {"k": {"b": 1}}}', "k has no field 'b'"),
        ('{"fields": {"a": "set"}}\n{"round": 1, "agent": "x", "changes": {"k": {"a": "t"}}}', "'t' no list"),
        ('{"fields": {"a": "set"}, "resolve": {"a": "max"}}', "line 1: a is resolved by 'max'"),
        (
            '{"fields": {"a": "scalar"}, "resolve": {"a": "max"}}\n'
            '{"round": 1, "agent": "x", "changes": {"k": {"a": "b"}}}',
            "line 2: a is resolved by max, and 'b' no number",
        ),
        ('{"fields": {"a": "set"}, "start": {"k": {"b": 1}}}', "line 1: k has no field 'b'"),
        ('{"fields": {"a": "set"}}\n{"round": 1, "agent": "x", "changes": {"k": []}}', "line 2: the change of k is []"),
        ('{"fields": {"a": "set"}}\n{"round": 1, "agent": "x", "changes": {}, "think": "long"}', "line 2: think is"),
        (
            '{"fields": {"a": "text"}}\n{"round": 1, "agent": "x", "changes": {"k": {"a": {"replace": "b"}}}}',
            "line 2: {'replace': 'b'} replaces nothing",
        ),
        ('{"fields": {"a": "counter"}}\n{"round": 1, "agent": "x", "changes": {"k": {"a": true}}}', "True no int"),
    ],
)
def test_a_wrong_file_is_told_where_and_why(tmp_path: Path, text: str, told: str) -> None:
    """The line, what is wrong with it, and how to mend it."""
    path = tmp_path / "wrong.jsonl"
    path.write_text(text, "utf-8")
    with pytest.raises(WorkloadError) as caught:
        load(path)
    assert told in str(caught.value)


def test_the_documents_example_is_a_workload(tmp_path: Path) -> None:
    """The file that the documentation shows loads, the stock way loses some of it, and Concordant does not."""
    page = Path(__file__).parents[2] / "docs" / "workloads.md"
    text = page.read_text("utf-8").split("```json\n")[1].split("```")[0]
    path = tmp_path / "launch.jsonl"
    path.write_text(text, "utf-8")
    given = load(path)
    assert len(given.tasks) == 4
    assert verdict(given, BY_NAME["last write wins"]).lost > 0
    assert verdict(given, BY_NAME["Concordant"]).right
