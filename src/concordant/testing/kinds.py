"""The contract of a kind, as tests: every kind passes them, ours and yours."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, ClassVar, get_args

import pytest
from pydantic import create_model

from concordant.errors import InvalidWriteError, SchemaError
from concordant.escalation import Reason
from concordant.merge.kinds import Kind, Map, Scalar
from concordant.schema import Schema, compile_schema
from concordant.storage import Instant
from concordant.tooling import Toolkit
from concordant.workspace import DELETED, TaskScope, Workspace

__all__ = ["KindContract"]

NS = ("contract",)
KEY = "document"
AT = (NS, KEY)


class KindContract:
    """What every kind does. Subclass it in a file of tests, and say what the kind is declared for::

        class TestMaxScalar(KindContract):
            annotation = Annotated[int | None, MaxScalar()]
            values = (1, 5, 3)
            wrong = "many"

    Attributes:
        annotation: a type with the kind, as a field of a model has it.
        default: the field's default; left out where the kind has a natural one.
        values: three values in JSON form, which may be written one after the other, and at once; those beside each
            other are different (of a type that has two values, the first stands twice).
        told: what an agent says to a tool to write the second value, if that is not the value.
        wrong: a value that the type does not take, if there is one.
        in_maps: whether it may be the kind of a map's values.
    """

    annotation: ClassVar[Any]
    default: ClassVar[Any] = ...
    values: ClassVar[tuple[Any, Any, Any]]
    told: ClassVar[Any] = ...
    wrong: ClassVar[Any] = ...
    in_maps: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        given = getattr(cls, "values", (1, 2, 1))
        if len(given) != 3 or given[0] == given[1] or given[1] == given[2]:
            mend = "those beside each other different; of a type that has two values the first stands twice"
            raise TypeError(f"{cls.__qualname__}.values are three, not {given!r}: {mend}")

    # -- what the tests work with -----------------------------------------------------------------------------------

    @property
    def kind(self) -> Kind:
        """The kind that is tested."""
        return next(item for item in get_args(self.annotation)[1:] if isinstance(item, Kind))

    @property
    def model(self) -> Any:
        """A model with one field of the kind, ``x``."""
        default = self.default
        if default is ... and self.kind.natural is None:
            default = None
        return create_model("Contract", x=(self.annotation, default))

    @property
    def mapped(self) -> Any:
        """A model with a map of it, ``m``."""
        annotation: Any = Annotated[dict[str, self.annotation], Map()]  # type: ignore[name-defined]
        return create_model("Mapped", m=(annotation, {}))

    def workspace(self, model: Any = None, **options: Any) -> Workspace:
        """Returns a workspace in memory, with a model for its documents."""
        return Workspace(schemas={NS: self.model if model is None else model}, **options)

    def alone(self, *values: Any, model: Any = None, wrap: Any = None) -> Any:
        """Returns what stands after one agent has written values one after the other."""
        ws = self.workspace(model)
        agent = ws.agent("ada")
        for value in values:
            agent.write(*AT, {"x": copy.deepcopy(value)} if wrap is None else wrap(copy.deepcopy(value)))
        return shown(ws)

    # -- one writer ---------------------------------------------------------------------------------------------------

    def test_a_write_reads_back(self) -> None:
        """What is written is shown, and makes an instance of the model."""
        for value in self.values:
            ws = self.workspace()
            ws.agent("ada").write(*AT, {"x": copy.deepcopy(value)})
            document = ws.get(*AT)
            assert document is not None and same(document.value, {"x": value})
            assert document.model is not None and not document.contested

    def test_writes_in_a_row_ask_nobody(self) -> None:
        """One agent's writes and edits, and another's who has seen them, are no conflict."""
        ws = self.workspace()
        for number, value in enumerate((*self.values, *self.values)):
            ws.agent(f"agent {number % 2}").write(*AT, {"x": copy.deepcopy(value)})
        with ws.agent("eve").edit(*AT) as document:
            document.x = compile_schema(self.model).build({"x": self.values[0]}).x
        assert ws.escalations(state="all") == []

    def test_an_edit_leaves_what_its_writer_left(self) -> None:
        """Where nobody else writes, an edit to a value shows that value, unless the kind only grows."""
        for before, after in itertools.permutations(self.values, 2):
            ws = self.workspace()
            ws.agent("ada").write(*AT, {"x": copy.deepcopy(before)})
            ws.agent("ada").read(*AT)
            with ws.agent("bob").edit(*AT) as document:
                document.x = compile_schema(self.model).build({"x": after}).x
            assert ws.escalations() == [] and (self.kind.grow_only or same(shown(ws), {"x": after}))

    # -- several writers ----------------------------------------------------------------------------------------------

    def test_merging_knows_no_order(self) -> None:
        """Three replicas that each wrote, meeting in any order, one of them twice, show the same and ask the same."""
        outcomes = []
        for order in itertools.permutations(range(3)):
            stores = [self.workspace(replica=name) for name in ("one", "two", "three")]
            stores[0].agent("base").write(*AT, {"x": copy.deepcopy(self.values[0])})
            frame = stores[0].export()
            for number, store in enumerate(stores):
                store.import_(frame) if number else None
                store.storage.advance(1e9 + number)
                store.agent(f"agent {number}").write(*AT, {"x": copy.deepcopy(self.values[number])})
            frames = [store.export() for store in stores]
            for store in stores:
                for number in (*order, order[0]):
                    if stores[number] is not store:
                        store.import_(frames[number])
            told = [(shown(store), asked(store)) for store in stores]
            assert told[0] == told[1] == told[2]
            outcomes.append(told[0])
        assert all(repr(outcome[0]) == repr(outcomes[0][0]) for outcome in outcomes)

    def test_meeting_again_changes_nothing(self) -> None:
        """A frame that was imported has no effect a second time."""
        one, two = self.workspace(replica="one"), self.workspace(replica="two")
        one.agent("ada").write(*AT, {"x": copy.deepcopy(self.values[0])})
        two.agent("bob").write(*AT, {"x": copy.deepcopy(self.values[1])})
        one.exchange(two)
        before = shown(one), asked(one), shown(two), asked(two)
        one.exchange(two)
        two.import_(one.export())
        assert before == (shown(one), asked(one), shown(two), asked(two))

    def test_equal_writes_at_once_ask_nobody(self) -> None:
        """Two who write the same at once agree."""
        ws = self.workspace()
        began = ws.moment()
        for name in ("ada", "bob"):
            ws.agent(name, began=began).write(*AT, {"x": copy.deepcopy(self.values[1])})
        assert ws.escalations(state="all") == [] and "x" in (shown(ws) or {})

    def test_a_question_can_be_decided(self) -> None:
        """If two different writes at once are a question, tools tell of it, each side can be chosen, and that closes
        it."""
        model = self.model
        read, *_ = Toolkit(model, key=KEY, name="document")
        for chosen in (0, 1):
            ws = self.workspace(model)
            began = ws.moment()
            for name, value in zip(("ada", "bob"), self.values, strict=False):
                ws.agent(name, began=began).write(*AT, {"x": copy.deepcopy(value)})
            for question in ws.escalations():
                assert question.reason in get_args(Reason), f"{question.reason!r} is none of {get_args(Reason)}"
                assert not read.answer(ws, NS, {}).failed
                value = question.contenders[chosen].value
                ws.resolve(question, value, by="judge")
                assert same(shown(ws), {"x": value})
            assert ws.escalations() == []

    # -- deletion -----------------------------------------------------------------------------------------------------

    def test_a_deleted_document_begins_anew(self) -> None:
        """What was deleted does not come back."""
        ws = self.workspace()
        ws.agent("ada").write(*AT, {"x": copy.deepcopy(self.values[0])})
        ws.agent("ada").delete(*AT)
        assert ws.get(*AT) is None
        ws.agent("ada").write(*AT, {"x": copy.deepcopy(self.values[1])})
        assert same(shown(ws), self.alone(self.values[1]))

    def test_a_deletion_beside_a_change_is_a_question(self) -> None:
        """Whoever comes first, the document stays readable as changed, and can be deleted or kept."""
        for first, keeps in itertools.product((True, False), repeat=2):
            ws = self.workspace()
            ws.agent("base").write(*AT, {"x": copy.deepcopy(self.values[0])})
            began = ws.moment()
            ada, bob = ws.agent("ada", began=began), ws.agent("bob", began=began)
            if first:
                ada.delete(*AT)
            bob.write(*AT, {"x": copy.deepcopy(self.values[1])})
            if not first:
                ada.delete(*AT)
            assert same(shown(ws), self.alone(self.values[0], self.values[1]))
            [question] = ws.escalations()
            assert (question.path, question.reason) == ((), "delete")
            [kept] = [c.value for c in question.contenders if c.value is not DELETED]
            ws.resolve(question, kept if keeps else DELETED, by="judge")
            assert same(shown(ws), kept if keeps else None) and ws.escalations() == []

    # -- as the value of a map ----------------------------------------------------------------------------------------

    def test_as_the_value_of_a_map(self) -> None:
        """Keys are set, merge apart, and are removed; what was removed does not come back."""
        if not self.in_maps:
            return
        ws = self.workspace(self.mapped)
        began = ws.moment()
        for name, key, value in zip(("ada", "bob", "eve"), "abc", self.values, strict=True):
            ws.agent(name, began=began).write(*AT, {"m": {key: copy.deepcopy(value)}})
        assert same(shown(ws), {"m": dict(zip("abc", self.values, strict=True))})
        with ws.agent("ada").edit(*AT) as document:
            del document.m["a"]
        assert same(shown(ws), {"m": dict(zip("bc", self.values[1:], strict=True))})
        ws.agent("ada").write(*AT, {"m": {"a": copy.deepcopy(self.values[1])}})
        expected = self.alone(self.values[1], model=self.mapped, wrap=lambda value: {"m": {"a": value}})
        assert same(shown(ws)["m"]["a"], expected["m"]["a"])  # type: ignore[index]
        assert ws.escalations(state="all") == []

    def test_a_key_removed_beside_a_change_of_it(self) -> None:
        """Whoever comes first, the change is not lost: it stands, or it is asked about."""
        if not self.in_maps:
            return
        for first in (True, False):
            ws = self.workspace(self.mapped)
            ws.agent("base").write(*AT, {"m": {"k": copy.deepcopy(self.values[0])}})
            began = ws.moment()
            ada, bob = ws.agent("ada", began=began), ws.agent("bob", began=began)
            with ada.edit(*AT) as hers:
                del hers.m["k"]
                if not first:
                    bob.write(*AT, {"m": {"k": copy.deepcopy(self.values[1])}})
            if first:
                bob.write(*AT, {"m": {"k": copy.deepcopy(self.values[1])}})
            assert "k" in (shown(ws) or {}).get("m", {}), "what was changed is not shown any more"
            assert [e.reason for e in ws.escalations()] in ([], ["delete"])

    # -- tools, exchange, reducers ------------------------------------------------------------------------------------

    def test_tools_write_it(self) -> None:
        """A model that calls tools can read it and change it; the arguments have a schema."""
        model = self.model
        read, update, *_ = Toolkit(model, key=KEY, name="document")
        assert update.arguments.model_json_schema()["properties"]
        ws = self.workspace(model)
        with ws.acting_as("ada"):
            ws.put(*AT, {"x": copy.deepcopy(self.values[0])})
            assert not read.answer(ws, NS, {}).failed
            said = self.values[1] if self.told is ... else self.told
            answer = update.answer(ws, NS, {"x": copy.deepcopy(said)})
        assert not answer.failed, answer.text
        assert same(shown(ws), self.alone(*self.values[:2]))

    def test_other_models_lose_nothing(self) -> None:
        """A store whose model has no such field or another kind, and one without, keep and pass on what is stored."""
        home = self.workspace(replica="home")
        for value in self.values:
            home.agent("ada").write(*AT, {"x": copy.deepcopy(value)})
        value = shown(home)
        others: tuple[Any, ...] = (
            create_model("Without", y=(Annotated[int, Scalar()], 0)),
            create_model("Other", x=(Annotated[Any, Scalar()], None)),
            None,
        )
        for number, model in enumerate(others):
            away = Workspace(schemas={NS: model} if model is not None else None, replica=f"away {number}")
            away.import_(home.export())
            document = away.get(*AT)
            assert document is not None
            told = [c.value for e in away.escalations() for c in e.contenders]
            assert number == 0 or same(document.value, value) or any(same(one, value["x"]) for one in told)  # type: ignore[index]
            back = self.workspace(replica=f"back {number}")
            back.import_(away.export())
            assert same(shown(back), value)

    def test_a_reducer_adds_and_changes_nothing_else(self) -> None:
        """A kind that is called with a value and a contribution returns a new value."""
        reducer: Any = self.kind
        if not callable(reducer):
            return
        one, two, three = copy.deepcopy(self.values)
        left = reducer(reducer(one, two), three)
        assert same([one, two, three], [*self.values]) and same(left, reducer(reducer(one, two), three))

    # -- past, authors, executions ------------------------------------------------------------------------------------

    def test_the_past_is_kept(self) -> None:
        """Each version reads as it was, the history tells of each write, and somebody stands for what is shown."""
        ws = self.workspace()
        past = []
        for number, value in enumerate(self.values):
            ws.agent(f"agent {number}").write(*AT, {"x": copy.deepcopy(value)})
            past.append((ws.moment().n, copy.deepcopy(shown(ws))))
        for version, value in past:
            document = ws.get(*AT, at=version)
            assert document is not None and same(document.value, value)
        assert [entry.paths[0][:1] for entry in ws.history(*AT)][-1] == ("x",)
        named = {agent for path, found in ws.blame(*AT).items() if path[0] == "x" for c in found for agent in c.agents}
        assert named and named <= {f"agent {number}" for number in range(3)}

    def test_a_task_that_runs_again_has_its_effect_once(self) -> None:
        """Its put takes the place of the earlier one."""
        once = self.workspace()
        with task(once, "first"):
            once.put(*AT, {"x": copy.deepcopy(self.values[1])})
        for earlier in (0, 1):
            ws = self.workspace()
            with task(ws, "first"):
                ws.put(*AT, {"x": copy.deepcopy(self.values[earlier])})
            with task(ws, "second"):
                ws.put(*AT, {"x": copy.deepcopy(self.values[1])})
            assert same(shown(ws), shown(once)) and ws.escalations() == []

    # -- errors -------------------------------------------------------------------------------------------------------

    def test_errors_are_our_own(self) -> None:
        """The class in the place of an instance, and a value that the type does not take, are told."""
        bare = get_args(self.annotation)[0]
        annotation: Any = Annotated[bare, type(self.kind)]
        with pytest.raises(SchemaError, match="where an instance is meant"):
            compile_schema(create_model("Wrong", x=(annotation, None)))
        if self.wrong is ...:
            return
        with pytest.raises(InvalidWriteError):
            self.workspace(Schema(self.model, on_invalid="raise")).agent("ada").write(*AT, {"x": self.wrong})
        ws = self.workspace()
        ws.agent("ada").write(*AT, {"x": copy.deepcopy(self.values[0])})
        ws.agent("bob").write(*AT, {"x": self.wrong})
        assert [(e.path, e.reason) for e in ws.escalations()] == [(("x",), "type")]
        assert same(shown(ws), {"x": self.values[0]})

    def test_it_is_a_value(self) -> None:
        """A kind is equal to its copies, and pickles."""
        assert pickle.loads(pickle.dumps(self.kind)) == self.kind == copy.deepcopy(self.kind)
        assert self.kind.name and repr(self.kind)


def shown(ws: Workspace) -> dict[str, Any] | None:
    """Returns the value of the document, ``None`` if there is none."""
    document = ws.get(*AT)
    return None if document is None else document.value


def asked(ws: Workspace) -> Any:
    """Returns what is open, as replicas agree on it."""
    return sorted((e.id, e.version, e.path, e.reason, repr(e.base), repr(e.contenders)) for e in ws.escalations())


def same(one: Any, other: Any) -> bool:
    """Tells whether two values are the same, whatever the order of what has none."""
    return bool(one == other)


@contextmanager
def task(ws: Workspace, execution: str) -> Iterator[None]:
    """Makes the calls inside those of an execution of one task."""
    current: ContextVar[TaskScope | None] = ContextVar("task", default=None)
    ws.add_scope_provider(current.get)
    token = current.set(TaskScope(f"task/{execution}", "ada", "task", "task", execution, Instant.now(), _relation))
    try:
        yield
    finally:
        current.reset(token)


def _relation(own: str, other: str) -> Any:
    return "same" if own == other else "ordered"
