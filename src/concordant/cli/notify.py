"""``concordant notify``: what happens to questions, sent to a webhook."""

from __future__ import annotations

import logging
import os
import signal
import threading
from types import FrameType
from typing import Annotated

import typer

from concordant.cli.handles import handle
from concordant.cli.stores import AS_JSON, SCHEMAS, STORE, fail, opened, say, say_json
from concordant.desk.wording import prefix
from concordant.errors import ConcordantError
from concordant.webhooks import GIVE_UP, Attempt, Shape, Webhook, deliver

__all__ = ["notify"]

HOUR = 3_600.0


def notify(
    store: STORE,
    webhook: Annotated[
        str,
        typer.Option(
            envvar="CONCORDANT_WEBHOOK",
            help="The address to send to. Others on this machine can see what a command was given: use the variable.",
        ),
    ],
    secret_env: Annotated[
        str, typer.Option(help="The environment variable with the secret that signs what is sent, whsec_...")
    ] = "CONCORDANT_WEBHOOK_SECRET",
    shape: Annotated[
        str, typer.Option(help="raw: the event as JSON; slack: a message for people, as Slack and Mattermost take it.")
    ] = "raw",
    name: Annotated[
        str | None,
        typer.Option(help="The name under which it is remembered how far it came; by default one of the address."),
    ] = None,
    namespace: Annotated[str, typer.Option(help="Only below this namespace, its parts joined by /.")] = "",
    kind: Annotated[
        list[str] | None, typer.Option(help="Only events of this kind, such as opened; may be given several times.")
    ] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Under a new name: begin with the oldest event there is.")
    ] = False,
    desk: Annotated[
        str | None, typer.Option(help="The address of a desk, to link to from messages for people.")
    ] = None,
    count: Annotated[int, typer.Option(help="End after so many were received; 0: never.", min=0)] = 0,
    give_up: Annotated[
        float,
        typer.Option(
            help="For how many hours an event that the receiver refuses (4xx) is tried again before those after it "
            "have their turn; 0: without end. A receiver that is down is waited for in any case.",
            min=0,
        ),
    ] = GIVE_UP / HOUR,
    timeout: Annotated[float, typer.Option(help="How many seconds an answer is waited for.")] = 15.0,
    allow_http: Annotated[
        bool, typer.Option("--allow-http", help="Send unencrypted to another machine than this one.")
    ] = False,
    schemas: SCHEMAS = None,
    as_json: AS_JSON = False,
) -> None:
    """Send each transition of a question to a webhook, signed, until it was received: also what it missed.

    A receiver that answers 410 Gone ends it with exit code 1.
    """
    secret = os.environ.get(secret_env, "")
    if not secret:
        fail(f"the environment has no {secret_env}, the secret that signs what is sent", 2)
    try:
        form: Shape = shape  # type: ignore[assignment]  # looked at there
        hook = Webhook(webhook, secret, form, desk, timeout, allow_http)
    except ConcordantError as error:
        fail(error, 2)
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    log, warnings = logging.getLogger("concordant"), _Warnings(logging.WARNING)
    with opened(store, schemas) as workspace:
        log.addHandler(warnings)
        before = {sign: signal.signal(sign, end) for sign in (signal.SIGINT, signal.SIGTERM)}
        try:
            say(f"concordant: sends to {hook.host} as {name or hook.name}", err=True)
            deliver(
                workspace,
                hook,
                name=name,
                prefix=prefix(namespace),
                kinds=kind or (),
                from_start=from_start,
                count=count,
                give_up=give_up * HOUR,
                stop=stop,
                heard=lambda attempt: _print(attempt, as_json),
            )
        finally:
            log.removeHandler(warnings)
            for sign, handler in before.items():
                signal.signal(sign, handler)


class _Warnings(logging.Handler):
    """What went wrong, and when it is tried again, on the error output."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"concordant: {record.getMessage()}", err=True)


def _print(attempt: Attempt, as_json: bool) -> None:
    event, problem = attempt.event, attempt.problem
    if as_json:
        said = {"id": event.id, "kind": event.kind, "escalation": event.escalation.id, "attempt": attempt.number}
        say_json(
            {
                **said,
                "received": problem is None,
                "problem": problem,
                "again": round(attempt.again, 1),
                "passed_over": attempt.passed_over,
            },
            lines=True,
        )
    elif problem is None:
        say(f"{event.kind}: {handle(event.escalation)} {event.id}")
