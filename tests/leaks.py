"""What leaves: every secret that a test uses, and all that the gateway lets out meanwhile, which has none of them.

It is noted at the source: secrets where credentials, grants, tokens and settings are made of them; output where logs
are written, where answers are sent, and where processes end. Set up once for the whole suite; see `conftest.py`.
"""

from __future__ import annotations

import functools
import logging
import subprocess
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog._base import BoundLoggerBase

from gateway import app
from gateway.execution.documents import Operation
from gateway.http.access import Access
from gateway.model.credentials import Credential
from gateway.store.grants import Grants

SHORTEST = 8
"""Characters below which a text may stand in an answer by chance."""


@dataclass
class Noted:
    """What a test has used and let out."""

    secrets: set[str] = field(default_factory=set[str])
    private: set[str] = field(default_factory=set[str])
    """Variables of operations: not for logs."""
    logs: list[str] = field(default_factory=list[str])
    answers: list[str] = field(default_factory=list[str])

    def clear(self) -> None:
        for part in (self.secrets, self.private, self.logs, self.answers):
            part.clear()

    def secret(self, text: object) -> None:
        if isinstance(text, str) and len(text) >= SHORTEST:
            self.secrets.add(text)

    def leaks(self) -> Iterator[str]:
        """Tell what has left that should not have."""
        logs, answers = "\n".join(self.logs), "\n".join(self.answers)
        for secret in self.secrets:
            for name, text in (("a log", logs), ("an answer", answers)):
                at = text.find(secret)
                if at >= 0:
                    yield f"{name} has the secret {secret[:12]}...: ...{text[max(0, at - 200) : at + 40]}..."
        for value in self.private:
            at = logs.find(value)
            if at >= 0:
                yield f"a log has a variable of an operation, {value[:40]!r}: ...{logs[max(0, at - 200) : at + 40]}..."


NOTED = Noted()


def _before(kind: type[Any], name: str, note: Callable[..., None]) -> None:
    """Have a method's arguments noted before it is called."""
    method = getattr(kind, name)

    @functools.wraps(method)
    def noted(self: Any, *given: Any, **named: Any) -> Any:
        note(*given, **named)
        return method(self, *given, **named)

    setattr(kind, name, noted)


def _credential(_provider: str, parts: Any = None, **_: Any) -> None:
    given: dict[str, str] = parts or {}
    for secret in given.values():
        NOTED.secret(secret)


def _grant(_provider: str, _part: str, secret: str, **_: Any) -> None:
    NOTED.secret(secret)


def _variables(variables: Any, *_: Any) -> None:
    left: list[Any] = [variables]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]  # any JSON
        elif isinstance(value, list):
            left += value  # pyright: ignore[reportUnknownArgumentType]  # any JSON
        elif isinstance(value, str) and len(value) >= SHORTEST:
            NOTED.private.add(value)


def _event(_method: str, event: object, event_kw: dict[str, Any]) -> None:
    error = event_kw.get("exc_info")
    trace = ""
    if isinstance(error, BaseException):
        trace = "".join(traceback.format_exception(error))
    elif error:
        trace = traceback.format_exc()
    NOTED.logs.append(f"{event} { ({**event_kw, 'exc_info': None})!r} {trace}")


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        NOTED.logs.append(logging.Formatter().format(record))


def watched(make: Callable[..., ASGIApp]) -> Callable[..., ASGIApp]:
    """Have the answers of a site noted: refusals of every door, and all that the graph and the figures tell."""

    def made(*given: Any, **named: Any) -> ASGIApp:
        inner = make(*given, **named)

        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            is_told = scope["type"] == "websocket" or scope.get("path", "") in ("/graphql", "/metrics")

            async def sent(message: Message) -> None:
                nonlocal is_told
                if message["type"] == "http.response.start":
                    is_told = is_told or message["status"] >= 400
                    if is_told:
                        NOTED.answers.append(str(message["headers"]))
                elif is_told:
                    body: bytes = message.get("body") or b""
                    NOTED.answers.append(body.decode(errors="replace") + str(message.get("text") or ""))
                await send(message)

            await inner(scope, receive, sent)

        return noted

    return made


def set_up() -> None:
    """Begin to note."""
    _before(Credential, "__init__", _credential)
    _before(Grants, "add", _grant)
    _before(Access, "principal", NOTED.secret)
    _before(BoundLoggerBase, "_process_event", _event)
    _before(Operation, "execute", _variables)
    reveal = SecretStr.get_secret_value

    def revealed(self: SecretStr) -> str:
        NOTED.secret(found := reveal(self))
        return found

    SecretStr.get_secret_value = revealed
    app.site = watched(app.site)
    logging.getLogger().addHandler(_Handler(logging.WARNING))
    communicate = subprocess.Popen[Any].communicate

    def ended(self: Any, *given: Any, **named: Any) -> Any:
        out, err = communicate(self, *given, **named)
        # What is shown once is written to standard output.
        NOTED.logs.append(err.decode(errors="replace") if isinstance(err, bytes) else err or "")
        return out, err

    subprocess.Popen.communicate = ended  # type: ignore[method-assign]
