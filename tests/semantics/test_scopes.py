"""What a scope has seen: what was there when it began, its own writes, and what it read."""

from __future__ import annotations

import pickle

import pytest

from concordant import Workspace

from .support import AT, NS, only, pair, shown, sides, values, workspace


def test_what_was_committed_before_a_scope_began_is_seen() -> None:
    """A write replaces what was there when its scope began."""
    ws = workspace()
    ws.agent("ada").write(*AT, {"status": "draft"})
    ws.agent("bob").write(*AT, {"status": "final"})
    assert shown(ws) == {"status": "final"}
    assert ws.escalations() == []


def test_what_was_committed_after_a_scope_began_is_concurrent() -> None:
    """Two handles that began before either wrote are concurrent, in whatever order they write."""
    ws = workspace()
    ada, bob = ws.agent("ada"), ws.agent("bob")
    bob.write(*AT, {"status": "final"})
    ada.write(*AT, {"status": "draft"})
    assert sides(only(ws)) == {"bob": "final", "ada": "draft"}


def test_own_writes_are_seen() -> None:
    """An agent's later write replaces its earlier one."""
    ws = workspace()
    ada = ws.agent("ada")
    for status in ("draft", "review", "final"):
        ada.write(*AT, {"status": status})
    assert shown(ws) == {"status": "final"}
    assert ws.escalations(state="all") == []


def test_own_later_write_replaces_only_the_own_contender() -> None:
    """Of two contenders a writer that has seen one of them, its own, replaces that one."""
    ws = workspace()
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    bob.write(*AT, {"status": "b"})
    bob.write(*AT, {"status": "b2"})
    assert sides(only(ws)) == {"ada": "a", "bob": "b2"}


def test_a_read_moves_the_scope_forward() -> None:
    """What a scope has read it replaces."""
    ws = workspace()
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    bob.read(*AT)
    bob.write(*AT, {"status": "b"})
    assert shown(ws) == {"status": "b"}
    assert ws.escalations(state="all") == []


def test_a_read_counts_as_of_that_read() -> None:
    """What was committed after the read is concurrent again."""
    ws = workspace()
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a1"})
    bob.read(*AT)
    ada.write(*AT, {"status": "a2"})
    bob.write(*AT, {"status": "b"})
    assert sides(only(ws)) == {"ada": "a2", "bob": "b"}


def test_a_read_counts_for_its_document_alone() -> None:
    """Reading one document says nothing about another."""
    ws = workspace()
    ada, bob = pair(ws)
    ada.write(NS, "one", {"status": "a"})
    ada.write(NS, "two", {"status": "a"})
    bob.read(NS, "one")
    bob.write(NS, "one", {"status": "b"})
    bob.write(NS, "two", {"status": "b"})
    assert [e.key for e in ws.escalations()] == ["two"]


def test_a_read_of_nothing_is_a_read() -> None:
    """A document that was read as missing and written by another meanwhile is concurrent."""
    ws = workspace()
    ada, bob = pair(ws)
    assert bob.read(*AT) is None
    ada.write(*AT, {"status": "a"})
    bob.write(*AT, {"status": "b"})
    assert values(only(ws)) == ["a", "b"]


def test_an_edit_reads_at_its_entry() -> None:
    """An edit has seen what was there at its entry, and nothing later."""
    ws = workspace()
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    with bob.edit(*AT) as draft:
        draft["status"] = "b"
    assert shown(ws) == {"status": "b"}
    with bob.edit(*AT) as draft:
        ada.refresh()
        ada.write(*AT, {"status": "a2"})
        draft["status"] = "b2"
    assert sides(only(ws)) == {"ada": "a2", "bob": "b2"}


def test_a_read_while_an_edit_is_open_counts() -> None:
    """Closing an edit does not take back what was read while it was open."""
    ws = workspace()
    ada, bob = pair(ws)
    with bob.edit(*AT) as draft:
        ada.write(*AT, {"x": "a"})
        bob.read(*AT)
        draft["y"] = 1
    bob.write(*AT, {"x": "b"})
    assert ws.escalations() == []
    assert shown(ws) == {"x": "b", "y": 1}


def test_get_moves_no_scope() -> None:
    """``ws.get`` is a look from outside: the agents have not seen what it showed."""
    ws = workspace()
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    ws.get(*AT)
    bob.write(*AT, {"status": "b"})
    assert len(ws.escalations()) == 1


