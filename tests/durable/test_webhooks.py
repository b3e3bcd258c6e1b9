"""Events are sent to a webhook: signed, each until it was received, and nothing that is secret is shown."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from concordant import ConcordantError, StorageError, Workspace, webhooks
from concordant.cli.app import app
from concordant.webhooks import Attempt, Webhook, WebhookGoneError, adeliver, deliver, new_secret
from tests.patience import PATIENCE, until

from .receiver import PATH, Answer, Receiver, receiving

FreshUrl = Callable[[str], str | None]
NS = ("plans",)
SECRET = new_secret()
HOUR = 3_600.0


def conflict(ws: Workspace, key: str) -> None:
    """Two agents write different values at once."""
    began = ws.moment()
    for agent in ("ada", "bob"):
        ws.agent(agent, began=began).write(NS, key, {"status": f"{agent}'s"})


def keys(receiver: Receiver) -> list[str]:
    """Which questions were received, in the order in which they came."""
    return [message["data"]["key"] for message in receiver.messages]


class Clock:
    """Time as a script has it, for sender and receiver: pauses take none."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.begin = self.now = time.time()
        self.pauses: list[float] = []
        self.script: Callable[[float], object] = lambda passed: None
        clock = self

        class Now(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Now:
                return cls.fromtimestamp(clock.now, tz)

        patch.setattr(webhooks, "time", SimpleNamespace(time=lambda: clock.now))
        patch.setattr("standardwebhooks.webhooks.datetime", Now)
        patch.setattr(webhooks, "_pause", self._pause)

    def _pause(self, stop: threading.Event, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        self.script(self.now - self.begin)


# -- promises, which the mutants of tests/mutants/test_webhook_mutants.py break -----------------------------------


def an_hour_down_misses_nothing(url: str | None, patch: pytest.MonkeyPatch) -> None:
    """A receiver that cannot be reached, answers errors, breaks off, is back after an hour."""
    with Workspace(url) as ws, receiving(SECRET) as receiver:
        clock = Clock(patch)
        opened = [0]
        receiver.close()

        failures: list[Answer] = [None, 500, 404, (302, {"Location": "/elsewhere"})]

        def script(passed: float) -> None:
            while opened[0] < min(passed / HOUR, 1) * 24:
                conflict(ws, f"k{opened[0]}")
                opened[0] += 1
            if passed > HOUR / 3 and not receiver.paths and receiver._server is None:
                receiver.open()

        def answer(number: int) -> Answer:
            passed = clock.now - clock.begin
            if passed > HOUR:
                return 204
            return (503, {"Retry-After": "120"}) if passed < 2 * HOUR / 3 else failures[number % 4]

        clock.script, receiver.answer = script, answer
        hook = Webhook(receiver.url, SECRET)
        with ws.subscribe("team"):  # known from now on
            pass
        conflict(ws, "k0")
        opened[0] = 1
        assert deliver(ws, hook, name="team", count=24, stop=_in(15.0)) == 24
        assert keys(receiver) == [f"k{number}" for number in range(24)]
        assert receiver.unsigned == [] and {*receiver.paths} == {PATH}
        assert clock.now - clock.begin > HOUR and max(clock.pauses) <= 300


def what_is_refused_holds_up_nothing(url: str | None, patch: pytest.MonkeyPatch) -> None:
    """Of three events the second is refused for ever, as one that is too long: it is tried for four hours, the
    receiver's outages not counted, then it is passed over with a warning; the others are received in their order."""
    with Workspace(url) as ws, receiving(SECRET) as receiver:
        clock, heard, logged = Clock(patch), list[Attempt](), list[str]()
        patch.setattr(webhooks.log, "warning", lambda text, *about, **_: logged.append(text % about))
        with ws.subscribe("team"):
            for number in range(3):
                conflict(ws, f"k{number}")
        down: list[Answer] = [None, 500, 503, 408, 425, 429, 302]
        outage: list[float] = []  # when it began

        def answer(number: int) -> Answer:
            if len(receiver.came) != 1 or heard[-1].passed_over:
                return 204
            # an hour of refusals, seven of outages from the next attempt on, and then refusals only
            if not outage and clock.now - clock.begin > HOUR:
                outage.append(clock.now)
            is_down = outage and clock.now < outage[0] + 7 * HOUR
            return down[number % 7] if is_down else (400, 413, 422)[number % 3]

        receiver.answer = answer
        stop = _in(10.0)
        assert deliver(ws, Webhook(receiver.url, SECRET), name="team", count=2, heard=heard.append, stop=stop) == 2
        assert keys(receiver) == ["k0", "k2"] and receiver.unsigned == []
        [passed] = [attempt for attempt in heard if attempt.passed_over]
        refused = [one for one in heard if re.match("answered (400|413|422) ", one.problem or "")]
        assert 4 * HOUR <= sum(one.again for one in refused) < 4 * HOUR + 300
        assert passed.event.escalation.key == "k1" and 11 * HOUR <= clock.now - clock.begin < 12 * HOUR
        [warning] = [text for text in logged if "passed over (1 so far)" in text]
        for named in (passed.event.id, passed.event.escalation.id, passed.problem, f"{passed.number} attempts"):
            assert str(named) in warning


def an_hour_of_refusals_misses_nothing(patch: pytest.MonkeyPatch) -> None:
    """As of a receiver that is set up wrongly: what it refuses for an hour it gets afterwards."""
    with Workspace() as ws, receiving(SECRET) as receiver:
        clock = Clock(patch)
        with ws.subscribe("team"):
            for number in range(3):
                conflict(ws, f"k{number}")
        receiver.answer = lambda number: (401, 404)[number % 2] if clock.now - clock.begin < HOUR else 204
        assert deliver(ws, Webhook(receiver.url, SECRET), name="team", count=3, stop=_in(15.0)) == 3
        assert keys(receiver) == ["k0", "k1", "k2"]


def what_comes_is_signed_with_its_time() -> None:
    """The reference library takes what was sent, and neither another body, id, time nor secret."""
    with Workspace() as ws, receiving(SECRET) as receiver:
        with ws.subscribe("team"):
            conflict(ws, "k")
        assert deliver(ws, Webhook(receiver.url, SECRET), name="team", count=1, stop=_in(5.0)) == 1
        [(headers, body)] = receiver.came
        assert receiver.unsigned == []
        for changed in (
            (headers, body + b" "),
            ({**headers, "webhook-id": "evt_other"}, body),
            ({**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, body),
            ({**headers, "webhook-signature": ""}, body),
        ):
            receiver.take("", *changed)
        assert len(receiver.unsigned) == 4


def nothing_secret_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong: no secret, and of the address no more than the host, in a message, log, header or error."""
    said: list[object] = []
    with Workspace() as ws, receiving(SECRET) as receiver, pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch)
        receiver.answer = lambda number: (None, 500, (302, {"Location": "/elsewhere"}), 418, 418, 599, 410)[number - 1]
        with ws.subscribe("team"):
            conflict(ws, "k")
            conflict(ws, "l")
        hook = Webhook(receiver.url, SECRET)
        said += [hook, hook.name, hook.host]
        with pytest.raises(WebhookGoneError) as gone, caplog.at_level(logging.DEBUG):
            deliver(ws, hook, name="team", give_up=0.5, heard=said.append)
        said.append(gone.value)
        port, receiver.port = receiver.port, _unused()
        stop = _in(0.5)
        with caplog.at_level(logging.DEBUG):
            deliver(ws, Webhook(receiver.url, SECRET), name="team", heard=said.append, stop=stop)
            deliver(
                ws, Webhook(f"https://127.0.0.1:{port}{PATH}", SECRET), name="team", heard=said.append, stop=_in(0.5)
            )
        assert clock.pauses and len(said) > 8
    for url, secret in (
        (f"ftp://h{PATH}", SECRET),
        (f"https://ada:hunter2@h{PATH}", SECRET),
        (f"https://h:x{PATH}", SECRET),
        (f"https://h{PATH} x", SECRET),
        (f"http://h{PATH}", SECRET),
        (f"https://h{PATH}", SECRET[:-9]),
        (f"https://h{PATH}", f"{SECRET} hunter2"),
    ):
        with pytest.raises(ConcordantError) as refused:
            Webhook(url, secret)
        said += [refused.value, refused.value.__context__ if not refused.value.__suppress_context__ else ""]
    said += [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
    headers = [f"{name}: {value}" for headers, _ in receiver.came for name, value in headers.items()]
    shown = "\n".join(map(repr, said)) + "\n".join(map(str, said)) + "\n".join(headers)
    raw = base64.b64decode(SECRET.removeprefix("whsec_"))
    for secret in (SECRET, SECRET[6:20], raw.hex(), repr(raw)[2:-1], "pathtoken", "querytoken", "hunter2"):
        assert secret not in shown


def a_kill_repeats_what_was_under_way(url: str) -> None:
    """Killed (kill -9) while a receiver is about to refuse an event for the last time, and right after one was
    received: the next goes on, at least once, and the ids tell which came twice. What was refused is tried anew for the
    whole time, and passed over once."""
    with Workspace(url) as ws, receiving(SECRET) as receiver:
        with ws.subscribe("team"):
            for number in range(4):
                conflict(ws, f"k{number}")
        process: list[subprocess.Popen[str]] = []
        refused = (2, 3, 4, 5)  # k1: two attempts of two processes each
        kills: dict[int, Answer] = {3: None, 6: 204}
        said: list[str] = []

        def answer(number: int) -> Answer:
            if number in kills:
                os.kill(process[-1].pid, signal.SIGKILL)
                process[-1].wait()
                return kills[number]
            return 422 if number in refused else 204

        receiver.answer = answer
        for _ in range(3):
            with _notifying(url, receiver.url, "--count", "2", "--give-up", "0.0002") as one:
                process.append(one)
                until(lambda: one.poll() is not None)
                said.append(one.communicate(timeout=PATIENCE)[1])
            _end_lease(url)
        assert [one.returncode for one in process] == [-signal.SIGKILL, -signal.SIGKILL, 0]
        assert receiver.unsigned == []
        once = {message["id"]: message["data"]["key"] for message in receiver.messages}
        assert [*once.values()] == ["k0", "k2", "k3"]  # in order, each, by its id
        assert keys(receiver) == ["k0", "k2", "k2", "k3"]
        assert ["passed over (1 so far)" in text for text in said] == [False, True, False]


def an_event_has_one_name(url: str | None) -> None:
    """In the writer's thread and under a subscription, and no two events share one."""
    with Workspace(url) as ws:
        heard: list[Any] = []
        ws.on_escalation(heard.append)
        with ws.subscribe("team"):
            began = ws.moment()
            for key in ("a", "b"):
                for agent in ("ada", "bob", "eve"):
                    ws.agent(agent, began=began).write(NS, key, {"status": f"{agent}'s"})
            for question in ws.escalations():
                ws.claim(question, by="maria")
            for question in ws.escalations():
                ws.reopen(ws.resolve(question, "x", by="maria") and question.id, by="maria")
        told = [*_received(ws)]
        assert [event.id for event in heard] == [event.id for event in told] and len(told) >= 8
        assert [event.to_dict() for event in heard] == [event.to_dict() for event in told]
        assert len({event.id for event in told}) == len(told)
        assert all("." not in event.id for event in told)  # which would be taken for the end of what is signed


# -- tests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.torture), "folder"])
def test_a_receiver_that_is_down_for_an_hour_misses_nothing(
    kind: str, fresh_url: FreshUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets every event of the hour, in order, each once and signed, at the one address."""
    an_hour_down_misses_nothing(fresh_url(kind), monkeypatch)


def test_what_is_refused_for_ever_holds_up_nothing(fresh_url: FreshUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is passed over after hours, named by a warning and counted; no outage counts as a refusal."""
    what_is_refused_holds_up_nothing(fresh_url("sqlite"), monkeypatch)


def test_a_receiver_that_refuses_for_an_hour_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong secret or path, set right within the hour, costs no event."""
    an_hour_of_refusals_misses_nothing(monkeypatch)


def test_what_is_refused_can_be_tried_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `give_up=0`, for a week; below 0 or no number is refused."""
    with Workspace() as ws, receiving(SECRET) as receiver:
        clock = Clock(monkeypatch)
        asked = {"Retry-After": "3600"}
        receiver.answer = lambda number: (400, asked) if clock.now - clock.begin < 168 * HOUR else 204
        with ws.subscribe("team"):
            conflict(ws, "k")
        hook = Webhook(receiver.url, SECRET)
        assert deliver(ws, hook, name="team", give_up=0, count=1, stop=_in(15.0)) == 1
        assert keys(receiver) == ["k"]
        for wrong in (-1, float("nan"), True, "4h"):
            with pytest.raises(ConcordantError, match="give_up= is a number of seconds"):
                deliver(ws, hook, name="team", give_up=wrong)  # type: ignore[arg-type]


def test_what_is_sent_is_signed() -> None:
    """By Standard Webhooks: id, time and body; its reference library verifies it."""
    what_comes_is_signed_with_its_time()


def test_nothing_secret_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Not the secret, not the address beyond its host, in messages, logs, errors and headers."""
    nothing_secret_is_shown(caplog)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.torture)])
def test_one_that_is_killed_goes_on_where_it_was(kind: str, fresh_url: FreshUrl) -> None:
    """`concordant notify`, killed in the middle of an event: the next run goes on with it, and with all others."""
    url = fresh_url(kind)
    assert url is not None
    a_kill_repeats_what_was_under_way(url)


def test_what_is_sent() -> None:
    """The event in its JSON form, under a type by its kind; with a second secret, a second signature."""
    other = new_secret()
    with Workspace() as ws, receiving(other) as receiver:
        with ws.subscribe("team"):
            conflict(ws, "k")
            [question] = ws.escalations()
            ws.resolve(question, "ready", by="maria", why="As agreed.")
        heard: list[Attempt] = []
        hook = Webhook(receiver.url, f"{SECRET} {other}")
        assert deliver(ws, hook, name="team", count=2, heard=heard.append, stop=_in(5.0)) == 2
        opened, resolved = receiver.messages
        [event, _] = [attempt.event for attempt in heard]
        assert opened == {
            "id": event.id,
            "type": "escalation.opened",
            "timestamp": event.at.isoformat(),
            "data": question.to_dict(),
        }
        assert event.at == question.opened_at and resolved["type"] == "escalation.resolved"
        assert resolved["data"]["remarks"] == [{"by": "maria", "text": "As agreed."}]
        assert opened["id"] != resolved["id"]
        assert [len(headers["webhook-signature"].split()) for headers, _ in receiver.came] == [2, 2]
        assert {*receiver.came[0][0]} == {
            *("accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"),
            *("webhook-id", "webhook-timestamp", "webhook-signature"),
        }


def test_a_message_for_people() -> None:
    """As Slack takes it: sides with their agents, a link to the desk, and nothing in it that an agent could use to
    call people or to look like mark-up."""
    with Workspace() as ws, receiving(SECRET) as receiver:
        with ws.subscribe("team"):
            began = ws.moment()
            ws.agent("ada", began=began).write(NS, "k", {"status": "<!channel> *now* & @here <https://x|y>"})
            for number in range(12):
                ws.agent(f"a{number}", began=began).write(NS, "k", {"status": f"{number} " + "long " * 200})
        hook = Webhook(receiver.url, SECRET, "slack", desk="https://desk.example/")
        deliver(ws, hook, name="team", count=1, stop=_in(5.0))
        deliver(ws, hook, name="team", count=11, stop=_in(5.0))
        assert all({*message} == {"text"} for message in receiver.messages)
        first, last = (receiver.messages[number]["text"].split("\n") for number in (0, -1))
        assert first[0] == "*opened*: plans:k status (scalar)"
        assert first[1] == "• &lt;!channel&gt; *now* &amp; @\u200bhere &lt;https://x|y&gt; by ada"
        assert re.fullmatch(r"<https://desk\.example/question/[0-9a-f]{20}\|Open it>", first[-1])
        assert last[-2] == "and 3 more" and len("\n".join(last)) < 5_000


def test_a_question_with_huge_values_is_sent_without_them() -> None:
    """Who it is about and between whom is sent; the values, which no receiver would take, are in the store."""
    with Workspace() as ws, receiving(SECRET) as receiver:
        with ws.subscribe("team"):
            began = ws.moment()
            ws.agent("ada", began=began).write(NS, "k", {"status": "x" * 300_000})
            ws.agent("bob", began=began).write(NS, "k", {"status": "y"})
        deliver(ws, Webhook(receiver.url, SECRET), name="team", count=1, stop=_in(5.0))
        [message] = receiver.messages
        assert message["shortened"] and [one["value"] for one in message["data"]["contenders"]] == [None, None]
        assert [one["agent"] for one in message["data"]["contenders"]] == ["ada", "bob"]


def test_what_a_receiver_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses double up to five minutes; `Retry-After` lengthens one, in seconds or as a date, up to an hour."""
    with Workspace() as ws, receiving(SECRET) as receiver:
        clock = Clock(monkeypatch)
        later = format_datetime(datetime.fromtimestamp(clock.now, UTC) + timedelta(seconds=2_000), usegmt=True)
        asked = {11: "600", 12: later, 13: "999999999999", 14: "soon", 15: "Thu, 01 Jan 1970 00:00:00 GMT"}
        receiver.answer = lambda number: (429, {"Retry-After": asked.get(number, "0")}) if number < 16 else 200
        with ws.subscribe("team"):
            conflict(ws, "k")
        monkeypatch.setattr(webhooks.random, "uniform", lambda low, high: high)
        assert deliver(ws, Webhook(receiver.url, SECRET), name="team", count=1, stop=_in(15.0)) == 1
        assert clock.pauses[:11] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 600]
        assert 587 <= clock.pauses[11] <= 590 and clock.pauses[12:] == [3_600, 300, 300]


def test_which_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a namespace and of some kinds; the others count as dealt with. A new name begins now, or at the start."""
    monkeypatch.setattr(webhooks, "LOOK", 0.1)
    with Workspace() as ws, receiving(SECRET) as receiver:
        conflict(ws, "before")
        hook = Webhook(receiver.url, SECRET)
        with ws.subscribe(hook.name):
            pass
        conflict(ws, "k")
        [_, question] = ws.escalations()
        ws.resolve(question, "x", by="maria")
        assert deliver(ws, hook, kinds=["resolved"], prefix=NS, count=1, stop=_in(5.0)) == 1
        assert deliver(ws, hook, stop=_in(0.2)) == 0
        assert deliver(ws, hook, prefix=("other",), from_start=True, name="all", stop=_in(0.2)) == 0
        assert deliver(ws, hook, from_start=True, name="more", stop=_in(5.0), count=3) == 3
        assert keys(receiver) == ["k", "before", "k", "k"]
        for wrong in (["lost"], "opened"):
            with pytest.raises(ConcordantError, match="kinds="):
                deliver(ws, hook, kinds=wrong)


def away(patch: pytest.MonkeyPatch, events: Any, name: str) -> None:
    """Has a call on a store's events fail three times, as while the store is away."""
    call, trouble = getattr(events, name), [StorageError("the store", "it is gone", "wait")] * 3

    def hindered(*arguments: Any) -> Any:
        if trouble:
            raise trouble.pop()
        return call(*arguments)

    patch.setattr(events, name, hindered)


def test_a_store_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """An outage of the database ends nothing."""
    with Workspace() as ws, receiving(SECRET) as receiver:
        Clock(monkeypatch)
        with ws.subscribe("team"):
            conflict(ws, "k")
        away(monkeypatch, ws.storage.events, "after")
        assert deliver(ws, Webhook(receiver.url, SECRET), name="team", count=1) == 1
        assert len([one for one in caplog.records if "waits for the store" in one.getMessage()]) == 3


@pytest.mark.parametrize(("status", "got", "passed"), [(204, ["k", "l"], 0), (422, ["l"], 1)])
def test_an_outage_of_the_store_after_an_answer_counts_nothing_twice(
    status: int, got: list[str], passed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was received, or passed over, is only noted again when the store is back, not sent and counted again."""
    with Workspace() as ws, receiving(SECRET) as receiver:
        Clock(monkeypatch)
        with ws.subscribe("team"):
            conflict(ws, "k")
            conflict(ws, "l")
        away(monkeypatch, ws.storage.events, "acknowledge")
        receiver.answer = lambda number: status if number < 3 else 204
        heard: list[Attempt] = []
        hook, most = Webhook(receiver.url, SECRET), len(got)
        assert deliver(ws, hook, name="team", give_up=0.5, count=most, heard=heard.append, stop=_in(5.0)) == most
        assert keys(receiver) == got and [one.passed_over for one in heard].count(True) == passed


def test_for_coroutines() -> None:
    """`adeliver` runs beside the event loop, and ends when it is cancelled."""

    async def run() -> int:
        with Workspace() as ws, receiving(SECRET) as receiver:
            hook = Webhook(receiver.url, SECRET)
            with ws.subscribe("team"):
                conflict(ws, "k")
            received = await adeliver(ws, hook, name="team", count=1)
            task = asyncio.create_task(adeliver(ws, hook, name="team"))
            await asyncio.sleep(0.05)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            with ws.subscribe("team") as inbox:  # free again
                conflict(ws, "l")
                event = await asyncio.to_thread(inbox.receive, 5.0)
                assert event is not None and event.escalation.key == "l"
            return received

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres", "folder"])
def test_an_event_has_one_name_wherever_it_is_told(kind: str, fresh_url: FreshUrl) -> None:
    """The id in the writer's thread is that of the subscription, of another time and process; no two share one."""
    an_event_has_one_name(fresh_url(kind))


def test_the_command(fresh_url: FreshUrl) -> None:
    """It says what was received and where, not the address; wrong settings end it with 2, a receiver's 410 with 1."""
    url = fresh_url("sqlite")
    assert url is not None
    run = lambda *options, **env: CliRunner().invoke(app, ["notify", url, *options], env=env)  # noqa: E731
    with Workspace(url) as ws, receiving(SECRET) as receiver:
        with ws.subscribe("team"):
            conflict(ws, "k")
        secret = {"CONCORDANT_WEBHOOK_SECRET": SECRET}
        done = run("--webhook", receiver.url, "--name", "team", "--count", "1", "--json", **secret)
        assert done.exit_code == 0, done.output
        said = json.loads(done.stdout)
        assert said["received"] is True and said["passed_over"] is False
        assert f"sends to http://127.0.0.1:{receiver.port} as team\n" in done.stderr
        none = run("--webhook", receiver.url)
        assert none.exit_code == 2 and "CONCORDANT_WEBHOOK_SECRET" in none.stderr
        wrong = run(CONCORDANT_WEBHOOK="https://h/pathtoken", CONCORDANT_WEBHOOK_SECRET="hunter2")
        assert wrong.exit_code == 2 and "openssl rand -base64 32" in wrong.stderr
        shape = run("--shape", "xml", CONCORDANT_WEBHOOK=receiver.url, **secret)
        assert shape.exit_code == 2 and "raw, slack" in shape.stderr
        negative = run("--webhook", receiver.url, "--give-up", "-1", **secret)
        assert negative.exit_code == 2 and "--give-up" in negative.output
        receiver.answer = lambda number: 500 if number == 2 else 410
        conflict(ws, "l")
        gone = run("--name", "team", CONCORDANT_WEBHOOK=receiver.url, **secret)
        assert gone.exit_code == 1 and "410 Gone" in gone.stderr
        assert gone.stderr.count("answered 500 Internal Server Error") == 1
        for one in (done, none, wrong, shape, gone):
            assert not any(word in one.output for word in (SECRET[6:], "pathtoken", "querytoken", "hunter2"))


# -- means --------------------------------------------------------------------------------------------------------


def _received(ws: Workspace) -> Iterator[Any]:
    with ws.subscribe("team") as inbox:
        while (event := inbox.receive(timeout=0.1)) is not None:
            inbox.acknowledge()
            yield event


def _in(seconds: float) -> threading.Event:
    """What ends a delivery that does not end by itself."""
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()
    return stop


def _unused() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def _notifying(url: str, webhook: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "CONCORDANT_WEBHOOK": webhook, "CONCORDANT_WEBHOOK_SECRET": SECRET}
    command = [sys.executable, "-m", "concordant", "notify", url, "--name", "team", *options]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, cwd=Path(__file__).parent)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _end_lease(url: str) -> None:
    """As if its time had passed: whoever was killed released nothing."""
    with Workspace(url) as ws:
        storage: Any = ws.storage
        storage.database.write(lambda tx: tx.run("UPDATE concordant_subscribers SET until = 0"))
