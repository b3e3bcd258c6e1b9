"""The view: a LangGraph store that holds merged values, for ranking them by a query. The record is the truth."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from langgraph.store.base import BaseStore, GetOp, PutOp, SearchOp

from concordant import Document, Workspace
from concordant.spi import Address, age_of, has_existed
from concordant_langgraph.backlog import CHUNK, Backlog, Share
from concordant_langgraph.filters import InvalidNameError, check_labels
from concordant_langgraph.resuming import note
from concordant_langgraph.steps import Steps
from concordant_langgraph.texts import Index, Indexing

__all__ = ["StoreView"]

log = logging.getLogger("concordant")

SPARE = 8
"""How many candidates more than wanted are asked for, since some may be filtered out."""

SAME = 6
"""How many digits after the point of a score tell documents apart."""

TRIES = 3
"""How often to ask again where documents were hidden meanwhile, and how many failures in a row end an attempt."""

Accepts = Callable[[Document], bool]

Ranked: TypeAlias = tuple[Document, float | None]


class _Entry(NamedTuple):
    """A document as the view is to hold it: the value (``None``: not at all), the paths to make vectors of, the texts
    at them, and the names of the vectors, if known."""

    address: Address
    value: dict[str, Any] | None
    paths: Index = None
    texts: frozenset[str] = frozenset()
    names: frozenset[str] | None = frozenset()

    def whole(self) -> PutOp:
        return PutOp(*self.address, self.value, index=self.paths)

    def without_vectors(self) -> PutOp:
        return PutOp(*self.address, self.value, index=False)

    def gone(self) -> PutOp:
        return PutOp(*self.address, None)


class StoreView:
    """Keeps a store up to the merged values of a workspace, and ranks documents by it.

    Each document is written by one caller at a time, who reads its newest state first, so that no older value comes
    after a newer one. Nobody holds a lock while the store is at work (it may embed texts over a network).

    Args:
        store: where merged values and their vectors are held.
        private: nobody else writes to it, and it begins empty.
        shared: other processes with the same documents bring it up to date too.
    """

    def __init__(self, workspace: Workspace, store: BaseStore, *, private: bool = False, shared: bool = False) -> None:
        self.workspace = workspace
        self.store = store
        self._shared = shared
        self.indexing = Indexing(store)
        self.backlog = Backlog(workspace)
        self._held: dict[Address, frozenset[str] | None] = {}  # the names of the vectors there, as far as known
        self._unknown: frozenset[str] | None = frozenset() if private else None

    # -- catching up -----------------------------------------------------------------------------------------------

    def written(self, addresses: Iterable[Address]) -> Steps[None]:
        """Brings documents up to date that were just written. Others, and what somebody else is at work on, are left
        to the next search."""
        self.backlog.pull()
        addresses = [*addresses]
        wanted = dict.fromkeys(addresses)
        for _ in range(TRIES):
            while share := self.backlog.take(wanted, own=True):
                yield from self._work(share)
            if not self._shared:
                break
            # What another process wrote meanwhile may have been overwritten by this.
            wanted = self.backlog.again(addresses)
        if self._shared:
            yield from note(self.workspace, self.backlog)

    def catch_up(self, *, early: bool = False) -> Steps[int]:
        """Brings all documents up to date that have changed so far; returns how many could not be.

        Args:
            early: try again now what has failed often.
        """
        self.backlog.pull()
        wanted = self.backlog.due(early=early)
        for attempt in range(TRIES + 1):
            while share := self.backlog.take(wanted):
                yield from self._work(share)
            others = self.backlog.others(wanted)
            if not others or attempt == TRIES:
                break
            for share in others:
                if not (yield share.claim):
                    yield from self._work(self.backlog.overtake(share, wanted))
        if self._shared:
            yield from note(self.workspace, self.backlog)
        return len(self.backlog.waiting())

    def _work(self, share: Share) -> Steps[None]:
        failed: dict[Address, Exception] = {}
        try:
            yield from self._bring(share, failed)
        finally:
            self.backlog.end(share, failed)
        if failed:
            (namespace, key), error = next(iter(failed.items()))
            others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            log.warning(
                "%s:%s%s could not be brought into the view (%s: %s): stored and readable, but searches rank it last "
                "until a later search, or catch_up(), succeeds",
                "/".join(namespace), key, others, type(error).__name__, error,
            )  # fmt: skip

    def _bring(self, share: Share, failed: dict[Address, Exception]) -> Steps[None]:
        addresses = [address for address in share.addresses if self._takes(address, share)]
        entries = [self._entry(address) for address in addresses]
        if self._shared:
            entries = yield from self._differing(entries, share, failed)
        # What a value no longer has would keep its vector, so that such documents are taken out first. From then
        # until they are back a search must not believe that they are not there.
        behind = [entry for entry in entries if entry.value is None or self._leaves_behind(entry)]
        if any(entry.value is not None for entry in behind):
            self.backlog.gap(share)
        if behind:
            yield from self._take_out(behind, share, failed)
        puts = [entry for entry in entries if entry.value is not None and entry.address not in failed]
        for group in _without_common_texts(puts):
            yield from self._put(group, share, failed)

    def _take_out(self, entries: list[_Entry], share: Share, failed: dict[Address, Exception]) -> Steps[None]:
        """Takes documents out of the store; those that are no more are done then."""
        try:
            yield [entry.gone() for entry in entries]
        except Exception as error:
            failed.update((entry.address, error) for entry in entries)
            return
        for entry in entries:
            self._held[entry.address] = frozenset()
            if entry.value is None:
                del self._held[entry.address]
                share.done.add(entry.address)

    def _takes(self, address: Address, share: Share) -> bool:
        """Whether a store can hold a document at all: one operation with a label that none takes would fail a whole
        batch. It is done then: searches rank it last."""
        try:
            check_labels(address[0])
        except InvalidNameError:
            self._held[address] = frozenset()
            share.done.add(address)
            return False
        return True

    def _differing(self, entries: list[_Entry], share: Share, failed: dict[Address, Exception]) -> Steps[list[_Entry]]:
        """The documents that another process has not brought up to date already."""
        try:
            items = yield [GetOp(*entry.address, refresh_ttl=False) for entry in entries]
        except Exception as error:
            failed.update((entry.address, error) for entry in entries)
            return []
        differing = []
        for entry, item in zip(entries, items, strict=True):
            held = self.indexing.texts(item.value, entry.paths) if item is not None else {}
            self._held[entry.address] = None if held is None else frozenset(held)
            same = entry.value is None if item is None else entry.value == item.value and entry.paths is None
            if same and not share.own and not self.backlog.has_failed(share, entry.address):
                share.done.add(entry.address)
            else:
                differing.append(entry)
        return differing

    def _put(self, group: list[_Entry], share: Share, failed: dict[Address, Exception]) -> Steps[None]:
        """Puts documents together; if that fails one by one, so that one bad text does not hold up the others, unless
        the store fails altogether."""
        error = yield from self._try(group, share)
        if error is None:
            return
        row, broken = 1, False
        for entry in group:
            if len(group) > 1 and row <= TRIES:
                single = yield from self._try([entry], share)
                if single is None:
                    row = 0
                    continue
                row, error = row + 1, single
            failed[entry.address] = error
            if not broken:
                broken = not (yield from self._without_vectors(entry))

    def _without_vectors(self, entry: _Entry) -> Steps[bool]:
        """Holds the value that could not be embedded, so that the vectors of the old one are gone."""
        self._held[entry.address] = None
        try:
            yield [entry.gone()]
            if not self._shared:  # others would take it for done
                yield [entry.without_vectors()]
        except Exception:
            log.debug("%s cannot be held without its vectors either", entry.address, exc_info=True)
            return False
        self._held[entry.address] = frozenset()
        return True

    def _try(self, group: list[_Entry], share: Share) -> Steps[Exception | None]:
        try:
            yield [entry.whole() for entry in group]
        except Exception as error:
            return error
        for entry in group:
            self._held[entry.address] = entry.names
            share.done.add(entry.address)
        return None

    def _entry(self, address: Address) -> _Entry:
        document = self.workspace.get(*address)
        if document is None:
            return _Entry(address, None)
        if self._shared:
            self.backlog.saw(document.version, age_of(self.workspace, document))
        value, index = document.value, document.setting("index")
        texts = self.indexing.texts(value, index)
        if texts is None:
            return _Entry(address, value, index, frozenset(), None)
        if len(set(texts.values())) < len(texts):
            index = self.indexing.without_repeats(value, index)
            texts = self.indexing.texts(value, index) or {}
        return _Entry(address, value, index, frozenset(texts.values()), frozenset(texts))

    def _leaves_behind(self, entry: _Entry) -> bool:
        held = self._held.get(entry.address, self._unknown)
        return held is None or entry.names is None or not held <= entry.names

    # -- ranking -----------------------------------------------------------------------------------------------------

    def ranked(self, op: SearchOp, accepts: Accepts) -> Steps[list[Ranked]]:
        """Iterates the documents under a prefix, most similar to a query first, with their scores; of equal ones the
        oldest; at the end, without a score, those that have no vectors, or not yet. So it is in every store.

        Args:
            accepts: whether a document, as the caller sees it, is one of those wanted.
        """
        yield from self.catch_up()
        prefix, wanted = tuple(op.namespace_prefix), max(op.offset + op.limit, 0)
        ask, last = wanted + SPARE, False
        if op.filter:
            there = [accepts(document) for document in self.workspace.documents_current(prefix)]
            if not any(there):
                return []
            ask = min(ask * 2 * len(there) // sum(there), len(there)) + SPARE
        while True:
            candidates = yield from self._candidates(op, ask)
            found = [*self._seen(candidates.items(), accepts)]
            if last or (len(found) >= wanted and not _is_cut(found, wanted)):
                break
            lacking, total = self._lacking(candidates, prefix)
            if len(candidates) >= ask:
                ask *= 8
            elif lacking:
                # Fewer than asked for is all there is, unless the store counts vectors where it should documents.
                ask, last = max(2 * ask, CHUNK * total), True
            else:
                break
        found.sort(key=_rank)
        if len(found) < wanted:
            found += self._unranked(prefix, accepts, {(document.namespace, document.key) for document, _ in found})
        return found[op.offset : op.offset + op.limit]

    def _unranked(self, prefix: tuple[str, ...], accepts: Accepts, shown: set[Address]) -> list[Ranked]:
        """The documents that have no vectors, or not yet, oldest first and without a score: no store hides them."""
        documents = self.workspace.documents_current(prefix)
        return sorted(((d, None) for d in documents if (d.namespace, d.key) not in shown and accepts(d)), key=_rank)

    def _seen(self, candidates: Iterable[tuple[Address, float | None]], accepts: Accepts) -> Iterator[Ranked]:
        """Candidates as documents, as the caller sees them, without those that are no more."""
        for address, score in candidates:
            document = self.workspace.document_current(*address)
            if document is None:
                # Deleted or expired; what nobody here has ever heard of is somebody else's, and left alone.
                if self.workspace.get(*address) is None and has_existed(self.workspace, *address):
                    self.backlog.add(address)
            elif accepts(document):
                yield document, score

    def _candidates(self, op: SearchOp, ask: int) -> Steps[dict[Address, float | None]]:
        search = SearchOp(tuple(op.namespace_prefix), query=op.query, limit=ask, refresh_ttl=False)
        items: Sequence[Any] = ()
        for attempt in range(1, TRIES + 1):
            before = self.backlog.gaps()
            if before is None:
                yield from self.catch_up()
                before = self.backlog.gaps()
            try:
                [items] = yield [search]
            except RuntimeError as error:
                # InMemoryStore walks its dicts unguarded while another thread may put.
                if "changed size" not in str(error) or attempt == TRIES:
                    raise
                continue
            if before is not None and before == self.backlog.gaps():
                break
        candidates: dict[Address, float | None] = {}
        for item in items:
            candidates.setdefault((tuple(item.namespace), item.key), item.score)
        return candidates

    def _lacking(self, candidates: dict[Address, Any], prefix: tuple[str, ...]) -> tuple[int, int]:
        """How many documents a search might have left out, of how many."""
        waiting = set(self.backlog.waiting())
        lacking = total = 0
        for document in self.workspace.list(prefix):
            total += 1
            address = (document.namespace, document.key)
            if address not in candidates and address not in waiting and self._held.get(address) != frozenset():
                lacking += 1
        return lacking, total


def _is_cut(found: Sequence[Ranked], wanted: int) -> bool:
    """Whether documents not asked for may be as similar as the last one wanted: pages are to agree on those."""
    scores = [round(score or 0.0, SAME) for _, score in found]
    return bool(wanted) and sorted(scores, reverse=True)[wanted - 1] <= min(scores)


def _rank(found: Ranked) -> tuple[Any, ...]:
    """The place of a document: what differs between stores in the last digits of a score is no difference."""
    document, score = found
    return (score is None, -round(score or 0.0, SAME), document.created_at, document.namespace, document.key)


def _without_common_texts(entries: Sequence[_Entry]) -> Iterable[list[_Entry]]:
    """Groups in which no two documents have a text in common: InMemoryStore refuses them in one batch."""
    groups: list[list[_Entry]] = []
    texts: list[set[str]] = []
    for entry in entries:
        number = next((n for n, those in enumerate(texts) if those.isdisjoint(entry.texts)), len(groups))
        if number == len(groups):
            groups.append([])
            texts.append(set())
        groups[number].append(entry)
        texts[number] |= entry.texts
    return groups
