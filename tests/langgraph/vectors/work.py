"""A process that puts and searches until it is killed, and embeds slowly."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from concordant_langgraph import MergeStore

from .support import NS, WORDS, Note, config, embed_one


def slowly(texts: Sequence[str]) -> list[list[float]]:
    time.sleep(0.003)
    return [embed_one(text) for text in texts]


def main(url: str, seed: str) -> None:
    rnd = random.Random(seed)
    with MergeStore.from_conn_string(url, {NS: Note}, index=config(slowly)) as store:
        while True:
            key = f"k{rnd.randrange(5)}"
            roll = rnd.random()
            if roll < 0.15:
                store.delete(NS, key)
            elif roll < 0.3:
                store.search(NS, query=rnd.choice(WORDS))
            else:
                store.put(NS, key, {"title": rnd.choice(WORDS), "tags": [rnd.choice(WORDS)]})
            print(key, flush=True)
