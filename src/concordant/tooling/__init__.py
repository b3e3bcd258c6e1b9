"""Tools for agents, without a framework: what a tool-calling model may do with shared state, and what it is told.

For whoever writes an adapter; users get the tools from their framework's adapter. A ``Toolkit`` is made of a state
model and gives four tools: read, update, list conflicts, resolve. Each has a name, a description and a Pydantic model
of its arguments, which go to the framework as they are, and ``answer``, which does what the calling model says.

>>> from typing import Annotated
>>> from pydantic import BaseModel
>>> from concordant import Scalar, Set, Workspace
>>> from concordant.tooling import Toolkit
>>> class Brief(BaseModel):
...     tags: Annotated[set[str], Set()] = set()
...     status: Annotated[str | None, Scalar()] = None
>>> read, update, conflicts, resolve = Toolkit(Brief, key="launch")
>>> read.name, update.name, conflicts.name, resolve.name
('read_brief', 'update_brief', 'list_brief_conflicts', 'resolve_brief_conflict')
>>> list(update.arguments.model_fields)
['tags', 'remove_tags', 'status', 'clear']
>>> ws = Workspace(schemas={("briefs",): Brief})
>>> with ws.acting_as("ada"):
...     print(update.answer(ws, ("briefs",), {"tags": ["crdt"], "status": "draft"}).text)
Written to brief "launch".
>>> print(update.answer(ws, ("briefs",), {"tags": "crdt"}).text)
Nothing was written. Mend the call and try again:
- tags: input should be a valid list; you gave "crdt".

- ``answer`` works in the scope in force (``Workspace.add_scope_provider``, ``acting_as``): that is who writes, and what
  was seen. A call adds what it says and takes away what it says, so it needs no read before it.
- A read counts for that scope, as any other read does.
- ``Answer.failed`` says that nothing was done and that the text tells how to mend the call; a framework that has a mark
  for failed calls sets it. A framework that validates arguments itself gives the error to ``Tool.mend``.
- All calls are safe to make from any thread; ``Workspace.acall(tool.answer, ...)`` makes one from a coroutine.
"""

from concordant.tooling.toolkit import Answer, Tool, Toolkit, ToolNames

__all__ = ["Answer", "Tool", "ToolNames", "Toolkit"]
