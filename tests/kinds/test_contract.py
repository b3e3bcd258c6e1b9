"""Every kind keeps the contract of kinds: the core's, two that are defined here alone, and those of the page."""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path as File
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import BaseModel

from concordant import ConcordantError, Counter, List, Map, Scalar, SchemaError, Set, Text, Tree, Workspace
from concordant.merge.kinds import Field, Kind, Look, register
from concordant.merge.kinds.base import SETS, Declaration, Holds
from concordant.merge.kinds.nodes import node_value
from concordant.merge.kinds.shape import check_node, check_register
from concordant.merge.registers import Change, Path
from concordant.testing import KindContract
from concordant.values import ABSENT, decode, encode, same
from tests.test_docs import python_blocks


def documented() -> types.ModuleType:
    """What docs/kinds.md defines, as the module that it is where the page is tested."""
    module = types.ModuleType("document_docs_kinds_md")
    sys.modules[module.__name__] = module
    page = File(__file__).parent.parent.parent / "docs" / "kinds.md"
    for block in python_blocks(page.read_text(encoding="utf-8")):
        exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), module.__dict__)
    return module


page = documented()


class TestLargest(page.TestLargest):  # type: ignore[misc, name-defined]
    """The first kind of the page."""


class TestClose(page.TestClose):  # type: ignore[misc, name-defined]
    """The one that asks."""


@register
@dataclass(frozen=True, slots=True)
class MaxScalar(Kind):
    """One value: of several written at once the largest stands."""

    name: ClassVar[str] = "max"
    is_leaf: ClassVar[bool] = True

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        change.replace(path, encode(value, (field.name,)), field.canon)

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        if not same(encode(base), encode(value), field.canon):
            self.contribute(change, field, path, value)

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        texts = [entry.value for entry in look.entries(cell) if entry.value is not None]
        return decode(max(texts, key=field.rank)) if texts else ABSENT

    def check(self, field: Field, cell: Any) -> None:
        check_register(cell)


@register
@dataclass(frozen=True, slots=True)
class Ever(Kind):
    """A list of all elements that anybody ever added, in their own order: a container, of types that it checks."""

    name: ClassVar[str] = "ever"
    holds: ClassVar[Holds] = "elements"
    natural: ClassVar[type[Any] | None] = list
    grow_only: bool = True

    def declared(self, at: Declaration) -> Field | None:
        element = at.element(SETS)
        if element is None:
            at.misfit("Ever() takes list[...]")
            return None
        return Field(at.name, self, self.tag(), canon=at.canon(element), checked=at.checked)

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        for item in value:
            text = encode(item, (field.name,))
            change.replace((*path, field.canon(text).decode()), text, field.canon)
        if not value:
            change.touch(path)

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        self.contribute(change, field, path, [item for item in value if item not in base])

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        def shown(look: Look, cell: Any) -> Any:
            texts = [look.entries(cell[key]) for key in cell if key is not None]
            found = sorted(entries[0].value for entries in texts if entries)
            return [decode(text) for text in found] if found or look.entries(cell.get(None, ())) else ABSENT

        return node_value(look, field, path, public, cell, shown)

    def check(self, field: Field, cell: Any) -> None:
        check_node(cell, lambda elements: [check_register(one, deletable=False) for one in elements.values()])


class Item(BaseModel):
    id: Annotated[str, Scalar()] = ""
    n: Annotated[int, Scalar()] = 0


class TestMaxScalar(KindContract):
    annotation = Annotated[int | None, MaxScalar()]
    values = (1, 5, 3)
    wrong = "many"


class TestMaxOfDecimals(KindContract):
    annotation = Annotated[Decimal | None, MaxScalar()]
    values = ("9", "10", "9.5")
    wrong = "many"


class TestEver(KindContract):
    annotation = Annotated[list[str], Ever()]
    values = (["a"], ["b", "c"], ["d"])
    wrong = 5


class TestScalar(KindContract):
    annotation = Annotated[int | None, Scalar()]
    values = (1, 5, 3)
    wrong = "many"


class TestSet(KindContract):
    annotation = Annotated[list[str], Set()]
    values = (["a"], ["b", "c"], ["d"])
    wrong = 5


