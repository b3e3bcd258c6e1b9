"""A research team: agents that run in parallel share one brief, and none of their work is lost.

A planner sends three researchers off at once; then a writer and a critic revise the report at once. Each reads the
brief, thinks, and puts back what it made of it. Run: python examples/langgraph_team.py
"""

import asyncio
from typing import Annotated, Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Send
from pydantic import BaseModel

from concordant import Counter, List, Scalar, Set, Text
from concordant_langgraph import MergeStore


class Source(BaseModel):
    url: Annotated[str, Scalar()] = ""
    supports: Annotated[set[str], Set()]


class Brief(BaseModel):
    sources: Annotated[list[Source], Set(by="url")]  # one record for each url, whoever found it
    findings: Annotated[list[str], List()]
    report: Annotated[str, Text()]
    tokens: Annotated[int, Counter()] = 0
    confidence: Annotated[float, Scalar(resolve="min")] = 1.0
    verdict: Annotated[str | None, Scalar()] = None


class State(TypedDict, total=False):
    brief: str
    aspect: str


store = MergeStore({("briefs",): Brief})

# What a search and a model would come up with.
FOUND: dict[str, dict[str, Any]] = {
    "cost": {"finding": "Costs grow with the number of agents.", "urls": ["a.org", "b.org"], "confidence": 0.9},
    "speed": {"finding": "Four agents are twice as fast as one.", "urls": ["b.org"], "confidence": 0.6},
    "quality": {"finding": "Reviews find half of the errors.", "urls": ["c.org", "b.org"], "confidence": 0.8},
}


async def think() -> None:
    """Stands for calls of a model: the other agents go on meanwhile."""
    await asyncio.sleep(0.01)


async def planner(state: State) -> None:
    await store.aput(
        ("briefs",), state["brief"], {"report": "Teams of agents is slow. They are careful.", "tokens": 50}
    )


def researchers(state: State) -> list[Send]:
    return [Send("researcher", {"brief": state["brief"], "aspect": aspect}) for aspect in FOUND]


async def researcher(state: State) -> None:
    aspect = state["aspect"]
    with store.acting_as(f"researcher/{aspect}"):  # three tasks of one node: without it all are called "researcher"
        item = await store.aget(("briefs",), state["brief"])
        brief = item.value if item else {}
        await think()
        found = FOUND[aspect]
        await store.aput(
            ("briefs",),
            state["brief"],
            {
                "sources": [{"url": url, "supports": [aspect]} for url in found["urls"]],
                "findings": [*brief.get("findings", []), found["finding"]],
                "tokens": brief.get("tokens", 0) + 300,
                "confidence": found["confidence"],
            },
        )


async def writer(state: State) -> None:
    item = await store.aget(("briefs",), state["brief"])
    brief = item.value if item else {}
    await think()
    report = brief["report"].replace("is slow", "are slow") + f"\n{len(brief['findings'])} findings."
    await store.aput(
        ("briefs",), state["brief"], {"report": report, "tokens": brief["tokens"] + 200, "verdict": "done"}
    )


async def critic(state: State) -> None:
    item = await store.aget(("briefs",), state["brief"])
    brief = item.value if item else {}
    await think()
    report = brief["report"].replace("careful", "thorough")
    await store.aput(
        ("briefs",), state["brief"], {"report": report, "tokens": brief["tokens"] + 100, "verdict": "weak"}
    )


builder = StateGraph(State)
builder.add_node(planner).add_edge(START, "planner")
builder.add_node(researcher).add_conditional_edges("planner", researchers, ["researcher"])
builder.add_node(writer).add_edge("researcher", "writer")
builder.add_node(critic).add_edge("researcher", "critic")
graph = builder.compile(store=store)


def main() -> None:
    asyncio.run(graph.ainvoke({"brief": "agents"}))
    item = store.get(("briefs",), "agents")
    assert item is not None
    brief = item.value
    for source in sorted(brief["sources"], key=lambda source: source["url"]):
        print(source["url"], "supports", sorted(source["supports"]))
    print("findings:", *sorted(brief["findings"]))
    print("report:", brief["report"].replace("\n", " | "))
    print("tokens:", brief["tokens"], "confidence:", brief["confidence"])
    for credit in sorted(store.blame(("briefs",), "agents")["findings",], key=lambda credit: str(credit.value)):
        print(f"{credit.agent}: {credit.value}")
    for escalation in store.escalations():
        print("open:", *escalation.path, sorted((c.agent, c.value) for c in escalation.contenders))


if __name__ == "__main__":
    main()
