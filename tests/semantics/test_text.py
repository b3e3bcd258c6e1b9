"""``Text``: a write appends, an edit merges by units; two changes of one unit are contested."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel, create_model

from concordant import Text, Workspace

from .support import AT, only, pair, shown, sides, values, workspace

BASE = "The quick brown fox jumps over the lazy dog."


def workspace_of(kind: Text) -> Workspace:
    return workspace(create_model("Page", body=(Annotated[str, kind], "")))


class Page(BaseModel):
    body: Annotated[str, Text()] = ""


class Words(BaseModel):
    body: Annotated[str, Text(unit="word")] = ""


def edits(ws: Workspace, base: str, **versions: str) -> None:
    """Everybody edits what all had read before."""
    ws.agent("eve").write(*AT, {"body": base})
    began = ws.moment()
    entered = []
    for name, body in versions.items():
        edit = ws.agent(name, began=began).edit(*AT)
        edit.__enter__().body = body
        entered.append(edit)
    for edit in entered:
        edit.__exit__(None, None, None)


def body(ws: Workspace) -> str:
    found: str = (shown(ws) or {})["body"]
    return found


def test_write_appends_on_a_new_line() -> None:
    """Each contribution stands on a line of its own."""
    ws = workspace(Page)
    for name in ("ada", "bob"):
        ws.agent(name).write(*AT, {"body": f"By {name}."})
    assert body(ws) == "By ada.\nBy bob."


def test_concurrent_writes_both_append() -> None:
    """In the order of their commits."""
    ws = workspace(Page)
    ada, bob = pair(ws)
    bob.write(*AT, {"body": "By bob."})
    ada.write(*AT, {"body": "By ada."})
    assert body(ws) == "By bob.\nBy ada." and ws.escalations(state="all") == []


def test_equal_appends_are_two_events() -> None:
    """Two agents that add the same line added it twice."""
    ws = workspace(Page)
    ada, bob = pair(ws)
    for agent in (ada, bob):
        agent.write(*AT, {"body": "Done."})
    assert body(ws) == "Done.\nDone."


def test_edits_of_different_words_merge() -> None:
    """Both edits are in the text."""
    ws = workspace(Words)
    edits(ws, BASE, ada=BASE.replace("quick", "slow"), bob=BASE.replace("lazy", "sleeping"))
    assert body(ws) == "The slow brown fox jumps over the sleeping dog."
    assert ws.escalations(state="all") == []


def test_edits_of_neighbouring_words_merge() -> None:
    """Words are the unit: the next word is another one."""
    ws = workspace(Words)
    edits(ws, BASE, ada=BASE.replace("quick", "slow"), bob=BASE.replace("brown", "red"))
    assert body(ws) == "The slow red fox jumps over the lazy dog."
    assert ws.escalations(state="all") == []


def test_equal_rewrites_count_once() -> None:
    """Two agents that made the same change made one, and both are credited."""
    ws = workspace(Words)
    rewritten = BASE.replace("quick", "slow")
    edits(ws, BASE, ada=rewritten, bob=rewritten)
    assert body(ws) == rewritten and ws.escalations(state="all") == []
    assert any(set(credit.agents) == {"ada", "bob"} for credit in ws.blame(*AT)[("body",)])


def test_rewrites_of_the_same_word_are_contested() -> None:
    """Reason ``text``; base, contenders and decision are of the smallest range, the value shows base."""
    ws = workspace(Words)
    edits(ws, BASE, ada=BASE.replace("quick", "slow"), bob=BASE.replace("quick", "fast"))
    escalation = only(ws)
    assert (escalation.path, escalation.reason, escalation.base) == (("body",), "text", "quick")
    assert sides(escalation) == {"ada": "slow", "bob": "fast"}
    assert body(ws) == BASE
    ws.resolve(escalation, "swift", by="editor")
    assert body(ws) == BASE.replace("quick", "swift") and ws.escalations() == []


def test_all_else_merges_around_a_contested_range() -> None:
    """What the same edits did elsewhere is in the value."""
    ws = workspace(Words)
    edits(
        ws,
        BASE,
        ada=BASE.replace("quick", "slow").replace("dog", "cat"),
        bob=BASE.replace("quick", "fast").replace("over", "across") + " The end.",
    )
    assert body(ws) == "The quick brown fox jumps across the lazy cat. The end."
    assert sides(only(ws)) == {"ada": "slow", "bob": "fast"}


def test_words_are_never_torn() -> None:
    """Two changes within one word are rewrites of that word, whichever letters they touch."""
    ws = workspace(Words)
    edits(ws, "A colour.", ada="A colours.", bob="A discolour.")
    assert body(ws) == "A colour."
    assert sides(only(ws)) == {"ada": "colours", "bob": "discolour"}


@pytest.mark.parametrize(
    ("base", "ada", "bob"),
    [
        ("one two three", "one 2 three", "one zwei three"),
        ("alpha beta", "alpha", "alpha gamma"),
        ("a\nb\nc", "a\nx\nc", "a\ny\nc"),
        ("status is open", "status is closed", "status is pending"),
        ("naïve café", "naïve bar", "naïve pub"),
        ("日本 語", "日本 国", "日本 人"),
    ],
)
def test_a_contested_range_is_of_whole_words(base: str, ada: str, bob: str) -> None:
    """No contender and no value holds a piece of a word that nobody wrote."""
    ws = workspace(Words)
    edits(ws, base, ada=ada, bob=bob)
    escalation = only(ws)
    known = set(f"{base} {ada} {bob}".split())
    for text in (escalation.base, *values(escalation), body(ws)):
        assert set(text.split()) <= known
    assert body(ws) == base


def test_removing_a_word_against_rewriting_it_is_contested() -> None:
    """A removal is a rewrite to nothing."""
    ws = workspace(Words)
    edits(ws, BASE, ada=BASE.replace(" lazy", ""), bob=BASE.replace("lazy", "sleeping"))
    assert "lazy" in body(ws)
    assert "sleeping" in " ".join(values(only(ws)))


def test_two_removals_of_the_same_words_agree() -> None:
    """Both took out the same."""
    ws = workspace(Words)
    without = BASE.replace(" lazy", "")
    edits(ws, BASE, ada=without, bob=without)
    assert body(ws) == without and ws.escalations(state="all") == []


def test_partly_overlapping_removals_of_words_are_contested() -> None:
    """What both together would leave is a text that nobody wrote; one that takes in the other counts."""
    ws = workspace(Words)
    edits(ws, "one two three four five", ada="one four five", bob="one two five")
    assert body(ws) == "one two three four five" and len(ws.escalations()) == 1
    ws = workspace(Words)
    edits(ws, "one two three four five", ada="one five", bob="one two four five")
    assert body(ws) == "one five" and ws.escalations(state="all") == []


def test_two_removals_leave_one_gap() -> None:
    """Wherever the words stood, no blank is doubled or left dangling."""
    for base, ada, bob, left in (
        ("The cat sat on the mat.", "The cat on the mat.", "The cat sat.", "The cat."),
        ("one two three four", "one three four", "one two four", "one four"),
        ("one two three", "two three", "one three", "three"),
        ("one two three", "one three", "one two", "one"),
    ):
        ws = workspace(Words)
        edits(ws, base, ada=ada, bob=bob)
        assert (body(ws), ws.escalations()) == (left, [])


def test_two_removals_of_sentences_leave_one_gap() -> None:
    """The same for sentences and lines."""
    for base, ada, bob, left in (
        ("A. B. C. D.", "A. C. D.", "A. B. D.", "A. D."),
        ("A. B. C.", "A. B.", "A. C.", "A."),
        ("A.\nB. C.", "A.\nC.", "A.\nB.", "A."),
        ("A.\nB.\nC.\n", "B.\nC.\n", "A.\nC.\n", "C.\n"),
    ):
        ws = workspace(Page)
        edits(ws, base, ada=ada, bob=bob)
        assert (body(ws), ws.escalations()) == (left, [])


def test_g13_what_is_asked_about_stands_apart() -> None:
    """A unit that stands again, since it was removed and changed at once, is not glued to what stands behind it, though
    the gap there was removed by one who did not see it any more."""
    for model, base, ada, bob, eve, left in (
        (Words, "one two three four", "one two four", "one two", "one two 3 four", "one two three"),
        (Page, "A. B. C. D.", "A. B. D.", "A. B.", "A. B. Three. D.", "A. B. C."),
        (Page, "A. B.\nC. D.", "A. B. D.", "A. D.", "A. B.\nX. D.", "A.\nC. D."),
    ):
        ws = workspace(model)
        ws.agent("ada").write(*AT, {"body": base})
        with ws.agent("eve").edit(*AT) as late:
            late.body = eve
            for name, text in (("ada", ada), ("bob", bob)):
                with ws.agent(name).edit(*AT) as edit:
                    edit.body = text
        assert [line.split() for line in body(ws).splitlines()] == [line.split() for line in left.splitlines()]
        assert list(sides(only(ws))) == ["ada", "eve"]


def test_what_is_said_in_a_text_that_is_gone_is_said_in_units() -> None:
    """Of an edit of a text that was deleted meanwhile what it inserts stands, with gaps where two sentences meet."""
    ws = workspace(Page)
    ws.agent("eve").write(*AT, {"body": "We ship. The fox jumps."})
    with ws.agent("ada").edit(*AT) as late:
        late.body = "Dots are numbers. Each counts. The fox jumps."
        ws.agent("eve").delete(*AT)
        ws.agent("eve").write(*AT, {"body": "All is new."})
    assert [line.strip() for line in body(ws).splitlines()] == ["Dots are numbers. Each counts.", "All is new."]


def test_insertions_at_the_same_place_are_both_kept() -> None:
    """Two additions between the same words are no conflict."""
    ws = workspace(Words)
    edits(ws, "one three", ada="one two three", bob="one 2 three")
    assert sorted(body(ws).split()) == ["2", "one", "three", "two"]
    assert body(ws).split()[0] == "one" and body(ws).split()[-1] == "three"
    assert ws.escalations(state="all") == []


def test_two_contested_ranges_are_two_escalations() -> None:
    """Each has its own base and contenders; one is decided without the other."""
    ws = workspace(Words)
    edits(
        ws,
        BASE,
        ada=BASE.replace("quick", "slow").replace("lazy", "sleeping"),
        bob=BASE.replace("quick", "fast").replace("lazy", "tired"),
    )
    by_base = {escalation.base: escalation for escalation in ws.escalations()}
    assert set(by_base) == {"quick", "lazy"}
    document = ws.get(*AT)
    assert document is not None and len(document.contested) == 2
    ws.resolve(by_base["lazy"], "old", by="editor")
    assert only(ws).id == by_base["quick"].id
    assert body(ws) == BASE.replace("lazy", "old")
    ws.resolve(only(ws), "slow", by="editor")
    assert body(ws) == BASE.replace("lazy", "old").replace("quick", "slow")


def test_three_rewrites_of_one_word() -> None:
    """Each distinct rewrite is a contender; equal ones are one."""
    ws = workspace(Words)
    edits(
        ws,
        BASE,
        ada=BASE.replace("quick", "slow"),
        bob=BASE.replace("quick", "fast"),
        joe=BASE.replace("quick", "slow"),
    )
    assert sides(only(ws)) == {"ada": "slow", "joe": "slow", "bob": "fast"}
    assert len(only(ws).contenders) == 2


def test_a_range_decided_to_be_empty_is_empty_everywhere() -> None:
    """The words are gone, here and in a store that imports the document."""
    ws, other = workspace(Words), workspace(Words)
    edits(ws, BASE, ada=BASE.replace("quick", "slow"), bob=BASE.replace("quick", "fast"))
    ws.resolve(only(ws), "", by="editor")
    assert body(ws) == BASE.replace("quick", "") and ws.escalations() == []
    assert other.import_(ws.export()) == 1
    assert body(other) == body(ws)


def test_dismissing_keeps_the_base() -> None:
    """Neither rewrite stands."""
    ws = workspace(Words)
    edits(ws, BASE, ada=BASE.replace("quick", "slow"), bob=BASE.replace("quick", "fast"))
    ws.dismiss(only(ws), by="editor")
    assert body(ws) == BASE and ws.escalations() == []


def test_a_later_edit_that_saw_both_closes_the_range() -> None:
    """A scope that has seen the contenders rewrites the words: superseded."""
    ws = workspace(Words)
    edits(ws, BASE, ada=BASE.replace("quick", "slow"), bob=BASE.replace("quick", "fast"))
    with ws.agent("joe").edit(*AT) as page:
        assert page.body == BASE
        page.body = BASE.replace("quick", "nimble")
    assert body(ws) == BASE.replace("quick", "nimble")
    assert ws.escalations() == [] and only(ws, "superseded").base == "quick"


def test_an_edit_elsewhere_leaves_the_range_contested() -> None:
    """Writing back what was shown touches nothing."""
    ws = workspace(Words)
    edits(ws, BASE, ada=BASE.replace("quick", "slow"), bob=BASE.replace("quick", "fast"))
    before = only(ws)
    with ws.agent("joe").edit(*AT) as page:
        page.body = page.body.replace("dog", "cat")
    assert body(ws) == BASE.replace("dog", "cat")
    assert (only(ws).id, only(ws).version) == (before.id, before.version)


def test_an_append_against_an_edit_merges() -> None:
    """A contribution and an edit are both kept."""
    ws = workspace(Page)
    ws.agent("eve").write(*AT, {"body": "One two."})
    ada, bob = pair(ws)
    with ada.edit(*AT) as page:
        page.body = "One 2."
    bob.write(*AT, {"body": "Three."})
    assert body(ws) == "One 2.\nThree." and ws.escalations() == []


def test_an_edit_of_a_line_that_another_appends_to() -> None:
    """Additions at the end of what both read are both there."""
    ws = workspace(Page)
    edits(ws, "One.", ada="One. Two.", bob="One. Three.")
    assert sorted(body(ws).split()) == ["One.", "Three.", "Two."] and ws.escalations() == []


@pytest.mark.parametrize("separator", ["\n", " | ", "\n\n", ""])
def test_the_separator_stands_between_contributions(separator: str) -> None:
    """As declared, and not before the first."""
    ws = workspace_of(Text(separator=separator))
    for word in ("one", "two", "three"):
        ws.agent("ada").write(*AT, {"body": word})
    assert body(ws) == separator.join(["one", "two", "three"])


def test_overlap_merge_keeps_both_rewrites() -> None:
    """Nothing escalates, and both rewrites stand one after the other."""
    ws = workspace_of(Text(overlap="merge"))
    edits(ws, BASE, ada=BASE.replace("quick", "slow"), bob=BASE.replace("quick", "fast"))
    assert body(ws) == f"{BASE.replace('quick', 'slow')} {BASE.replace('quick', 'fast')}"
    assert ws.escalations(state="all") == []


def test_grow_only_appends_the_changed_lines() -> None:
    """Removals are ignored; whole changed lines are appended."""
    ws = workspace_of(Text(grow_only=True))
    ws.agent("eve").write(*AT, {"body": "one\ntwo\nthree"})
    with ws.agent("ada").edit(*AT) as page:
        page.body = "one\n2\nthree\nfour"
    assert body(ws) == "one\ntwo\nthree\n2\nfour"
    with ws.agent("ada").edit(*AT) as page:
        page.body = ""
    assert body(ws) == "one\ntwo\nthree\n2\nfour"


def test_an_empty_write_writes_an_empty_text() -> None:
    """The field is written, and empty; nothing is added to a text."""
    ws = workspace(Page)
    ws.agent("ada").write(*AT, {"body": ""})
    assert shown(ws) == {"body": ""}
    ws.agent("ada").write(*AT, {"body": "one"})
    ws.agent("ada").write(*AT, {"body": ""})
    assert body(ws) == "one"


def test_an_emptied_text_is_empty() -> None:
    """An edit may remove all; what is appended then is the whole text."""
    ws = workspace(Page)
    ws.agent("ada").write(*AT, {"body": "one"})
    with ws.agent("bob").edit(*AT) as page:
        page.body = ""
    assert shown(ws) == {"body": ""}
    ws.agent("ada").write(*AT, {"body": "two"})
    assert body(ws).strip() == "two"


def test_clearing_against_an_append_keeps_the_append() -> None:
    """What the clearing edit had not seen stays."""
    ws = workspace(Page)
    ws.agent("eve").write(*AT, {"body": "old words"})
    ada, bob = pair(ws)
    with ada.edit(*AT) as page:
        page.body = ""
    bob.write(*AT, {"body": "new"})
    assert body(ws).strip() == "new" and ws.escalations() == []


def test_the_whole_text_rewritten_by_both_is_one_question() -> None:
    """A paragraph written anew by two is contested as one range, not word by word."""
    ws = workspace(Words)
    edits(
        ws,
        "We meet on Monday to plan the release.",
        ada="Nobody meets; planning happens by mail this week.",
        bob="Everybody gathers Friday for a look at what shipped.",
    )
    assert len(ws.escalations()) == 1
    assert body(ws) == "We meet on Monday to plan the release."


def test_blame_names_the_agent_of_each_span() -> None:
    """Who wrote which words."""
    ws = workspace(Page)
    ws.agent("ada").write(*AT, {"body": "One two."})
    with ws.agent("bob").edit(*AT) as page:
        page.body = "One 2."
    spans = [(credit.value, credit.agent) for credit in ws.blame(*AT)[("body",)]]
    assert "".join(text for text, _ in spans) == "One 2."
    assert [agent for text, agent in spans if "2" in text] == ["bob"]
    assert [agent for text, agent in spans if "One" in text] == ["ada"]


@pytest.mark.parametrize("text", ["\n", " ", "\t\n \n", "a\r\nb", "\u2028", "\x00", "🧑‍🚀", "\n\nx\n"])
def test_any_text_comes_back_as_it_was_written(text: str) -> None:
    """White space, control and combined characters are content; what is appended begins a line."""
    ws = workspace(Page)
    ws.agent("ada").write(*AT, {"body": text})
    assert body(ws) == text
    ws.agent("bob").write(*AT, {"body": "x"})
    assert body(ws) == text + ("" if text.endswith("\n") else "\n") + "x"


# -- units ------------------------------------------------------------------------------------------------------------


def test_two_changes_of_one_sentence_are_a_question() -> None:
    """Base and contenders are whole sentences as each writer left them, the base is shown, all else merges."""
    ws = workspace(Page)
    ada, bob = "Deploy to production. Tell all.", "Never deploy to staging. Tell us."
    edits(ws, "Deploy to staging. Tell all.", ada=ada, bob=bob)
    escalation = only(ws)
    assert (escalation.reason, escalation.base) == ("text", "Deploy to staging.")
    assert sides(escalation) == {"ada": "Deploy to production.", "bob": "Never deploy to staging."}
    assert body(ws) == "Deploy to staging. Tell us."


def test_new_sentences_beside_a_contested_one_are_in_the_text() -> None:
    """What is inserted beside it, whoever did so, is no part of the question."""
    ws = workspace(Page)
    edits(ws, "A cat sat.", ada="A cat sat down. It slept.", bob="A cat sat up.", joe="Once: A cat sat. The end.")
    assert "It slept." in body(ws) and only(ws).reason == "text"


def test_a_sentence_removed_against_one_changed_is_a_question() -> None:
    """The removal is a contender that says nothing."""
    ws = workspace(Page)
    edits(ws, "A. Agents read. B.", ada="A. B.", bob="A. Agents read and write. B.")
    assert sides(only(ws)) == {"ada": "", "bob": "Agents read and write."}
    assert body(ws) == "A. Agents read. B."
    ws.resolve(only(ws), "", by="editor")
    assert body(ws) == "A. B." and ws.escalations() == []


def test_neighbouring_contested_sentences_are_one_question() -> None:
    """Two texts written anew never mix, and are asked about as a whole."""
    ws = workspace(Page)
    edits(
        ws,
        "Data is in one place. The last writer wins.",
        ada="All records share a store. Changes collide rarely.",
        bob="There is a log. A reducer merges it.",
    )
    assert sides(only(ws)) == {
        "ada": "All records share a store. Changes collide rarely.",
        "bob": "There is a log. A reducer merges it.",
    }
    assert body(ws) == "Data is in one place. The last writer wins."


def test_what_two_inserted_at_one_place_counts_once() -> None:
    """All of it or a part; both are credited. A write stays an event of its own."""
    ws = workspace(Page)
    edits(ws, "import os\n", ada="import os\nimport re\n", bob="import os\nimport re\nimport sys\n")
    assert body(ws) == "import os\nimport re\nimport sys\n" and ws.escalations(state="all") == []
    assert any(set(c.agents) == {"ada", "bob"} and "import re" in c.value for c in ws.blame(*AT)[("body",)])
    ws.agent("joe").write(*AT, {"body": "import re"})
    assert body(ws).count("import re") == 2


def test_an_indented_line_counts_once_only_with_what_it_belongs_to() -> None:
    """Two functions that return the same are two functions."""
    ws = workspace_of(Text(unit="line"))
    base = "import os\n"
    edits(ws, base, ada=f"{base}def f():\n    return 1\n", bob=f"{base}def g():\n    return 1\n")
    assert body(ws).count("    return 1") == 2


def test_an_edit_replaces_the_sides_that_it_has_seen() -> None:
    """Of two who have seen both sides, and each other's text not, each is a side now."""
    ws = workspace(Page)
    edits(ws, "It is open.", ada="It is closed.", bob="It is ajar.")
    began = ws.moment()
    with ws.agent("joe", began=began).edit(*AT) as joes, ws.agent("eve", began=began).edit(*AT) as eves:
        joes.body, eves.body = "It is locked.", "It is gone."
    assert sides(only(ws)) == {"joe": "It is locked.", "eve": "It is gone."}


