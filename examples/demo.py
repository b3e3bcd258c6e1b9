"""Two agents write one brief at the same time: on LangGraph's own store, then on Concordant's. Run: make demo.

Everything printed comes from real runs of real graphs, and the demo checks what it claims: it fails if LangGraph's
store lost nothing, or if Concordant's lost anything.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel
from rich import box
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text as RichText

from concordant import Counter, Escalation, Scalar, Set, Text
from concordant_langgraph import MergeStore

Values = dict[str, Any]

# -- the user's code: what the demo shows is what it runs --------------------------------------------------------


class Brief(BaseModel):
    tags: Annotated[set[str], Set()]
    notes: Annotated[str, Text()]
    tokens: Annotated[int, Counter()]
    status: Annotated[str | None, Scalar()] = None


def contribute(store: BaseStore, agent: str, mine: Values) -> None:
    brief = store.get(("briefs",), "launch").value
    with turn(agent):  # by now both agents have read; each writes in its turn
        new = {
            "tags": [*brief["tags"], *mine["tags"]],
            "notes": brief["notes"] + "\n" + mine["notes"],
            "tokens": brief["tokens"] + mine["tokens"],
            "status": mine["status"],
        }
        store.put(("briefs",), "launch", new)


async def acontribute(store: BaseStore, agent: str, mine: Values) -> None:
    brief = (await store.aget(("briefs",), "launch")).value
    async with turn(agent):
        new = {
            "tags": [*brief["tags"], *mine["tags"]],
            "notes": brief["notes"] + "\n" + mine["notes"],
            "tokens": brief["tokens"] + mine["tokens"],
            "status": mine["status"],
        }
        await store.aput(("briefs",), "launch", new)


SWAP = """\
- store = InMemoryStore()
+ store = MergeStore({("briefs",): Brief})
  graph = builder.compile(store=store)"""

PLAN: Values = {"tags": ["launch"], "notes": "Goal: two pages.", "tokens": 100, "status": "draft"}
WORK: dict[str, Values] = {
    "researcher": {"tags": ["crdt"], "notes": "Twelve sources read.", "tokens": 900, "status": "needs sources"},
    "writer": {"tags": ["memory"], "notes": "First page written.", "tokens": 400, "status": "ready"},
}

# -- the graph: plan, then researcher and writer in parallel -----------------------------------------------------


class State(TypedDict):
    topic: str


class turn:
    """Stands for the slow part of the agents' work: an agent that enters waits until both have read, and then for its
    turn to write. So they collide in every run, and every run shows the same."""

    agents = ("researcher", "writer")
    both_have_read = threading.Barrier(2)
    moved = threading.Condition()
    next = 0

    def __init__(self, agent: str) -> None:
        self.place = self.agents.index(agent)

    def __enter__(self) -> None:
        self.both_have_read.wait(timeout=5)
        with self.moved:
            assert self.moved.wait_for(lambda: turn.next == self.place, timeout=5), "the other agent never wrote"

    def __exit__(self, *_: object) -> None:
        with self.moved:
            turn.next = 1 - self.place
            self.moved.notify_all()

    async def __aenter__(self) -> None:
        await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()


def team(store: BaseStore, node_of: Callable[[str], Callable[..., Any]]) -> Any:
    """The graph of plan, researcher and writer, compiled with a store."""

    def plan(state: State, store: BaseStore) -> None:
        store.put(("briefs",), "launch", PLAN)

    builder = StateGraph(State).add_node("plan", plan).add_edge(START, "plan")
    for agent in WORK:
        builder.add_node(agent, node_of(agent)).add_edge("plan", agent)
    return builder.compile(store=store)


def run(store: BaseStore) -> Values:
    """Runs the team with plain nodes; returns the brief as it is in the store afterwards."""

    def node_of(agent: str) -> Callable[..., None]:
        def node(state: State, store: BaseStore) -> None:
            contribute(store, agent, WORK[agent])

        return node

    team(store, node_of).invoke({"topic": "launch"})
    return store.get(("briefs",), "launch").value


def run_async(store: BaseStore) -> Values:
    """The same with coroutines for nodes, on one event loop."""

    def node_of(agent: str) -> Callable[..., Any]:
        async def node(state: State, store: BaseStore) -> None:
            await acontribute(store, agent, WORK[agent])

        return node

    asyncio.run(team(store, node_of).ainvoke({"topic": "launch"}))
    return store.get(("briefs",), "launch").value


def lost(brief: Values, *, escalated: Sequence[Escalation] = ()) -> list[tuple[str, str, Any]]:
    """What the agents wrote that is neither in the brief nor a contender: (agent, field, value)."""
    claims = {(c.agent, c.value) for e in escalated if e.path == ("status",) for c in e.contenders}
    gone: list[tuple[str, str, Any]] = []
    for agent, mine in WORK.items():
        others = sum(work["tokens"] for name, work in WORK.items() if name != agent)
        kept = {
            "tags": mine["tags"][0] in brief["tags"],
            "notes": mine["notes"] in brief["notes"],
            "tokens": brief["tokens"] != PLAN["tokens"] + others,
            "status": brief["status"] == mine["status"] or (agent, mine["status"]) in claims,
        }
        gone += [(agent, field, mine[field]) for field, is_kept in kept.items() if not is_kept]
    return gone


# -- what the demo shows -----------------------------------------------------------------------------------------

console = Console(highlight=False)
console.width = min(console.width, 100) if console.is_terminal else 100


def indented(what: RenderableType) -> None:
    console.print(Padding(what, (0, 0, 1, 2), expand=False))


def title(text: str) -> None:
    console.rule(f"[bold]{text}", align="left", style="dim")
    console.print()


def say(text: str) -> None:
    indented(RichText.from_markup(text))


def show(source: str, lexer: str = "python") -> None:
    text = Syntax("", lexer, theme="ansi_dark").highlight(source)
    text.rstrip()
    indented(text)


def show_brief(brief: Values) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for field, value in brief.items():
        table.add_row(f"[bold]{field}", escape(str(value)))
    indented(table)


def show_table(*columns: str, rows: list[tuple[Any, ...]]) -> None:
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    indented(table)


def show_code() -> None:
    title("Two agents work on one brief, in parallel nodes of one graph")
    say("The researcher and the writer both run these ten lines:")
    show(inspect.getsource(contribute))
    say("How the fields of a brief merge is declared once, on its model:")
    show(inspect.getsource(Brief))


def on_stock_store() -> None:
    title("1. On LangGraph's InMemoryStore")
    brief = run(InMemoryStore())
    show_brief(brief)
    gone = lost(brief)
    fields = {field for _, field, _ in gone}
    assert fields == set(Brief.model_fields), f"LangGraph's own store lost {fields or 'nothing'}, not all fields"
    say("[bold red]Lost[/], without an error or a word:")
    show_table("field", "value", "agent", rows=[(field, repr(value), agent) for agent, field, value in gone])


def on_merge_store() -> MergeStore:
    title("2. On Concordant's MergeStore: the same lines, one of the set-up changed")
    show(SWAP, "diff")
    store = MergeStore({("briefs",): Brief})
    brief = run(store)
    show_brief(brief)
    assert lost(brief, escalated=store.escalations()) == []
    say(
        "[bold green]Lost: nothing.[/] Tags, notes and tokens have merged; the two statuses cannot, and are contenders."
    )
    say("Who wrote what (ws.blame):")
    rows = []
    for path, credits in store.workspace.blame(("briefs",), "launch").items():
        contended = "  (contender)" if len(credits) > 1 and path == ("status",) else ""
        rows += [(".".join(path), f"{credit.value!r}{contended}", credit.agent) for credit in credits]
    show_table("field", "value", "agent", rows=rows)
    return store


def show_escalation(escalation: Escalation) -> None:
    place = f"{'/'.join(escalation.namespace)}:{escalation.key} {'.'.join(escalation.path)}"
    say(f"[bold]{place}[/] is {escalation.state}, reason: {escalation.reason}")
    rows = [(repr(c.value), ", ".join(c.agents), f"{c.at:%H:%M:%S.%f}") for c in escalation.contenders]
    show_table("contender", "agents", "time (UTC)", rows=rows)


def settle(store: MergeStore) -> None:
    title("3. Two answers to one question: escalated, and settled by a person")
    [escalation] = store.escalations()
    assert (escalation.path, escalation.reason) == (("status",), "scalar")
    assert {c.agent: c.value for c in escalation.contenders} == {a: mine["status"] for a, mine in WORK.items()}
    show_escalation(escalation)
    meanwhile = store.get(("briefs",), "launch").value["status"]
    assert meanwhile == PLAN["status"]
    say(f"Nothing stops meanwhile: a read gives the last agreed value, {meanwhile!r}. Maria decides:")
    show('store.resolve(escalation, "needs sources", by="maria")')
    store.resolve(escalation, "needs sources", by="maria")
    final = store.get(("briefs",), "launch").value
    assert final["status"] == "needs sources"
    assert store.escalations() == []
    say("The brief in the end, and its journal (ws.history):")
    show_brief(final)
    journal = reversed(store.workspace.history(("briefs",), "launch"))
    show_table("version", "act", "by", rows=[(entry.version, entry.act, entry.agent) for entry in journal])


def with_async_nodes() -> None:
    title("4. The same with async nodes, on one event loop")
    store = MergeStore({("briefs",): Brief})
    stock, ours = run_async(InMemoryStore()), run_async(store)
    stock_lost, ours_lost = len(lost(stock)), len(lost(ours, escalated=store.escalations()))
    assert stock_lost == len(Brief.model_fields)
    assert ours_lost == 0
    rows = [(field, stock[field], ours[field]) for field in stock]
    rows += [
        ("escalated", "", *(".".join(e.path) for e in store.escalations())),
        ("writes lost", stock_lost, ours_lost),
    ]
    show_table("", "InMemoryStore", "MergeStore", rows=rows)


def across_types() -> None:
    title("5. A list and a string meet on a field declared as a Set")
    puts = {"researcher": ["x"], "writer": "y"}

    def node_of(agent: str) -> Callable[..., None]:
        def node(state: State, store: BaseStore) -> None:
            with turn(agent):
                store.put(("briefs",), "launch", {"tags": puts[agent]})

        return node

    store = MergeStore({("briefs",): Brief})
    team(store, node_of).invoke({"topic": "launch"})
    tags = store.get(("briefs",), "launch").value["tags"]
    [escalation] = store.escalations()
    assert (escalation.path, escalation.reason) == (("tags",), "type")
    assert [c.value for c in escalation.contenders] == [["launch", "x"], "y"]
    say("The researcher puts \\['x'], which joins the set. The writer puts 'y', which is no set:")
    show_escalation(escalation)
    decision = [*tags, "y"]
    say(f"The field works on meanwhile: tags is {escape(str(tags))}. Maria says what was meant:")
    show(f'store.resolve(escalation, {decision}, by="maria")')
    store.resolve(escalation, decision, by="maria")
    assert store.get(("briefs",), "launch").value["tags"] == decision
    assert store.escalations() == []
    say(f"tags is {escape(str(decision))}, and nothing is open.")


def main() -> None:
    console.print()
    show_code()
    on_stock_store()
    settle(on_merge_store())
    with_async_nodes()
    across_types()
    say("Every claim above was checked while it was printed.")


if __name__ == "__main__":
    main()
