"""A chat model settles what parallel nodes of a graph disagree about."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.config import get_store
from langgraph.graph import START, StateGraph
from pydantic import BaseModel

from concordant import Scalar, judges
from concordant_langgraph import MergeStore, ask_model

ANSWER = '{"take": 2, "confidence": 0.9, "reason": "It says when."}'
THINKING = AIMessage(content=[{"type": "reasoning", "reasoning": "..."}, {"type": "text", "text": ANSWER}])
MODELS = [
    FakeListChatModel(responses=[ANSWER]),
    GenericFakeChatModel(messages=iter([THINKING])),
    FakeListChatModel(responses=[ANSWER]).with_retry(),
    RunnableLambda(lambda prompt: ANSWER),
]


class Shared(TypedDict, total=False):
    done: bool


@pytest.mark.parametrize("model", MODELS, ids=["list", "blocks", "retried", "text"])
def test_a_chat_model_decides_between_parallel_nodes(model: Any) -> None:
    """Its answer is the decision, and its reason stays on record; content blocks beside the text are passed over."""

    class Brief(BaseModel):
        title: Annotated[str, Scalar(resolve=judges.llm(ask_model(model), name="editor"))] = ""

    def writes(title: str) -> Any:
        def node(state: Shared) -> Shared:
            get_store().put(("briefs",), "launch", {"title": title})
            return {}

        return node

    builder = StateGraph(Shared)
    for name, title in (("ada", "Launch"), ("bob", "Launch in May")):
        builder.add_node(name, writes(title))
        builder.add_edge(START, name)
    store = MergeStore({("briefs",): Brief})
    builder.compile(store=store).invoke({})
    assert store.workspace.join_judges(60.0)
    [question] = store.workspace.escalations(state="all")
    chosen = question.contenders[1].value
    item = store.get(("briefs",), "launch")
    assert item is not None and item.value == {"title": chosen} and question.decision == chosen
    assert question.remarks == (("resolver:editor", "It says when. (confidence 0.9)"),)
