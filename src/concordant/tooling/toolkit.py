"""The four tools of a state model, without a framework: read, update, list conflicts, resolve one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field as Argument, ValidationError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema

from concordant.errors import ConcordantError, Fault, InvalidWriteError, NotAllowedError, SchemaError
from concordant.schema import compile_schema
from concordant.tooling import answers, wording
from concordant.tooling.answers import AgentCall, Answer, Subject
from concordant.tooling.forms import ArgumentForm
from concordant.tooling.parts import SETTINGS, Names, optional
from concordant.tooling.wording import ToolNames
from concordant.workspace import Workspace

__all__ = ["Answer", "Tool", "ToolNames", "Toolkit"]


@dataclass(frozen=True)
class Tool:
    """One tool of a ``Toolkit``.

    Attributes:
        name, description: for the model that may call it.
        arguments: the Pydantic model of its arguments.
    """

    name: str
    description: str
    arguments: type[BaseModel]
    toolkit: Toolkit
    act: Callable[[Subject, AgentCall, Any], Answer]

    def answer(self, workspace: Workspace, namespace: tuple[str, ...], arguments: Mapping[str, Any]) -> Answer:
        """Does what the arguments say, in the scope in force.

        Args:
            arguments: as the calling model gave them, or validated.

        Returns:
            The answer. Wrong arguments, values that do not fit and decisions that come too late are answers too.

        Raises:
            ConcordantError: the namespace has another model in this workspace, or none.
        """
        kit = self.toolkit
        kit.check(workspace, namespace)
        try:
            given = self.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            return self.mend(error)
        key = kit.subject.key if kit.subject.key is not None else getattr(given, kit.key_argument, None)
        try:
            return self.act(kit.subject, AgentCall(workspace, namespace, key), given)
        except InvalidWriteError as error:
            return Answer(wording.refused(error.faults), failed=True)
        except NotAllowedError as error:
            return Answer(str(error), failed=True)

    def mend(self, error: ValidationError) -> Answer:
        """Returns the answer to arguments that do not fit, for a framework that validates them itself."""
        return Answer(wording.refused(wording.call_faults(error, [*self.arguments.model_fields])), failed=True)


class Toolkit:
    """The tools of a state model. An adapter gives each to its framework under its name, with its description and its
    model of arguments, and has ``Tool.answer`` called with what the framework's model says.

    Args:
        model: the state model.
        key: the key of the one document that the tools are about; without it, it is an argument.
        name: what the document is called in the tools' names and texts; by default the model's name in small letters.
        names: the tools' names, where others are wanted than those made of ``name``.
        resolve: whether agents may settle what is in conflict; if not, the tool for that is left out.
        reserved: names that no argument may have in the framework.

    Raises:
        SchemaError: the model is no state model, or a type in it cannot be described to a calling model.
    """

    def __init__(
        self,
        model: type[BaseModel],
        *,
        key: str | None = None,
        name: str | None = None,
        names: ToolNames | None = None,
        reserved: Iterable[str] = (),
        resolve: bool = True,
    ) -> None:
        root = compile_schema(model).root
        what = name or _snake(model.__name__)
        names = names or ToolNames.of(what)
        names = names if resolve else names._replace(resolve=None)
        taken = Names({*reserved, *root.fields})
        self.model = model
        self.key_argument = taken.free("key")
        which = {self.key_argument: (str, Argument(description=f"Which {what}: its key."))} if key is None else {}
        reserved = [*reserved, *which]
        self.subject = Subject(
            what, key, names, root, ArgumentForm(model, root, f"{model.__name__}Update", reserved=reserved, extra=which)
        )
        self._tools = tuple(self._made())
        self._check_schemas()

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools)

    def check(self, workspace: Workspace, namespace: tuple[str, ...]) -> None:
        """Refuses a namespace that has another model in this workspace, or none.

        Raises:
            ConcordantError: so it is.
        """
        declared = workspace.registry.find(namespace).model
        if declared is not self.model:
            found, wanted = "has no model", self.model.__name__
            if declared is not None:
                found = f"has {'another' if declared.__name__ == wanted else 'the'} model {declared.__name__}"
            raise ConcordantError(
                f"the tools are for {wanted}, but the namespace {namespace!r} {found}: "
                f"declare {{{namespace!r}: {wanted}}} where the workspace or store is made"
            )

    def _check_schemas(self) -> None:
        for tool in self:
            if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.name):
                raise ConcordantError(f"no tool can be called {tool.name!r}: use letters, digits, _ and -, at most 64")
            try:
                tool.arguments.model_json_schema()
            except PydanticInvalidForJsonSchema as error:
                mend = "Use types that have a JSON schema"
                fault = Fault((self.model.__name__,), f"it cannot be described to a calling model ({error})", mend)
                raise SchemaError(self.model.__name__, [fault]) from error

    def _made(self) -> Iterator[Tool]:
        subject = self.subject
        what, names, key = subject.what, subject.names, subject.key
        it = f"the shared {what}" if key is None else f"the shared {subject.title(key)}"
        doc = inspect.cleandoc(self.model.__doc__ or "")
        about = f"\n\nThe {what}: {doc}" if doc else ""
        which = {} if key is not None else {self.key_argument: optional(str, f"Which {what}: its key; left out, all.")}

        def tool(name: str, act: Any, description: str, arguments: Any) -> Tool:
            if isinstance(arguments, dict):
                title = "".join(word.title() for word in name.split("_"))
                arguments = create_model(title, __config__=SETTINGS, **arguments)
            return Tool(name, description, arguments, self, act)

        yield tool(
            names.read,
            answers.read,
            f"Read {it}: all that the agents have written so far, merged, and what is in conflict.{about}",
            which,
        )
        yield tool(
            names.update,
            answers.update,
            f"Change {it}. Other agents may change it at the same time; what all of you write is merged. Give only "
            "your own changes, and leave out (or null) every argument that you do not need. The answer tells what was "
            f"merged and what is in conflict.{about}",
            subject.form.arguments,
        )
        disagreed = f"List what the agents disagree about in {it}: values that could not be merged, who wrote each"
        if names.resolve is None:
            yield tool(names.conflicts, answers.list_conflicts, f"{disagreed}.", which)
            return
        yield tool(
            names.conflicts,
            answers.list_conflicts,
            f"{disagreed}, and the id with which {names.resolve} settles it.",
            which,
        )
        yield tool(
            names.resolve,
            answers.resolve,
            f"Settle a conflict in {it}, for all agents. Give its id, and one of `keep`, `value` and `dismiss`.",
            {
                "id": (str, Argument(description=f"Its id, as {names.conflicts} or the answer of an update gave it.")),
                "keep": optional(int, "The number of the value to keep, as listed with the id: 1, 2, ..."),
                "value": optional(
                    str | bool | int | float, "Another value to put in their place; a list or object as JSON text."
                ),
                "dismiss": optional(bool, "True: none of the values; the last agreed one stays."),
            },
        )


def _snake(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"\W+", "_", words).strip("_").lower()
