"""What was written under another model is shown in the present one's form, whatever is written beside it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, create_model

from concordant import Scalar, Workspace

NS = ("notes",)


class Former(BaseModel):
    """Everything is text."""

    it: Annotated[str, Scalar()] = ""
    title: Annotated[str, Scalar()] = ""


FORMS: list[tuple[Any, str, str]] = [
    (Decimal, "1.", "1"),
    (Decimal, "+2.50", "2.50"),
    (datetime, "2026-11-29 10:00:00+00:00", "2026-11-29T10:00:00Z"),
    (UUID, "6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
]


@pytest.mark.parametrize(("form", "given", "shown"), FORMS, ids=[given for _, given, _ in FORMS])
@pytest.mark.parametrize("storage", ["memory", "sqlite"])
def test_a_value_of_another_model_keeps_its_form_beside_later_writes(
    storage: str, form: Any, given: str, shown: str, keep_on: Any
) -> None:
    """Imported, written to, exported, and imported elsewhere, it is what the first read after the import showed."""
    keep_on(storage)
    present = create_model("Present", __base__=Former, it=(Annotated[form | None, Scalar()], None))
    with Workspace(schemas={NS: Former}) as source, Workspace(schemas={NS: present}) as ws:
        source.agent("ada").write(NS, "n", {"it": given})
        ws.import_(source.export())
        for written in ({}, {"title": "One"}, {"title": "Two"}):
            found = ws.get(NS, "n")
            assert found is not None and found.value["it"] == shown
            ws.agent("bob").write(NS, "n", written)
        with Workspace(schemas={NS: present}) as twin:
            twin.import_(ws.export())
            one, other = (each.get(NS, "n") for each in (ws, twin))
            assert one is not None and other is not None
            assert one.value == other.value == {"it": shown, "title": "Two"}
        assert ws.check().problems == ()