class TestKeyedSet(KindContract):
    annotation = Annotated[list[Item], Set(by="id")]
    values = ([{"id": "a", "n": 1}], [{"id": "b", "n": 1}], [{"id": "c", "n": 3}])
    wrong = 5


class TestMap(KindContract):
    annotation = Annotated[dict[str, int], Map()]
    values = ({"a": 1}, {"b": 2}, {"c": 3})
    wrong = 5


class TestText(KindContract):
    annotation = Annotated[str, Text()]
    values = ("One.", "Two.", "Three.")
    wrong = [1]


class TestCounter(KindContract):
    annotation = Annotated[int, Counter()]
    values = (1, 5, 3)
    wrong = "many"


class TestList(KindContract):
    annotation = Annotated[list[str], List()]
    values = (["a"], ["b", "c"], ["d"])
    wrong = 5


class TestTree(KindContract):
    annotation = Annotated[dict[str, Any], Tree()]
    values = ({"a": {"b": 1}}, {"a": {"c": [1]}}, {"d": []})
    told: ClassVar[Any] = [{"path": ["a", "c"], "value": [1]}]
    wrong = 5


def test_the_largest_of_what_was_written_at_once_stands() -> None:
    """A kind of this file alone merges as it says, and orders as the type does."""

    class Bid(BaseModel):
        price: Annotated[Decimal | None, MaxScalar()] = None

    ws = Workspace(schemas={("bids",): Bid})
    began = ws.moment()
    for name, price in (("ada", "9.50"), ("bob", "10"), ("eve", "9.75")):
        ws.agent(name, began=began).write(("bids",), "lot", {"price": price})
    document = ws.get(("bids",), "lot")
    assert document is not None and document.model.price == Decimal(10)
    assert ws.escalations() == []


def test_two_kinds_of_one_name_are_refused() -> None:
    """What is stored under a name is read by one kind."""
    with pytest.raises(ConcordantError, match="is that of Scalar already"):

        @register
        class Other(Kind):
            name: ClassVar[str] = "scalar"

    with pytest.raises(ConcordantError, match="is a word such as"):

        @register
        class Odd(Kind):
            name: ClassVar[str] = "no word"


def test_a_kind_that_lacks_a_method_or_is_not_registered_is_refused() -> None:
    """Each is told before anything is stored: when the class is made, or when a model declares it."""
    with pytest.raises(ConcordantError, match="Partial does not say read, check"):

        @register
        class Partial(Kind):
            name: ClassVar[str] = "partial"

            def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None: ...

            def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None: ...

    class Stray(MaxScalar):
        name: ClassVar[str] = "stray"

    class Brief(BaseModel):
        best: Annotated[int | None, Stray()] = None

    with pytest.raises(SchemaError, match=r"not registered\. Decorate Stray with `@register`"):
        Workspace(schemas={("briefs",): Brief})


class _Forgetful(MaxScalar):
    """A kind that shows what came last."""

    __slots__ = ()

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        texts = [entry.value for entry in cell if entry.value is not None]
        return decode(texts[-1]) if texts else 0


class _Loud(MaxScalar):
    """A kind that writes beside what it has seen."""

    __slots__ = ()

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        change.replace(path, encode(value, (field.name,)), field.canon, keep=True)


@pytest.mark.parametrize("broken", [_Forgetful, _Loud])
def test_a_kind_that_breaks_the_contract_is_noticed(broken: Any) -> None:
    """A kind that forgets deletions, or never lets go of a value, fails a test of the contract."""

    class Broken(KindContract):
        annotation = Annotated[int | None, broken()]
        values = (5, 1, 3)

    tests = [getattr(Broken(), name) for name in dir(Broken) if name.startswith("test_")]
    failed = 0
    for test in tests:
        try:
            test()
        except AssertionError:
            failed += 1
    assert failed


@pytest.mark.parametrize("values", [(True, False), (1, 1, 2), (1, 2, 2)])
def test_too_few_values_are_told(values: tuple[Any, ...]) -> None:
    """A contract with other than three values, or with equal ones beside each other, is refused where it is written."""
    with pytest.raises(TypeError, match="the first stands twice"):
        type("TestFlag", (KindContract,), {"annotation": Annotated[bool, MaxScalar()], "values": values})