def test_writers_who_come_to_the_same_text_agree() -> None:
    """However many steps each took."""
    ws = workspace(Page)
    ws.agent("eve").write(*AT, {"body": "One. Two."})
    ada, bob = pair(ws)
    with ada.edit(*AT) as page:
        page.body = "One. Three."
    with bob.edit(*AT) as page:
        page.body = "One. Four."
    with bob.edit(*AT) as page:
        page.body = "One. Three."
    assert body(ws) == "One. Three." and ws.escalations() == []


def test_all_sides_may_be_shown() -> None:
    """With ``provisional="all"`` both are read while the question is open; who has read both may settle it."""
    ws = workspace_of(Text(provisional="all"))
    edits(ws, "Plan X", ada="Plan X, budget 10k", bob="Plan X, owner Eve")
    assert body(ws) == "Plan X, budget 10k\nPlan X, owner Eve" and only(ws).base == "Plan X"
    with ws.agent("joe").edit(*AT) as page:
        page.body = "Plan X, budget 10k, owner Eve"
    assert body(ws) == "Plan X, budget 10k, owner Eve" and ws.escalations() == []


def test_units_are_lines_or_the_whole() -> None:
    """Two changes of one line, or of the text, are a question; of different lines they merge."""
    for unit, base, ada, bob, contested in (
        ("line", "a b. c d.\ne f.", "A b. c d.\ne f.", "a b. c D.\ne f.", True),
        ("line", "a b. c d.\ne f.", "A b. c d.\ne f.", "a b. c d.\nE f.", False),
        ("whole", "a b.\ne f.", "A b.\ne f.", "a b.\nE f.", True),
    ):
        ws = workspace_of(Text(unit=unit))  # type: ignore[arg-type]
        edits(ws, base, ada=ada, bob=bob)
        assert bool(ws.escalations()) == contested


def test_a_suggestion_is_the_merge_by_words() -> None:
    """Where two changes touch no common word; it may be taken as the decision."""
    ws = workspace(Page)
    edits(ws, "The fox jumps.", ada="The red fox jumps.", bob="The fox jumps high.")
    assert only(ws).suggestion == "The red fox jumps high."
    ws.resolve(only(ws), only(ws).suggestion, by="maria")
    assert body(ws) == "The red fox jumps high."
    ws = workspace(Page)
    edits(ws, "In May.", ada="In June.", bob="In July.")
    assert only(ws).suggestion is None


def test_what_is_put_beside_a_rewritten_word_stands_beside_its_rewrite() -> None:
    """Whoever commits first; in lists the same."""
    for first, second in (("- buy bread", "- buy milk (2 l)"), ("- buy milk (2 l)", "- buy bread")):
        ws = workspace(Words)
        edits(ws, "- buy milk", ada=first, bob=second)
        assert body(ws) == "- buy bread (2 l)"