def test_refresh_begins_anew() -> None:
    """After ``refresh`` all that is committed by now is seen, in every document."""
    ws = workspace()
    ada, bob = pair(ws)
    for key in ("one", "two"):
        ada.write(NS, key, {"status": "a"})
    bob.refresh()
    for key in ("one", "two"):
        bob.write(NS, key, {"status": "b"})
    assert ws.escalations(state="all") == []


def test_a_moment_gives_workers_a_common_beginning() -> None:
    """Workers begun from one moment are concurrent, though the second was made after the first wrote."""
    ws = workspace()
    began = ws.moment()
    ws.agent("ada", began=began).write(*AT, {"status": "a"})
    ws.agent("bob", began=began).write(*AT, {"status": "b"})
    assert sides(only(ws)) == {"ada": "a", "bob": "b"}


def test_a_moment_has_seen_what_came_before_it() -> None:
    """A scope begun from a moment replaces what was committed before the moment."""
    ws = workspace()
    ws.agent("ada").write(*AT, {"status": "a"})
    began = ws.moment()
    ws.agent("bob", began=began).write(*AT, {"status": "b"})
    assert shown(ws) == {"status": "b"} and ws.escalations() == []


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_moment_can_be_pickled(protocol: int) -> None:
    """A moment that travelled to another process is the same beginning."""
    ws = workspace()
    ws.agent("eve").write(*AT, {"status": "old"})
    began = pickle.loads(pickle.dumps(ws.moment(), protocol))
    assert began == began.__class__(*began)
    ws.agent("ada", began=began).write(*AT, {"status": "a"})
    ws.agent("bob", began=began).write(*AT, {"status": "b"})
    assert sides(only(ws)) == {"ada": "a", "bob": "b"}
    assert only(ws).base == "old"


def test_a_stale_writer_after_a_hundred_good_versions_is_concurrent_with_the_last() -> None:
    """However much was written since, the contenders are the stale write and the value that stands."""
    ws = workspace()
    ada, bob = pair(ws)
    for number in range(100):
        ada.write(*AT, {"status": f"v{number}"})
    bob.write(*AT, {"status": "stale"})
    assert sides(only(ws)) == {"ada": "v99", "bob": "stale"}


def test_two_handles_of_one_name_are_two_scopes() -> None:
    """The scope is the handle, not the name."""
    ws = workspace()
    began = ws.moment()
    ws.agent("ada", began=began).write(*AT, {"status": "one"})
    ws.agent("ada", began=began).write(*AT, {"status": "two"})
    assert values(only(ws)) == ["one", "two"]


def test_an_edit_that_raises_writes_nothing() -> None:
    """Nothing is written when the block of an edit raises."""
    ws = workspace()
    ada = ws.agent("ada")
    ada.write(*AT, {"status": "a"})
    edit = ada.edit(*AT)
    edit.__enter__()["status"] = "b"
    error = RuntimeError()
    assert not edit.__exit__(RuntimeError, error, None)
    assert shown(ws) == {"status": "a"}


def test_an_edit_that_changes_nothing_is_no_write() -> None:
    """Leaving an edit without a change makes no version."""
    ws = workspace()
    ada = ws.agent("ada")
    before = ada.write(*AT, {"status": "a"}).version
    with ada.edit(*AT):
        pass
    document = ws.get(*AT)
    assert document is not None and document.version == before


@pytest.mark.parametrize("name", ["", None, 7])
def test_an_agent_needs_a_name(name: object) -> None:
    """An agent's name is a non-empty string."""
    from concordant import ConcordantError

    with pytest.raises(ConcordantError, match="name"):
        Workspace().agent(name)  # type: ignore[arg-type]


@pytest.mark.parametrize("writes", [1, 300, 600])
def test_who_has_seen_what_of_a_long_row_of_writes(writes: int) -> None:
    """Of many writes in a row by one handle, who began before or among them has not seen the last; who began after
    has."""
    ws = workspace()
    ada = ws.agent("ada")
    before = ws.moment()
    among = before
    for number in range(writes):
        if number == writes - 1:
            among = ws.moment()
        ada.write(*AT, {"status": f"s{number}"})
    after = ws.moment()
    last = f"s{writes - 1}"
    ws.agent("dan", began=after).write(*AT, {"status": "after"})
    assert shown(ws) == {"status": "after"} and ws.escalations() == []
    ada.write(*AT, {"status": last})
    for name, began in (("bob", before), ("cy", among)):
        ws.agent(name, began=began).write(*AT, {"status": name})
    (escalation,) = ws.escalations()
    assert {contender.value for contender in escalation.contenders} >= {last, "bob", "cy"}
