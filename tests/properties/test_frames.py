"""Frames from outside: whatever is done to their bytes, they are refused whole or leave a state that works on."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter as Tally
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import CorruptFrameError, StaleReplicaError, Text, Workspace
from concordant.workspace import frames

from .team import SCHEMAS, SPACES, Team, changed, team_history, values
from .world import picture


class Note(BaseModel):
    """A document with a text."""

    body: Annotated[str, Text()] = ""


ODD: list[Any] = [
    *(None, True, 0, -1, 1, 1.5, 2**70, -(2**63), 1e308, float("nan"), float("inf")),
    *("", "x", "\x00", "\ud800", "{}", "[1", "r0", "r1", "9" * 400, "map[map[set]]:tags"),
    *([], {}, [[]], [None], {"a": 1}),
]


def nodes(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything in a JSON value."""
    if path:
        yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, node in items:
        yield from nodes(node, (*path, key))


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def mutated(rnd: random.Random, tree: Any) -> Any:
    """A JSON value with some of its parts replaced, repeated, taken out, moved or counted on."""
    tree = copy.deepcopy(tree)
    for _ in range(rnd.choice([1, 1, 1, 2, 4])):
        paths = list(nodes(tree))
        *above, key = rnd.choice(paths)
        parent = at(tree, tuple(above))
        node, act = parent[key], rnd.random()
        if act < 0.4:
            parent[key] = copy.deepcopy(rnd.choice(ODD))
        elif act < 0.55:
            parent[key] = copy.deepcopy(at(tree, rnd.choice(paths)))
        elif act < 0.7 and len(tree) > 1:
            del parent[key]
        elif act < 0.8 and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(node))
        elif isinstance(node, (int, float)) and not isinstance(node, bool):
            parent[key] = node + rnd.choice([1, -1, 1000, 0.5])
        elif isinstance(node, str):
            parent[key] = node[: rnd.randrange(len(node) + 1)] + rnd.choice(["", "x", "\\", '"', "é"])
        elif isinstance(parent, list):
            rnd.shuffle(parent)
    return tree


def opened(frame: bytes) -> Any:
    """The content of a frame, its documents as JSON values."""
    content = json.loads(frames.opened(frame, None, 1 << 28))
    content["documents"] = [[space, key, json.loads(record)] for space, key, record in content["documents"]]
    return content


def sealed(content: Any) -> bytes:
    """Content as a frame whose digest fits."""
    content = copy.deepcopy(content)
    documents = content.get("documents") if isinstance(content, dict) else None
    for document in documents if isinstance(documents, list) else ():
        if isinstance(document, list) and len(document) > 2 and not isinstance(document[2], str):
            document[2] = json.dumps(document[2], ensure_ascii=False)
    body = json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return frames.seal(body, None)


def works_on(workspace: Workspace, rnd: random.Random) -> None:
    """Everything can be read, written, edited, exported and deleted."""
    agent = workspace.agent("zed")
    for document in list(workspace.list(())):
        place = (document.namespace, document.key)
        _ = document.model, document.created_at, document.updated_at, str(workspace.escalations())
        workspace.blame(*place)
        list(workspace.history(*place))
        agent.write(*place, values(rnd, document.namespace) if document.namespace in SPACES else {"a": 1})
        with workspace.agent("yan").edit(*place) as draft:
            if document.namespace in SCHEMAS:
                changed(rnd, draft)
    twin = Workspace(schemas=SCHEMAS, replica="twin")
    twin.import_(workspace.export())
    assert picture(twin) == picture(workspace)
    for document in list(workspace.list(())):
        agent.delete(document.namespace, document.key)


def forge(seed: str, count: int, tally: Tally[str]) -> None:
    """Imports forgeries of one team's frame, into an empty workspace or one that has their other replicas' frames."""
    rnd = random.Random(seed)
    begin, *acts = team_history(rnd, rnd.choice([4, 10, 20]))
    team = Team(begin[1], **begin[2])
    for name, number, where in acts:
        team.act(name, str(number), where["space"])
    source = rnd.choice(team.spaces)
    content = opened(source.export())
    for _ in range(count):
        forged = sealed(mutated(rnd, content))
        target = Workspace(schemas=SCHEMAS, replica="target")
        for space in team.spaces if rnd.random() < 0.6 else ():
            if space is not source or rnd.random() < 0.5:
                target.import_(space.export())
        before, moment = picture(target), target.moment().n
        try:
            target.import_(forged)
        except (CorruptFrameError, StaleReplicaError):  # a forged mark is that of a copy
            assert (picture(target), target.moment().n) == (before, moment), "a part of the frame was applied"
            assert target.refused()[-1].frame == forged
            tally["refused"] += 1
        else:
            works_on(target, rnd)
            tally["taken"] += 1


def test_g7_g11_forged_frames_are_refused_whole_or_leave_a_state_that_works_on(seed: str) -> None:
    """Hundreds of frames with a fitting digest and anything else in them: our error, or documents that work on."""
    tally: Tally[str] = Tally()
    for number in range(25):
        forge(f"{seed}.{number}", 10, tally)
    assert tally["refused"] > 100 and tally["taken"] > 20, tally


