"""A namespace's schema: a state model with what happens on deletions and on values of the wrong type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field as dataclass_field, replace
from functools import cached_property, partial
from itertools import chain
from typing import Any, Literal, get_args

from pydantic import AfterValidator, PlainValidator, StringConstraints, TypeAdapter, ValidationError, WrapValidator
from pydantic.fields import FieldInfo
from pydantic_core import CoreConfig, PydanticUndefined, SchemaSerializer

from concordant.errors import Fault, InvalidWriteError, told
from concordant.merge.kinds import OPEN, OPEN_TREE, Field, OpenRecord
from concordant.merge.kinds.base import default_says_something
from concordant.schema.annotations import members_of, split_annotation, without_none
from concordant.schema.describing import Description, description_of
from concordant.schema.equality import (
    LENIENT,
    are_equal,
    are_surely_same,
    distinct,
    holds_sets,
    in_order,
    makes_whole_numbers,
    unordered,
)
from concordant.schema.fingerprint import fingerprint
from concordant.schema.incoming import Left, collapsed, incoming_type, key_read_otherwise, split_faults, unwrapped
from concordant.schema.keys import has_other_keys, with_text_keys
from concordant.schema.models import (
    config_of,
    fields_in,
    has_validators,
    is_instance,
    is_model,
    is_strict,
    said_by,
    strays_in,
    validators_of,
)
from concordant.schema.plain import PlainWriter, plain_texts, plain_writer
from concordant.schema.shape import are_alike, shape_of
from concordant.schema.sparse import (
    STEADY,
    are_identified,
    as_it_was,
    holds_records,
    makes_parts,
    overlaid,
    without_defaults,
)
from concordant.schema.spelling import needs_spelling, spelling_of
from concordant.schema.steps import Step, field_of, steps_to
from concordant.values import (
    ABSENT,
    NO_DECIMALS,
    Unstorable,
    alike,
    check_exponents,
    check_numbers,
    decode,
    encode,
    same,
)

__all__ = ["OPEN_SCHEMA", "OPEN_TREE_SCHEMA", "Compiled", "Schema"]


@dataclass(frozen=True, slots=True)
class Schema:
    """A state model and the policies of its namespace.

    Args:
        model: the state model: a Pydantic model, a dataclass or a ``TypedDict``.
        on_delete: a deletion concurrent with an update escalates, or one of the two wins without asking.
        on_invalid: a value of the wrong type escalates, or is refused with ``InvalidWriteError``.
        renamed: the present name of a field by the one under which it is stored in older documents; of a field of a
            nested record both with dots (``{"author.nick": "author.name"}``).
        writers: the names of those who may write, or glob patterns (``("planner", "writer-*")``); by default everybody.
        deciders: the same for who may decide. Then nobody decides between sides of which one is her own, and a write by
            others settles nothing: it joins the sides. By default everybody may, also whose side is one of them.

    >>> from typing import Annotated
    >>> from pydantic import create_model
    >>> from concordant import Scalar, Workspace
    >>> Old, New = (create_model("Brief", **{name: (Annotated[str, Scalar()], "")}) for name in ("owner", "lead"))
    >>> office, train = (Workspace(schemas={("briefs",): s}) for s in (Old, Schema(New, renamed={"owner": "lead"})))
    >>> _ = office.agent("ada").write(("briefs",), "launch", {"owner": "ada"})
    >>> _ = train.import_(office.export())
    >>> train.get(("briefs",), "launch").value
    {'lead': 'ada'}
    """

    model: type[Any]
    on_delete: Literal["escalate", "delete", "update"] = "escalate"
    on_invalid: Literal["escalate", "raise"] = "escalate"
    renamed: Mapping[str, str] = dataclass_field(default_factory=dict, hash=False)
    writers: Sequence[str] | None = dataclass_field(default=None, hash=False)
    deciders: Sequence[str] | None = dataclass_field(default=None, hash=False)

    def __post_init__(self) -> None:
        if isinstance(self.renamed, Mapping):
            object.__setattr__(self, "renamed", dict(self.renamed))
        for name in ("writers", "deciders"):
            given = getattr(self, name)
            if isinstance(given, (list, set, frozenset)):
                object.__setattr__(self, name, tuple(given))


_NOTHING: Mapping[tuple[str, ...], bytes] = {}
_NO_ERROR = ValueError()
_BY_ANY_NAME: dict[str, Any] = {"by_alias": True, "by_name": True}
_FORM: dict[str, Any] = {"mode": "json", "round_trip": True, "by_alias": False, "warnings": False}


class Compiled:
    """A schema ready for use. ``OPEN_SCHEMA`` is that of a namespace without a model.

    Attributes:
        declaration: what it is compiled from.
        makes: the fields in whose records without kinds a factory may make something.
        plain: the short way of a write (``concordant.schema.plain``): gives its JSON, or leaves it to ``closely``.
    """

    shows_defaults = False
    makes: frozenset[str] = frozenset()

    def __init__(self, schema: Schema | None, root: Field) -> None:
        self.declaration = schema
        self.root = root
        self.model = schema.model if schema else None
        self.on_delete = schema.on_delete if schema else "escalate"
        self.on_invalid = schema.on_invalid if schema else "escalate"
        self.renamed = schema.renamed if schema else {}
        self.writers = schema.writers if schema else None
        self.deciders = schema.deciders if schema else None
        self.declared = schema is not None
        self.adapts = self.declared or (isinstance(root.kind, OpenRecord) and root.kind.deep)
        self.checked = root.checked
        self.plain: PlainWriter = _open_plain
        if schema is not None:
            self._prepare(schema.model, root)

    def _prepare(self, model: Any, root: Field) -> None:
        """Makes what a model needs: for writes, and to build its instances."""
        write = TypeAdapter(incoming_type(model, root.fields))
        self._validate = _by_any_name(write)
        serializer = SchemaSerializer(write.core_schema, CoreConfig(ser_json_inf_nan="constants"))
        self._dump: Callable[[Any], Any] = partial(serializer.to_python, **_FORM)
        self._spell = spelling_of(model, root) if needs_spelling(model, root) else None
        self._doubtful = tuple(name for name, field in root.fields.items() if _is_doubtful(field))
        self._unordered = any(_is_unordered(model, name, field) for name, field in root.fields.items())
        self._settle = root.kind.settled(root)
        self.makes = frozenset(n for n in root.fields if makes_parts(fields_in(model)[n].annotation))
        self._sparse = any(_is_sparse(fields_in(model)[name].annotation, field) for name, field in root.fields.items())
        self._whole = frozenset(n for n in root.fields if makes_whole_numbers(fields_in(model)[n].annotation))
        self._counts = tuple(name for name, field in root.fields.items() if field.kind.holds == "amount")
        self.plain = plain_writer(model, root, serializer.to_json)
        self._texts = plain_texts(model, root)
        self._fill = _filler(model, root.fields)
        self._validate_lax: Callable[[Any], dict[str, Any]] | None = (
            partial(write.validator.validate_python, **LENIENT) if is_strict(model) else None
        )
        self.steady = _is_steady(model, root)
        self.shows_defaults = _shows_defaults(root)
        self._make = partial(TypeAdapter(model).validate_python, **LENIENT)

    @cached_property
    def _loosely(self) -> tuple[Callable[[Any], Any], ...]:
        """Validators of writes that leave more and more to the merged document."""
        assert self.model is not None
        kinds: tuple[Left, ...] = (("containers",), ("containers", "scalars"))
        types = (incoming_type(self.model, self.root.fields, left=left) for left in kinds)
        return tuple(partial(TypeAdapter(one).validator.validate_python, **_BY_ANY_NAME) for one in types)

    @cached_property
    def strict(self) -> Compiled:
        """The same schema, where no value of a wrong type waits for a decision: it is refused."""
        if self.declaration is None or self.on_invalid == "raise":
            return self
        return Compiled(replace(self.declaration, on_invalid="raise"), self.root)

    @cached_property
    def quiet(self) -> frozenset[str]:
        """Where fields are stored whose writes alone never raise a question."""
        return frozenset(field.slot for field in self.root.fields.values() if field.kind.never_asks)

    @cached_property
    def _keyed(self) -> frozenset[str]:
        """The fields whose types say what keys other than text are."""
        assert self.model is not None
        return frozenset(n for n in self.root.fields if has_other_keys(fields_in(self.model)[n].annotation))

    @property
    def _shows_input(self) -> bool:
        """Whether errors may show what was given."""
        return not config_of(self.model).get("hide_input_in_errors")

    @cached_property
    def fingerprint(self) -> str:
        """Changes with what documents show for reasons of the schema."""
        return fingerprint(self.root, self.model, self.on_delete)

    @cached_property
    def shape(self) -> str:
        """How its fields merge, as text (``concordant.schema.shape``)."""
        return shape_of(self.root)

    def takes(self, shape: str | None, body: bytes) -> bool:
        """Tells whether a value that was written once is the same under this model as under the one that it was written
        under.

        Args:
            shape: that of the other model; ``None`` if it is not known.
        """
        value = decode(body)
        if shape is not None and not are_alike(shape, self.root, value):
            return False
        if not self.declared:
            return True
        try:
            written, parked = self.incoming((self.root.name,), "", value)
        except Exception:  # as in ``fit``
            return False
        return not parked and same(written, body) and (not self.checked or self.fits(value))

    def incoming(
        self, namespace: tuple[str, ...], key: str, value: Any, spelt: bool = False
    ) -> tuple[bytes, Mapping[tuple[str, ...], bytes]]:
        """Validates a write: the short way, or ``closely``, which says what comes of it.

        Args:
            spelt: whether it is a dict by the fields' names already, as ``values_of`` makes it.
        """
        body = self.plain(value)
        return (body, _NOTHING) if body is not None else self.closely(namespace, key, value, spelt)

    def closely(
        self, namespace: tuple[str, ...], key: str, value: Any, spelt: bool = False
    ) -> tuple[bytes, Mapping[tuple[str, ...], bytes]]:
        """Validates a write that has no short way.

        Returns:
            The JSON of the fields given, and by path what has the wrong type and waits for a decision.

        Raises:
            InvalidWriteError: an unknown field, no mapping, a value that cannot be stored, or (with
                ``on_invalid="raise"``) a value of the wrong type.
        """
        if not self.declared:
            return _open_body(namespace, key, value), _NOTHING
        try:
            value = value if spelt else self._spelt(value)
            self._check_exponents(value)
            try:
                return self._body(self._validate(value)), _NOTHING
            except Unstorable:
                raise
            except Exception:
                return self._field_by_field(value)
        except Unstorable as error:
            raise InvalidWriteError(namespace, key, [error.fault]) from error
        except Refused as error:
            raise InvalidWriteError(namespace, key, error.faults) from error.__cause__
        except Exception as error:  # of what the caller gave
            raise InvalidWriteError(namespace, key, [_unreadable(error)]) from error

    def _spelt(self, value: Any) -> Any:
        """What somebody gives for a document, as a dict by the fields' names."""
        if self._spell is not None:
            self._check_exponents(value)  # validators are run there, on what is given
            return self._spell(value)
        return value if type(value) is dict else self._by_names(value)

    def _check_exponents(self, value: Any) -> None:
        """Refuses what Pydantic would take for ever to make a whole number of, before it is asked."""
        if self._whole and isinstance(value, dict) and not NO_DECIMALS.issuperset(map(type, value.values())):
            for name, item in value.items():
                if type(item) not in NO_DECIMALS and (name in self._whole or name not in self.root.fields):
                    check_exponents(item, (name,))

    def texts_read_back(self, given: dict[str, Any]) -> dict[str, Any] | None:
        """Tells what is read of a write's JSON, without reading it, if all that it gives is text; ``None`` of another.

        Args:
            given: fields by name, which ``incoming`` has taken.
        """
        if not self._texts.issuperset(given) or not all(type(value) is str for value in given.values()):
            return None
        return self._tried(given)[0]

    def _by_names(self, value: Any) -> Any:
        return unwrapped(value, self.root, everything=False) if is_instance(value) else value

    def _body(self, given: dict[str, Any]) -> bytes:
        for name in self._counts:
            if isinstance(given.get(name), str):  # Pydantic takes an enum's value for a number, whatever it is
                raise Refused([Fault((name,), "it is no number", "Give a number", given[name])])
        try:
            values = self._dump(given)
            others: set[str] = set()
            lost = collapsed(given, values, others)
            if lost is not None:
                raise Refused([Fault(lost, "several of its keys become one as text", "Use strings as keys")])
            if self._unordered:
                values = in_order(given, values)
            values = self._settled(values)
            for name in self._doubtful:
                if name in given:
                    self._check_reads_back(name, given[name], values[name])
            for name in others:
                self._check_keys(name, given[name], values[name])
            return check_numbers(encode(values), values)
        except (Unstorable, Refused):
            raise
        except Exception as error:
            raise Refused([self._unstorable(given, error)]) from error

    def _read_again(self, name: str, stored: Any) -> dict[str, Any] | None:
        """What is read of the JSON value of a field; ``None``: it would not be taken."""
        return self._tried({name: stored} if self._spell is None else self._spell({name: stored}))[0]

    def _check_keys(self, name: str, given: Any, stored: Any) -> None:
        """Refuses keys of dicts that nothing but their text would be left of: where the type does not say what they
        are."""
        again = self._read_again(name, stored)
        path = key_read_otherwise(given, again[name], (name,)) if again is not None else None
        if path is not None:
            key = path[-1]
            problem = f"the key {told(key)} is of type {type(key).__name__}, a JSON object has only strings as keys"
            mend = "Convert it with str(), or give the field a type that says what its keys are (dict[int, ...])"
            raise Refused([Fault(path, problem, mend, key)])

    def _check_reads_back(self, name: str, given: Any, stored: Any) -> None:
        """Refuses a value that would be read as another one."""
        again = self._read_again(name, stored)
        is_set = self.root.fields[name].kind.holds == "elements"
        if again is None or not are_equal(again[name], distinct(given) if is_set else given):
            shown = "not at all" if again is None else f"as {told(again[name])}"
            mend = "Make its type, validators and serializers such that they take what is stored, and return the same"
            raise Refused([Fault((name,), f"stored as {told(stored)}, it would be read back {shown}", mend, given)])

    def _settled(self, values: dict[str, Any]) -> Any:
        if self._settle is None:
            return values
        try:
            return self._settle(values)
        except Unstorable:
            encode(values)  # says where it is
            raise

    def _unstorable(self, given: dict[str, Any], error: Exception) -> Fault:
        """Names the field whose value has no JSON form."""
        for name, value in given.items():
            try:
                encode(self._dump({name: value}), ())
            except Unstorable as reason:
                return reason.fault
            except Exception as reason:
                return Fault((name,), f"it has no JSON form ({reason})", "Give a value that can be stored")
        return Fault((), str(error), "Give storable values")

    def _tried(self, values: dict[str, Any]) -> tuple[dict[str, Any] | None, Exception]:
        """Validates the value of one field, and leaves to the merged document what only that can tell.

        Returns:
            The field, or ``None`` and why it cannot be taken.
        """
        try:
            return self._validate(values), _NO_ERROR
        except ValidationError as error:
            loosely, reason = self._loosely[:1], error
            found = self._as_stored(values)
            if found is not None:
                return found, _NO_ERROR
        except Exception as error:
            loosely, reason = self._loosely, error  # type: ignore[assignment]
        for validate, judged in zip(loosely, (False, True), strict=False):
            try:
                found = validate(values)
            except ValidationError as error:
                return None, error
            except Exception as error:
                reason = error  # type: ignore[assignment]
                continue
            if not judged or self._may_fit(found):
                return found, _NO_ERROR
        return None, reason

    def _as_stored(self, values: dict[str, Any]) -> dict[str, Any] | None:
        """What the JSON form of a value stands for, where its type is strict: a date is text there."""
        if self._validate_lax is None:
            return None
        try:
            found = self._validate_lax(values)
            form = self._settled(self._dump(found))
            same = all(unordered(form[name]) == unordered(item) for name, item in values.items())
        except Exception:
            return None
        return found if same else None

    def _may_fit(self, given: dict[str, Any]) -> bool:
        """Whether validators that failed on what was given alone can judge it in a document."""
        try:
            self.build(self._settled(self._dump(given)))
        except ValidationError:
            return self.checked  # then the merged document is judged by them
        except Exception:
            return False
        return True

    def _field_by_field(self, value: Any) -> tuple[bytes, dict[tuple[str, ...], bytes]]:
        """Validates the fields of a write one by one, and parks what has the wrong type."""
        if not isinstance(value, Mapping):
            mend = "Give a dict of fields, or an instance of the model"
            raise Refused([Fault((), f"a {type(value).__name__} is no mapping", mend, value)])
        stray = [name for name in value if not isinstance(name, str)]
        if stray:
            raise Refused(
                [Fault((n,), "a field's name is a string", "Use the model's fields", value[n]) for n in stray]
            )
        given: dict[str, Any] = {}
        parked: dict[tuple[str, ...], bytes] = {}
        fatal: list[Fault] = []
        for name, item in value.items():
            rest = {name: item}
            wrong: list[Fault] = []
            while rest and not wrong:
                found, error = self._tried(rest)
                if found is not None:
                    given.update(found)
                    break
                self._park(name, rest, error, parked, wrong)
            fatal += wrong
        if fatal:
            raise Refused(fatal)
        return self._body(given), parked

    def _park(
        self,
        name: str,
        rest: dict[str, Any],
        error: Exception,
        parked: dict[tuple[str, ...], bytes],
        fatal: list[Fault],
    ) -> None:
        """Takes out of a field what has the wrong type."""
        if not isinstance(error, ValidationError):
            problem = f"it cannot be validated ({type(error).__name__}: {error})"
            fatal.append(Fault((name,), problem, "Give a value that the model's validators take", rest[name]))
            return
        faults, waiting = split_faults(error, rest, self.root.fields, shown=self._shows_input)
        fatal += faults
        if self.on_invalid == "raise":
            fatal += chain.from_iterable(waiting.values())
        for wanted in () if fatal else waiting:
            path = _reachable(rest, wanted)
            if path is None:
                continue  # taken with what holds it
            try:
                part = _take(rest, path)
                part = with_text_keys(part) if name in self._keyed else part
                parked[path] = check_numbers(encode(part, path), part, path)
            except Unstorable as reason:
                fatal.append(reason.fault)

    def build(self, value: Mapping[str, Any]) -> Any:
        """Returns the model instance that a document's value makes."""
        return self._make(self._fill(value) if self._fill else value)

    def fits(self, value: Any) -> bool:
        """Tells whether a value satisfies the model's constraints and validators."""
        try:
            self.build(value)
        except Exception:  # whatever the model's validators raise
            return False
        return True

    def fit(self, path: tuple[str, ...], value: Any) -> Any:
        """Returns a stored value in the form in which a write of it at a path is stored; ``ABSENT`` if it would not
        do."""
        if not self.declared:
            return value
        steps = steps_to(self.root, path)
        if steps is None:
            return ABSENT
        given = value
        for step in reversed(steps):
            given = step.around(given)
        try:
            body, parked = self.incoming((self.root.name,), "", given)
        except Exception:  # validators may raise whatever they like on a value that they were not made for
            return ABSENT
        if parked:
            return ABSENT
        found = decode(body)
        for step in steps:
            found = step.within(found)
        field = field_of(self.root, path)
        if self._sparse:
            found = self._as_told(value, found, steps)
            if not are_identified(field, found):
                return ABSENT
        return found if field is None else _in_stored_order(field, value, found)

    def _as_told(self, value: Any, found: Any, steps: Sequence[Step]) -> Any:
        """What was found of a stored value, with its records without kinds as they were stored: no default that has
        come since is put into them, and no field that is gone is taken out."""
        told = self._told(value, steps)
        kept = overlaid(value, told)
        if told is ABSENT or not alike(self._told(kept, steps), told):
            return found
        return kept

    def as_read(
        self, base: Mapping[str, Any] | None, before: Mapping[str, Any] | None, given: Any, body: bytes
    ) -> bytes:
        """Returns what is to be stored of a write, where those parts of records that nobody has changed since they were
        read are stored as they were: what a factory would make in them now is no change.

        Args:
            base: what was read; ``None`` if nothing was.
            before: what whoever writes was given for that (``None``: that).
            given: what is written.
            body: its JSON.
        """
        if (
            base is None
            or not isinstance(given, Mapping)
            or self.makes.isdisjoint(given)
            or self.makes.isdisjoint(base)
        ):
            return body
        stored = decode(body)
        was = base if before is None else before
        for name in self.makes.intersection(stored, given, base, was):
            field = self.root.fields[name]
            stored[name] = as_it_was(field, base[name], was[name], given[name], stored[name])
        return encode(stored)

    def _told(self, value: Any, steps: Sequence[Step]) -> Any:
        """What a stored value at a path says, and no more; ``ABSENT`` if it would not do."""
        given = value
        for step in reversed(steps):
            given = step.around(given)
        try:
            read = self._tried(self._spelt(given))[0]
            form = without_defaults(read, self._dump(read), given)
            found = decode(encode(self._settled(in_order(read, form))))
        except Exception:  # as in ``fit``
            return ABSENT
        for step in steps:
            found = step.within(found)
        return found

    def description_of(self, path: tuple[str, ...]) -> Description:
        """Tells what the model says of a public path."""
        return Description("", "") if self.model is None else description_of(self.model, path)

    def values_of(self, document: Any, before: Any = None) -> dict[str, Any]:
        """Returns the fields of a model instance as they would be written.

        Args:
            before: what it was before an edit, so that of records that are new since only those fields count that
                were set.
        """
        found = unwrapped(document, self.root, everything=True, before=before)
        return {name: found[name] for name in self.root.fields if name in found}

    def changed(self, before: Any, after: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the fields in which two model instances may differ, as they would be written: (before, after).

        Args:
            before: what the other was before an edit, or its fields.
        """
        was, now = (said_by(one, everything=True) if is_instance(one) else one for one in (before, after))
        names = [n for n in self.root.fields if n in now and not (n in was and are_surely_same(was[n], now[n]))]
        strays = strays_in(after, before)
        written = partial(unwrapped, field=self.root, everything=True, before=was, validated=is_instance(after))
        return written({n: was[n] for n in names if n in was}), {**written({n: now[n] for n in names}), **strays}


def _in_stored_order(field: Field, value: Any, found: Any) -> Any:
    """What was found of a stored value, with its sets as they were: a set has no order but that."""
    if isinstance(value, dict) and isinstance(found, dict):
        parts = {name: field.fields.get(name, field.child) for name in found}
        return {
            name: item if (part := parts[name]) is None else _in_stored_order(part, value.get(name), item)
            for name, item in found.items()
        }
    is_set = field.kind.holds == "elements" and isinstance(value, list)
    return value if is_set and field.kind.alike(field, value, found) else found


def _shows_defaults(field: Field) -> bool:
    """Whether there are fields below that merge, and show something where nobody has written yet."""
    return any(default_says_something(part) or _shows_defaults(part) for part in field.parts)


def _is_steady(model: Any, field: Field) -> bool:
    """Whether an instance that is built twice of one value is twice the same: no factory or validator has a say."""
    if has_validators(model):
        return False
    infos = fields_in(model)
    return all(
        (infos[name].default_factory in STEADY or is_model(infos[name].default_factory))
        and all(_is_steady(inner, below) for inner, below in _records_in(infos[name], part))
        for name, part in field.fields.items()
    )


def _records_in(info: FieldInfo, field: Field) -> list[tuple[Any, Field]]:
    """The model of a field's records, if it holds any."""
    below = field.child if field.child is not None else field
    if below.kind.holds != "fields":
        return []
    return [(member, below) for member in members_of(info.annotation) if is_model(member)]


def _is_sparse(annotation: Any, field: Field) -> bool:
    """Whether a field may hold records without kinds."""
    if field.kind.holds == "fields":
        return any(
            _is_sparse(info.annotation, field.fields[n]) for n, info in fields_in(without_none(annotation)).items()
        )
    return holds_records(annotation)


def _is_unordered(model: Any, name: str, field: Field) -> bool:
    """Whether what is given for a field may hold Python sets, once it is validated."""
    info = fields_in(model)[name]
    if field.kind.holds == "elements":
        changes = (AfterValidator, WrapValidator, PlainValidator, StringConstraints)
        changed = any(isinstance(item, changes) for item in (*info.metadata, *validators_of(model, name)))
        return changed or any(map(holds_sets, get_args(info.annotation)))
    return holds_sets(info.annotation)


# Arguments by name cost more than a small write's validation: they are given where they can matter.
def _by_any_name(write: TypeAdapter[Any]) -> Callable[[Any], dict[str, Any]]:
    """Validates a write whose fields, at any depth, go by their names or by others."""
    validate: Callable[..., Any] = write.validator.validate_python
    return partial(validate, **_BY_ANY_NAME) if _has_aliases(write.core_schema) else validate


def _has_aliases(schema: Any) -> bool:
    """Whether a field in a core schema may go by another name than its own."""
    if isinstance(schema, dict):
        return "validation_alias" in schema or any(map(_has_aliases, schema.values()))
    return isinstance(schema, (list, tuple)) and any(map(_has_aliases, schema))


def _is_doubtful(field: Field) -> bool:
    """Whether it cannot be told from the types below a field that what is stored reads back."""
    return field.form is not None or any(map(_is_doubtful, field.parts))


class Refused(Exception):
    """A write is refused as a whole; ``faults`` says why. Internal: callers see InvalidWriteError."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__(*faults)


def _open_plain(value: Any) -> bytes | None:
    """The short way where there is no model."""
    try:
        return check_numbers(encode(value), value) if type(value) is dict else None
    except Exception:  # whatever it is, the closer look finds it again
        return None


def _open_body(namespace: tuple[str, ...], key: str, value: Any) -> bytes:
    """The JSON of what is written where there is no model."""
    if not isinstance(value, (dict, Mapping)):
        fault = Fault((), f"a {type(value).__name__} is no mapping", "Give a dict of fields", value)
        raise InvalidWriteError(namespace, key, [fault])
    try:
        value = value if type(value) is dict else dict(value)
        return check_numbers(encode(value), value)
    except Unstorable as error:
        raise InvalidWriteError(namespace, key, [error.fault]) from error
    except Exception as error:
        raise InvalidWriteError(namespace, key, [_unreadable(error)]) from error


def _unreadable(error: Exception) -> Fault:
    """What is wrong with a value that cannot even be looked at."""
    said = str(error) if isinstance(error, (ValueError, TypeError)) else f"{type(error).__name__}: {error}"
    return Fault((), f"it cannot be read ({said[:200]})", "Give storable values")


def _filler(model: Any, fields: Mapping[str, Field], default: Any = None) -> Callable[[Any], Any] | None:
    """A function from what is stored of a record to what its model takes; ``None`` where that is the same.

    It adds the natural values of fields without a default, and what an instance that stands as default says.
    """
    infos = fields_in(model)
    made: dict[str, Callable[[], Any]] = {
        name: field.kind.natural
        for name, field in fields.items()
        if infos[name].is_required() and field.kind.natural is not None
    }
    if is_instance(default) and type(default) is model:
        for name, item in said_by(default, everything=False).items():
            if name in fields and name not in made:
                made[name] = partial(deepcopy, item)
    inner = {name: f for name, field in fields.items() if (f := _part_filler(infos[name], field))}
    if not made and not inner:
        return None

    def fill(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        value = {**{name: make() for name, make in made.items() if name not in value}, **value}
        for name, function in inner.items():
            if name in value:
                value[name] = function(value[name])
        return value

    return fill


def _part_filler(info: FieldInfo, field: Field) -> Callable[[Any], Any] | None:
    """The same for a field."""
    default = None if info.default is PydanticUndefined else info.default
    factory: Any = info.default_factory
    if field.kind.holds == "fields" and factory is not None:
        try:
            default = factory()
        except Exception:
            default = None
    return _child_filler(info.annotation, field, default)


def _child_filler(annotation: Any, field: Field, default: Any = None) -> Callable[[Any], Any] | None:
    bare, _ = split_annotation(annotation)
    if field.kind.holds == "fields":
        return _filler(without_none(bare), field.fields, default)
    if field.kind.is_leaf and field.keys is not None:
        return field.keys.as_values_if_keys  # type: ignore[no-any-return]
    arguments = get_args(bare)
    if field.child is None or not arguments:
        return None
    if field.kind.holds != "keys":
        record = _child_filler(arguments[0], field.child)
        return record and (lambda value: [record(item) for item in value])
    keys, child = field.keys, _child_filler(arguments[-1], field.child)
    if keys is None:
        return child and (lambda value: {key: child(item) for key, item in value.items()})
    return lambda value: keys.as_values(value if child is None else {k: child(v) for k, v in value.items()})


def _reachable(value: dict[str, Any], path: tuple[str, ...]) -> tuple[str, ...] | None:
    """As much of a path as leads to something: a key that is no text is known to errors as its text only."""
    holder: Any = value
    for place, part in enumerate(path):
        if is_instance(holder):
            holder = said_by(holder, everything=False)
        if not isinstance(holder, Mapping) or part not in holder:
            return path[:place] or None
        holder = holder[part]
    return path


def _take(value: dict[str, Any], path: tuple[str, ...]) -> Any:
    """Takes one part out of nested dicts, copying those it changes."""
    holder = value
    for part in path[:-1]:
        inner = holder[part]
        inner = said_by(inner, everything=False) if is_instance(inner) else dict(inner)
        holder[part] = inner
        holder = inner
    return holder.pop(path[-1])


OPEN_SCHEMA = Compiled(None, OPEN)
OPEN_TREE_SCHEMA = Compiled(None, OPEN_TREE)
"""That of a namespace without a model where dicts and lists merge as in a ``Tree``."""
