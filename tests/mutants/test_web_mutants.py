"""Desks with a hole in their guard, or that lose something, each caught by the test of what it breaks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment

from concordant import Workspace
from concordant.desk import choosing, guard, pages, visit
from concordant.desk.api import Call, _validated
from concordant.desk.guard import _host, _is_local, _is_own, _is_same
from concordant.desk.numbers import _harmless
from concordant.desk.pages import _applied, _question_page
from tests.desk import test_api, test_attacks, test_pages
from tests.desk.conftest import Browser, team

from .breaking import swap

CAUGHT = (AssertionError, LookupError, StopIteration)
"""How a test fails: what it looks for is not so, or not there at all."""


def asked(ws: Workspace) -> Callable[[str], Any]:
    return lambda name: next(one for one in ws.escalations() if one.path[0] == name)


def unescaped(patch: pytest.MonkeyPatch) -> None:
    """Templates put text into pages as it is."""

    class Bare(Environment):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**{**settings, "autoescape": False})

    patch.setattr(visit, "Environment", Bare)
    visit._environment.cache_clear()


def any_form(patch: pytest.MonkeyPatch) -> None:
    """A form needs no secret."""
    patch.setattr(visit.secrets, "compare_digest", lambda one, other: True)


def any_site(patch: pytest.MonkeyPatch) -> None:
    """Another site's requests are taken for one's own."""
    swap(patch, _is_own, lambda request: True)


def any_host(patch: pytest.MonkeyPatch) -> None:
    """Every name is taken for one of this machine."""
    swap(patch, _host, lambda header: "localhost")


def any_address(patch: pytest.MonkeyPatch) -> None:
    """Every address is taken for this machine."""
    swap(patch, _is_local, lambda request: True)


def any_token(patch: pytest.MonkeyPatch) -> None:
    """Every token is the right one."""
    swap(patch, _is_same, lambda given, token: True)


def no_headers(patch: pytest.MonkeyPatch) -> None:
    """Browsers are told nothing."""
    patch.setattr(guard, "HEADERS", {})


def whole_values(patch: pytest.MonkeyPatch) -> None:
    """Pages show all of a value, however long."""
    patch.setattr(pages.looks, "MOST", 2**31)
    patch.setattr(pages.looks.text, "__defaults__", (2**31,))


def formulas(patch: pytest.MonkeyPatch) -> None:
    """What a spreadsheet would run stands in CSV as it is."""
    swap(patch, _harmless, lambda cell: cell)


def forgets_what_was_typed(patch: pytest.MonkeyPatch) -> None:
    """The page of a refusal has the form as it was."""
    shown = pages._question_page
    swap(patch, _question_page, lambda *given, typed=None, **more: shown(*given, **more))


def decides_on_whatever_stands(patch: pytest.MonkeyPatch) -> None:
    """A decision is pinned to the present sides, not to those that were looked at."""
    original = pages.decide

    def decide(given: visit.Visit) -> Any:
        found = pages._question(given)
        given.sent = [(name, found.version if name == "version" else value) for name, value in given.sent]
        return original(given)

    patch.setattr(pages, "PAGES", [(m, p, decide if act is original else act) for m, p, act in pages.PAGES])
    patch.setattr("concordant.desk.web.PAGES", pages.PAGES)


def applies_to_whatever_stands(patch: pytest.MonkeyPatch) -> None:
    """Many decisions hold for other sides than the preview showed."""
    applied = pages._applied

    def latest(given: visit.Visit, choice: str, agent: str) -> Any:
        versions = {one.id: one.version for one in given.workspace.escalations()}
        given.sent = [
            (
                name,
                f"{value.partition('@')[0]}@{versions.get(value.partition('@')[0], '')}" if name == "pick" else value,
            )
            for name, value in given.sent
        ]
        return applied(given, choice, agent)

    swap(patch, _applied, latest)


def one_refusal_stops_all(patch: pytest.MonkeyPatch) -> None:
    """The first question that cannot be decided ends it."""
    original = choosing.apply

    def apply(workspace: Workspace, plans: Any, by: str, why: str | None) -> Any:
        plans = list(plans)
        first = next((n for n, plan in enumerate(plans) if plan.why_not), len(plans))
        return original(workspace, [*plans[:first], *(replace_why(plan) for plan in plans[first:])], by, why)

    def replace_why(plan: Any) -> Any:
        return replace(plan, why_not=plan.why_not or "another was refused")

    swap(patch, choosing.apply, apply)


def pins_nothing(patch: pytest.MonkeyPatch) -> None:
    """The API decides without a version."""
    swap(patch, Call.pinned, lambda call: call.question)


def any_body(patch: pytest.MonkeyPatch) -> None:
    """The API takes what a form of another site can send."""
    swap(patch, _validated, lambda request, body, takes: takes.model_validate_json(body or b"{}"))


BROKEN: list[tuple[Callable[[pytest.MonkeyPatch], None], Callable[..., Any]]] = [
    (unescaped, lambda ws: test_attacks.test_nothing_that_is_stored_becomes_markup()),
    (any_form, lambda ws: test_attacks.test_forged_forms_are_refused(ws, Browser(ws), asked(ws))),
    (any_site, lambda ws: test_attacks.test_forged_forms_are_refused(ws, Browser(ws), asked(ws))),
    (any_host, lambda ws: test_attacks.test_without_a_login_it_is_for_this_machine_alone(ws)),
    (any_address, lambda ws: test_attacks.test_without_a_login_it_is_for_this_machine_alone(ws)),
    (no_headers, lambda ws: test_attacks.test_every_answer_tells_browsers_what_not_to_do(Browser(ws))),
    (whole_values, lambda ws: test_attacks.test_ten_megabytes_make_no_heavy_page()),
    (formulas, lambda ws: test_attacks.test_a_spreadsheet_runs_nothing()),
    (
        forgets_what_was_typed,
        lambda ws: test_pages.test_a_side_that_came_meanwhile_refuses_and_loses_nothing(ws, Browser(ws), asked(ws)),
    ),
    (
        decides_on_whatever_stands,
        lambda ws: test_pages.test_a_side_that_came_meanwhile_refuses_and_loses_nothing(ws, Browser(ws), asked(ws)),
    ),
    (
        applies_to_whatever_stands,
        lambda ws: test_pages.test_bulk_refuses_what_changed_since_the_preview(ws, Browser(ws), asked(ws)),
    ),
    (
        one_refusal_stops_all,
        lambda ws: test_pages.test_many_are_decided_at_once(ws, Browser(ws), "agent", "dora", 2, {"status": "new"}),
    ),
    (
        pins_nothing,
        lambda ws: test_api.test_a_decision_needs_the_version_that_was_looked_at(ws, test_api.Api(ws), asked(ws)),
    ),
    (any_body, lambda ws: test_api.test_other_sites_cannot_use_it(test_api.Api(ws), asked(ws))),
]


@pytest.mark.parametrize(("broken", "test"), BROKEN, ids=[broken.__name__ for broken, _ in BROKEN])
def test_a_hole_is_found(
    broken: Callable[[pytest.MonkeyPatch], None], test: Callable[..., Any], tmp_path: Path
) -> None:
    """The test, which passes on the desk as it is, fails on the broken one."""
    with team(f"sqlite:///{tmp_path}/team.db") as ws, pytest.MonkeyPatch.context() as patch, pytest.raises(CAUGHT):  # noqa: PT012
        try:
            broken(patch)
            test(ws)
        finally:
            visit._environment.cache_clear()


def test_a_token_that_is_none_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """So is a desk that takes every token."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    url = f"sqlite:///{tmp_path}/team.db"
    with team(url) as ws, pytest.MonkeyPatch.context() as patch, pytest.raises(AssertionError):  # noqa: PT012
        any_token(patch)
        test_attacks.test_the_link_has_a_token_that_is_told_to_nobody(ws, caplog)