@pytest.mark.torture
def test_g7_g11_twenty_thousand_forged_frames(seed: str) -> None:
    """The same twenty thousand times."""
    tally: Tally[str] = Tally()
    for number in range(2_000):
        forge(f"{seed}.{number}", 10, tally)
    assert tally.total() == 20_000, tally


def test_g11_damaged_bytes_are_refused(seed: str) -> None:
    """Bytes changed, cut or added on the way never pass the digest; a key makes forging it impossible."""
    rnd = random.Random(seed)
    source = Workspace(replica="l", frame_key=b"secret")
    source.agent("ada").write(("notes",), "n", {"title": "Dots"})
    frame = source.export()
    target = Workspace(replica="r", frame_key=b"secret")
    for _ in range(300):
        place = rnd.randrange(len(frame))
        damaged = rnd.choice(
            [
                frame[:place],
                frame + b"x",
                frame[:place] + bytes([frame[place] ^ (1 << rnd.randrange(8))]) + frame[place + 1 :],
                b"",
            ]
        )
        with pytest.raises(CorruptFrameError):
            target.import_(damaged)
    with pytest.raises(CorruptFrameError, match="frame_key"):
        target.import_(sealed(opened(frame)))
    assert not list(target.list(()))
    assert target.import_(frame) == 1


@pytest.mark.parametrize("marks", [{"r0": [[0, "\ud800"]]}, {"\ud800": [[0, "a"]]}])
def test_g11_marks_that_are_no_text_are_refused(marks: Any) -> None:
    """Half of a surrogate pair could not be sent on."""
    source, target = Workspace(replica="l"), Workspace(replica="r")
    source.agent("ada").write(("notes",), "n", {"title": "Dots"})
    with pytest.raises(CorruptFrameError, match="marks"):
        target.import_(sealed({**opened(source.export()), "marks": marks}))
    target.export()


@pytest.mark.parametrize("name", ["\ud800", "r\udfff"])
@pytest.mark.parametrize("where", ["replica", "vector", "since", "forgotten"])
def test_g11_names_of_stores_that_are_no_text_are_refused(where: str, name: str) -> None:
    """Half of a surrogate pair could not be sent on, whether it is the sender's name or in what it knows of others."""
    source, target = Workspace(replica="l"), Workspace(replica="r")
    source.agent("ada").write(("notes",), "n", {"title": "Dots"})
    content = opened(source.export())
    content[where] = name if where == "replica" else {**content[where], name: 1}
    with pytest.raises(CorruptFrameError, match="what its sender knew"):
        target.import_(sealed(content))
    target.export()


def rewritten() -> Any:
    """The content of a frame with a text of which bob has rewritten the sentence of ada, and its pieces."""
    source = Workspace(schemas={("notes",): Note}, replica="l")
    source.agent("ada").write(("notes",), "n", {"body": "One two three."})
    with source.agent("bob").edit(("notes",), "n") as draft:
        draft.body = "One two four."
    content = opened(source.export())
    [[_, leaf]] = content["documents"][0][2]["leaves"]
    return content, leaf["p"]


@pytest.mark.parametrize("offset", [-1, 2**40, 2**70])
def test_g11_a_piece_beyond_any_text_is_refused(offset: int) -> None:
    """To tell who wrote it would take more memory than there is."""
    content, pieces = rewritten()
    pieces[-1][2] = offset
    with pytest.raises(CorruptFrameError, match="begins at"):
        Workspace(schemas={("notes",): Note}).import_(sealed(content))


@pytest.mark.parametrize("span", [[5, 5], [-1, 3], [0, 2**70]])
def test_g11_credits_of_no_part_are_refused(span: list[int]) -> None:
    """Who is credited with what is told of characters that can be there."""
    content, pieces = rewritten()
    pieces[-1] += [None, [[*span, [0]]]]
    with pytest.raises(CorruptFrameError, match="credits"):
        Workspace(schemas={("notes",): Note}).import_(sealed(content))


@pytest.mark.parametrize("struck", [[["l", 2, 1]], [["l", 1, 1]], [["l", 1, 1], ["l", 2, 1]]])
def test_g11_sentences_that_replace_each_other_are_somebodys(struck: list[Any]) -> None:
    """Who wrote what is told of made-up rewrites that replace themselves, or each other in a circle."""
    content, pieces = rewritten()
    for piece in pieces:
        piece[6] = struck
    ws = Workspace(schemas={("notes",): Note})
    ws.import_(sealed(content))
    assert all(credit.agents for credit in ws.blame(("notes",), "n").get(("body",), ()))
    ws.agent("eve").write(("notes",), "n", {"body": "Five."})
    assert "Five." in str(ws.blame(("notes",), "n"))


def test_g11_a_clock_far_ahead_is_refused() -> None:
    """A write from a day after tomorrow would push the clock of everybody who takes it; it is refused."""
    source = Workspace(replica="l")
    source.storage.advance(source.moment().time + 3 * 86_400)
    source.agent("ada").write(("notes",), "n", {"title": "Dots"})
    target = Workspace(replica="r")
    before = target.moment().time
    with pytest.raises(CorruptFrameError, match="not a time"):
        target.import_(source.export())
    assert target.moment().time < before + 60
