"""``MergeBackend``: files of deepagents' agents that merge, and are judged by what each agent was shown."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, TypeVar

from deepagents.backends import StoreBackend
from deepagents.backends.protocol import (
    DeleteResult,
    EditResult,
    FileData,
    FileDownloadResponse,
    FileUploadResponse,
    ReadResult,
    WriteResult,
)
from deepagents.backends.utils import _get_backend_read_file_type, perform_string_replacement, slice_read_response
from langgraph.store.base import BaseStore, Item
from pydantic import BaseModel

from concordant import ConcordantError, Document, InvalidWriteError, Scalar, Text
from concordant.spi import Changes, Part, amend, fields_of, show, withdraw
from concordant_langgraph.conflicts import PutConflictError
from concordant_langgraph.items import MergedSearchItem
from concordant_langgraph.store import MergeStore

__all__ = ["File", "MergeBackend"]

R = TypeVar("R")


class File(BaseModel):
    """A file: what ``StoreBackend`` keeps, with kinds. ``binary`` is the content in base 64, where it is no text."""

    content: Annotated[str, Text(provisional="all")] = ""
    binary: Annotated[str | None, Scalar()] = None
    encoding: Annotated[str, Scalar(resolve="latest")] = "utf-8"
    created_at: Annotated[str | None, Scalar(resolve="min")] = None
    modified_at: Annotated[str | None, Scalar(resolve="max")] = None


class MergeBackend(StoreBackend):
    """A backend for ``create_deep_agent`` that keeps files in a ``MergeStore``, in place of ``StoreBackend``.

    A write says what all of a file is to be, and was decided before it is carried out: by what the agent had been shown
    of the file. So it is merged as a change of that, with whatever others wrote since; what cannot be merged is an
    escalation of the store. Sub-agents, and agents of other runs, are told apart. A file that an agent was never shown
    it has seen as it was when the agent's run began. To read some lines of a file anew shows it once they make up the
    whole; ``ls``, ``glob`` and ``grep`` show no file.

    Args:
        namespace: as for ``StoreBackend``: given the runtime, returns the namespace of the files. One that has no model
            in the store gets ``File``.
        store: where the files are; by default the store with which the agent runs.

    >>> from concordant_langgraph import MergeStore
    >>> from concordant_langgraph.deepagents import MergeBackend
    >>> files = MergeBackend(namespace=lambda _: ("files",), store=MergeStore())
    >>> files.write("/plan.md", "First point.").path
    '/plan.md'
    >>> files.read("/plan.md").file_data["content"]
    'First point.'
    """

    def __init__(self, *, namespace: Callable[..., tuple[str, ...]], store: MergeStore | None = None) -> None:
        super().__init__(namespace=namespace, store=store)

    # -- reading -----------------------------------------------------------------------------------------------------

    def read(self, file_path: str, offset: int = 0, limit: int = 2000) -> ReadResult:
        """Shows a file, or some lines of it; whole where it is no text, or named as none is."""
        result = ReadResult(error=f"File '{file_path}' not found")

        def shown(document: Document) -> Part | None:
            nonlocal result
            data = _data_of(document.value)
            result = ReadResult(file_data=data)
            if data["encoding"] == "utf-8" and _get_backend_read_file_type(file_path) == "text":
                result = slice_read_response(data, offset, limit)
                return _part(result)
            return None

        self._show(file_path, shown)
        return result

    async def aread(self, file_path: str, offset: int = 0, limit: int = 2000) -> ReadResult:
        """Runs ``read`` for coroutines."""
        return await self._merging().workspace.acall(self.read, file_path, offset, limit)

    def download_files(self, paths: list[str]) -> list[FileDownloadResponse]:
        """Shows whole files."""
        responses = []
        for path in paths:
            document = self._show(path)
            if document is None:
                responses.append(FileDownloadResponse(path=path, error="file_not_found"))
                continue
            data = _data_of(document.value)
            text = data["content"]
            content = text.encode() if data["encoding"] == "utf-8" else base64.standard_b64decode(text)
            responses.append(FileDownloadResponse(path=path, content=content))
        return responses

    async def adownload_files(self, paths: list[str]) -> list[FileDownloadResponse]:
        """Runs ``download_files`` for coroutines."""
        return await self._merging().workspace.acall(self.download_files, paths)

    def _show(self, path: str, part: Callable[[Document], Part | None] = lambda _: None) -> Document | None:
        store, namespace = self._place()
        try:
            return show(store.workspace, namespace, path, part)
        except InvalidWriteError:  # under such a path no file can be: a model made it up
            return None

    def _search_store_paginated(self, store: BaseStore, namespace: tuple[str, ...], **_: Any) -> list[Item]:
        """All files, none of which counts as shown: who searches is told names and lines."""
        found = self._merging().workspace.documents_current(namespace)
        return [MergedSearchItem(document) for document in found if document.namespace == namespace]

    async def _asearch_store_paginated(self, store: BaseStore, namespace: tuple[str, ...], **_: Any) -> list[Item]:
        return await self._merging().workspace.acall(self._search_store_paginated, store, namespace)

    def _convert_store_item_to_file_data(self, store_item: Item) -> FileData:
        return _data_of(store_item.value)

    # -- writing -----------------------------------------------------------------------------------------------------

    def write(self, file_path: str, content: str) -> WriteResult:
        """Makes the content that of a file, as far as the agent was shown it."""
        return self._do(WriteResult, file_path, lambda: self._write(file_path, content))

    async def awrite(self, file_path: str, content: str) -> WriteResult:
        """Runs ``write`` for coroutines."""
        return await self._ado(WriteResult, file_path, lambda: self._write(file_path, content))

    def upload_files(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:
        """Writes files, texts and others."""
        return [self._do(partial(FileUploadResponse, path), path, partial(self._upload, path, c)) for path, c in files]

    async def aupload_files(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:
        """Runs ``upload_files`` for coroutines."""
        return [
            await self._ado(partial(FileUploadResponse, path), path, partial(self._upload, path, c))
            for path, c in files
        ]

    def edit(
        self,
        file_path: str,
        old_string: str,
        new_string: str,
        replace_all: bool = False,
    ) -> EditResult:
        """Replaces words in a file as the agent was shown it; if they are nowhere in there, as it is."""
        return self._do(EditResult, file_path, lambda: self._edit(file_path, old_string, new_string, replace_all))

    async def aedit(
        self,
        file_path: str,
        old_string: str,
        new_string: str,
        replace_all: bool = False,
    ) -> EditResult:
        """Runs ``edit`` for coroutines."""
        return await self._ado(
            EditResult, file_path, lambda: self._edit(file_path, old_string, new_string, replace_all)
        )

    def delete(self, file_path: str) -> DeleteResult:
        """Deletes a file, or all files below a directory, as far as the agent was shown them."""
        return self._do(DeleteResult, file_path, lambda: self._delete(file_path))

    async def adelete(self, file_path: str) -> DeleteResult:
        """Runs ``delete`` for coroutines."""
        return await self._ado(DeleteResult, file_path, lambda: self._delete(file_path))

    def _write(self, path: str, content: str) -> WriteResult:
        self._change(path, lambda _: content)
        return WriteResult(path=path)

    def _upload(self, path: str, content: bytes) -> FileUploadResponse:
        try:
            text = content.decode()
            self._change(path, lambda _: text)
        except UnicodeDecodeError:
            self._change(path, lambda _: base64.standard_b64encode(content).decode("ascii"), "base64")
        return FileUploadResponse(path=path)

    def _edit(self, path: str, old: str, new: str, replace_all: bool) -> EditResult:
        store, namespace = self._place()
        occurrences = 0

        def replaced(seen: Mapping[str, Any]) -> str:
            nonlocal occurrences
            data = _data_of(seen)
            if data["encoding"] != "utf-8":
                raise _Unfit("Error: Cannot edit binary files with text replacements.")
            found = perform_string_replacement(data["content"], old, new, replace_all)
            if isinstance(found, str):
                raise _Unfit(found, is_shown=old in data["content"])
            content, occurrences = found
            return content

        if store.workspace.document_current(namespace, path) is None:
            return EditResult(error=f"Error: File '{path}' not found")
        try:
            self._change(path, replaced)
        except _Unfit as error:
            if error.is_shown:
                return EditResult(error=str(error))
            store.workspace.read_current(namespace, path)
            try:
                self._change(path, replaced)
            except _Unfit as error:
                return EditResult(error=str(error))
        return EditResult(path=path, occurrences=occurrences)

    def _delete(self, path: str) -> DeleteResult:
        store, namespace = self._place()
        base = path.rstrip("/")
        keys = [item.key for item in self._search_store_paginated(store, namespace)]
        wanted = [(namespace, key) for key in keys if key == base or key.startswith(base + "/")]
        if not wanted:
            return DeleteResult(error=f"Error: File '{path}' not found")
        withdraw(store.workspace, wanted)
        return DeleteResult(path=path)

    def _change(self, path: str, content: Callable[[Mapping[str, Any]], str], encoding: str = "utf-8") -> None:
        """Makes a file what ``content`` returns, given what its writer has seen."""
        store, namespace = self._place()
        fields = fields_of(store.workspace, namespace) or ()

        def plan(seen: Mapping[str, Any]) -> Changes:
            text = content(seen)
            now = datetime.now(UTC).isoformat()
            binary = text if encoding != "utf-8" else None
            given: dict[str, Any] = {"encoding": encoding, "modified_at": now}
            if "created_at" not in seen:
                given["created_at"] = now
            if seen.get("binary") != binary:
                given["binary"] = binary
            after = {"content": text if binary is None else ""}
            before = {"content": seen.get("content", "")}
            return Changes({n: v for n, v in given.items() if n in fields}, before, after)

        amend(store.workspace, namespace, path, plan, rewrites=True)

    def _do(self, result: Callable[..., R], path: str, work: Callable[[], R]) -> R:
        """Carries out a change; what is wrong with it, or (``on_conflict="raise"``) contested, is told as its error."""
        store, namespace = self._place()
        try:
            with store._watch([(namespace, path, None)]):
                done = work()
            store.catch_up()
        except (InvalidWriteError, PutConflictError) as error:
            return result(error=f"Error: {error}")
        return done

    async def _ado(self, result: Callable[..., R], path: str, work: Callable[[], R]) -> R:
        store, namespace = self._place()
        try:
            async with store._awatch([(namespace, path, None)]):
                done = await store.workspace.acall(work)
            await store.acatch_up()
        except (InvalidWriteError, PutConflictError) as error:
            return result(error=f"Error: {error}")
        return done

    # -- where -------------------------------------------------------------------------------------------------------

    def _merging(self) -> MergeStore:
        store = self._get_store()
        if not isinstance(store, MergeStore):
            raise ConcordantError(
                f"MergeBackend keeps files in a MergeStore, not in a {type(store).__name__}: "
                "give it store=, or run the agent with store=MergeStore(...)"
            )
        return store

    def _place(self) -> tuple[MergeStore, tuple[str, ...]]:
        store, namespace = self._merging(), self._get_namespace()
        if not store.workspace.declares(namespace):
            store.workspace.declare({namespace: File})
        if "content" not in (fields_of(store.workspace, namespace) or ()):
            raise ConcordantError(
                f"the model of {namespace!r} has no field `content`: declare concordant_langgraph.deepagents.File"
            )
        return store, namespace


class _Unfit(Exception):
    """What is to be replaced is not there as asked; ``is_shown``: but it is there, or there is no text."""

    def __init__(self, message: str, *, is_shown: bool = True) -> None:
        super().__init__(message)
        self.is_shown = is_shown


def _data_of(value: Mapping[str, Any]) -> FileData:
    """A file's document as deepagents has it; one that ``StoreBackend`` has put included."""
    content = value.get("content", "")
    if isinstance(content, list):
        content = "\n".join(content)
    encoding = value.get("encoding", "utf-8")
    if encoding != "utf-8" and value.get("binary") is not None:
        content = value["binary"]
    data = FileData(content=content, encoding=encoding)
    for name in ("created_at", "modified_at"):
        if isinstance(value.get(name), str):
            data[name] = value[name]
    return data


def _part(result: ReadResult) -> Part | None:
    """Which lines of a text a result shows; ``None``: all."""
    if result.error is not None or result.no_lines_requested:
        return Part(range(0), 1)
    if result.start_line is None or result.end_line is None or result.total_lines is None:
        return None
    return Part(range(result.start_line, result.end_line + 1), result.total_lines)
