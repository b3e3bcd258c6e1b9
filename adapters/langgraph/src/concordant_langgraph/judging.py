"""Chat models as judges of what agents disagree about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable

__all__ = ["ask_model"]


def ask_model(model: Runnable[LanguageModelInput, Any]) -> Callable[[str], str]:
    """Makes of a LangChain chat model what ``concordant.judges.llm`` asks.

    It is asked in a thread of its own, outside of the graph's run: what it says is no part of the graph's stream.

    Args:
        model: a chat model, or what its own methods make of one: with retries, fallbacks, options.

    >>> from concordant import judges
    >>> from langchain_core.language_models import FakeListChatModel
    >>> answer = '{"take": 1, "confidence": 0.9, "reason": "It is the newer one."}'
    >>> judges.llm(ask_model(FakeListChatModel(responses=[answer])), name="fake").name
    'fake'
    """

    def ask(prompt: str) -> str:
        message: BaseMessage | str = model.invoke(prompt)
        return message if isinstance(message, str) else str(message.text)

    return ask
