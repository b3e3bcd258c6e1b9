"""``state_schema``: a LangGraph state made of a state model, so that one model serves as state and in the store."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, TypeVar, cast, overload

from pydantic import BaseModel, ConfigDict, create_model
from pydantic.fields import FieldInfo

from concordant import ConcordantError, Schema, SchemaError
from concordant.spi import Fault, Kind, compile_schema, form_within, part_of
from concordant_langgraph.channel import MergeChannel, is_langgraphs

__all__ = ["state_schema"]

M = TypeVar("M", bound=BaseModel)


class _State(BaseModel):
    """What LangGraph takes for the state's class: its annotations carry the channels, and it makes instances of the
    state model itself, which are what nodes are given."""

    model_config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())

    def __new__(cls, **values: Any) -> Any:
        own: Any = cls  # its annotations are channels, so what it is made of is not declared among them
        forms = own.__forms__
        given = {name: forms[name](value) if name in forms else value for name, value in values.items()}
        return own.__state_model__.model_validate(given, by_alias=True, by_name=True)


@overload
def state_schema(model: type[M]) -> type[M]: ...
@overload
def state_schema(model: Schema) -> type[Any]: ...
def state_schema(model: Any) -> Any:
    """Returns a schema for ``StateGraph`` whose keys merge, each by its kind, what the nodes of a superstep return.

    What a node returns for a field is a contribution: it is added to a set, text, list or counter, sets the keys given
    of a map and the fields given of a nested record, and replaces a scalar. A scalar that is returned as it was given
    says nothing. ``edited(...)`` marks new whole values, of which the difference counts, and LangGraph's
    ``Overwrite(value)`` bypasses all this. What cannot be merged raises ``StateConflictError``.

    A field starts with what the graph's input gives, else with the model's default. Nodes are given instances of the
    model.

    Args:
        model: a state model, or ``Schema(Model, on_delete=...)``. Fields with a reducer, channel or managed value of
            LangGraph's own are left to LangGraph.

    Raises:
        SchemaError: lists every fault of the model at once.

    >>> from typing import Annotated
    >>> from pydantic import create_model
    >>> from langgraph.graph import START, StateGraph
    >>> from concordant import Set
    >>> Brief = create_model("Brief", tags=Annotated[list[str], Set()])
    >>> builder = StateGraph(state_schema(Brief))
    >>> for name in ("ada", "bob"):
    ...     builder = builder.add_node(name, lambda brief, name=name: {"tags": [name]}).add_edge(START, name)
    >>> builder.compile().invoke({"tags": ["draft"]})
    {'tags': ['draft', 'ada', 'bob']}
    """
    schema: Any = model if isinstance(model, Schema) else Schema(model)
    declared: Any = schema.model
    if not (isinstance(declared, type) and issubclass(declared, BaseModel)):
        compile_schema(schema)  # tells what is wrong
    return _state(Schema(declared, schema.on_delete, on_invalid="raise"))


@lru_cache(maxsize=256)
def _state(schema: Schema) -> Any:
    model = schema.model
    faults: dict[str, Fault] = {}
    fields: dict[str, Any] = {}
    forms: dict[str, Callable[[Any], Any]] = {}  # values of channels are validated, and may not do as input
    for name, info in model.model_fields.items():
        annotation: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        if not is_langgraphs(info):
            try:
                channel = _channel(schema, name)
                annotation = Annotated[annotation, channel]
                form = form_within(compile_schema(channel.part).root.fields[name])
                if form is not None:
                    forms[name] = form
            except SchemaError as error:
                faults |= {str(fault): fault for fault in error.faults}
        made: Any = {"default_factory": info.default_factory} if info.default_factory else {"default": info.default}
        fields[name] = (annotation, FieldInfo(title=info.title, description=info.description, **made))
    if faults:
        raise SchemaError(model.__name__, [*faults.values()])
    state = create_model(f"{model.__name__}State", __base__=_State, __module__=model.__module__, **fields)
    state.__doc__ = model.__doc__
    made_state = cast(Any, state)
    made_state.__state_model__ = model
    made_state.__forms__ = forms
    return state


def _channel(schema: Schema, name: str) -> MergeChannel:
    part = part_of(schema, name)
    compile_schema(part)
    metadata = schema.model.model_fields[name].metadata
    channel = MergeChannel(part, next((item for item in metadata if isinstance(item, Kind)), None))
    try:
        channel.get()
    except ConcordantError as error:
        fault = Fault((part.model.__name__, name), f"its default does not do ({error})", "Give it another default")
        raise SchemaError(part.model.__name__, [fault]) from error
    return channel
