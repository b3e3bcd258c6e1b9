"""Deliberately broken webhooks: each breaks one promise, which a test of them must notice."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from concordant import webhooks
from concordant.errors import told
from concordant.escalation import Event
from concordant.webhooks import Webhook, _Courier, _is_refusal, _NoRedirects, _problem
from concordant.workspace.subscription import Subscription

from ..durable import test_webhooks as kept
from .breaking import swap

Patch = pytest.MonkeyPatch


def nothing_is_signed(patch: Patch) -> None:
    """There is no signature."""
    swap(patch, Webhook._signed, lambda self, content: "")


def the_time_is_not_signed(patch: Patch) -> None:
    """The signature is of id and body: what somebody recorded can be sent again later, with another time."""
    signed = webhooks.Webhook._signed
    swap(patch, Webhook._signed, lambda self, content: signed(self, content.replace(b".", b"", 1)))


def the_cursor_moves_first(patch: Patch) -> None:
    """An event counts as dealt with before it was received."""
    receive = Subscription.receive

    def received(self: Subscription, timeout: float | None = None) -> Any:
        event = receive(self, timeout)
        self.acknowledge()
        return event

    swap(patch, Subscription.receive, received)


def it_gives_up(patch: Patch) -> None:
    """What fails ten times is dropped."""
    send = webhooks.Webhook.send
    failed = [0]

    def sent(self: webhooks.Webhook, event: Any, now: float) -> Any:
        answer = send(self, event, now)
        failed[0] = 0 if answer.status == 204 else failed[0] + 1
        return answer._replace(status=204) if failed[0] > 10 else answer

    swap(patch, Webhook.send, sent)


def what_is_refused_waits_for_ever(patch: Patch) -> None:
    """A refusal counts as an outage: it holds up what comes after it."""
    swap(patch, _is_refusal, lambda status: False)


def outages_are_refusals(patch: Patch) -> None:
    """The time when the receiver was down counts."""
    swap(patch, _is_refusal, lambda status: True)


def what_is_refused_is_passed_over_at_once(patch: Patch) -> None:
    """The first refusal is the last."""
    courier = webhooks._Courier
    swap(patch, _Courier, lambda inbox, hook, _, *others: courier(inbox, hook, 0.0, *others))


def redirects_are_followed(patch: Patch) -> None:
    """What is sent goes to wherever the receiver points."""
    swap(patch, _NoRedirects, webhooks.HTTPRedirectHandler)


def the_address_is_shown(patch: Patch) -> None:
    """Messages name the whole address, which may be a secret."""
    swap(patch, Webhook.host, property(lambda self: self.url))


def errors_say_what_libraries_say(patch: Patch) -> None:
    """An error repeats what was given."""
    swap(patch, told, repr)
    swap(patch, _problem, repr)
    swap(patch, Webhook.__repr__, lambda self: f"{vars(self)}")


def ids_are_drawn(patch: Patch) -> None:
    """An event that is sent again has another name."""
    swap(patch, Event.id, property(lambda self: f"evt_{uuid.uuid4().hex}"))


def soon(patch: Patch) -> None:
    """What never ends is ended soon."""
    patch.setattr(kept, "_in", lambda seconds: in_(seconds / 5))


in_ = kept._in


def hour(folder: Path) -> None:
    with Patch.context() as patch:
        kept.an_hour_down_misses_nothing(f"sqlite:///{folder}/hour.db", patch)


def refused(folder: Path) -> None:
    with Patch.context() as patch:
        kept.what_is_refused_holds_up_nothing(f"sqlite:///{folder}/refused.db", patch)


def refused_for_an_hour(folder: Path) -> None:
    with Patch.context() as patch:
        kept.an_hour_of_refusals_misses_nothing(patch)


def one_name(folder: Path) -> None:
    kept.an_event_has_one_name(f"sqlite:///{folder}/name.db")


def signed(folder: Path) -> None:
    kept.what_comes_is_signed_with_its_time()


@pytest.mark.parametrize(
    ("mutant", "promise"),
    [
        (nothing_is_signed, signed),
        (the_time_is_not_signed, signed),
        (the_cursor_moves_first, hour),
        (it_gives_up, hour),
        (what_is_refused_waits_for_ever, refused),
        (outages_are_refusals, refused),
        (what_is_refused_is_passed_over_at_once, refused_for_an_hour),
        (redirects_are_followed, hour),
        (ids_are_drawn, one_name),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_broken_webhook_is_noticed(
    mutant: Callable[[Patch], None], promise: Callable[[Path], None], monkeypatch: Patch, tmp_path: Path
) -> None:
    """The test of the promise fails."""
    (tmp_path / "whole").mkdir()
    promise(tmp_path / "whole")
    mutant(monkeypatch)
    soon(monkeypatch)
    with pytest.raises(AssertionError):
        promise(tmp_path)


@pytest.mark.parametrize("mutant", [the_address_is_shown, errors_say_what_libraries_say])
def test_a_secret_that_is_shown_is_noticed(
    mutant: Callable[[Patch], None], monkeypatch: Patch, caplog: pytest.LogCaptureFixture
) -> None:
    """The test that looks for secrets finds one."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        kept.nothing_secret_is_shown(caplog)
