"""Cursors, page tokens and the tokens of the write handshake: opaque, signed, bound to what they are for; pure."""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import orjson

from gateway.model.errors import InvalidInput

LIVES = timedelta(hours=24)
"""How long a cursor or page token is good."""

HANDSHAKE_LIVES = timedelta(minutes=30)
"""How long the token of the write handshake is good."""

_LONGEST = 4_096
_SIGNATURE = 16
_OUTER = b"v1/"


class Signer:
    """Makes and reads what only this store's secret can have signed."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def _sign(self, purpose: str, *parts: str) -> str:
        # As JSON, so that no two lists of parts are one text.
        message = orjson.dumps([purpose, *parts])
        digest = hmac.new(self._secret, message, hashlib.sha256).digest()
        return urlsafe_b64encode(digest[:_SIGNATURE]).rstrip(b"=").decode()

    # --- paging -------------------------------------------------------------------------------------------------------

    def cursor(
        self, cursor: str, bound: Sequence[str], *, now: datetime, shown: Mapping[str, Any] | None = None
    ) -> str:
        """Make the token of a place in a list, good for that list alone; `shown` stands in it as well."""
        until = int((now + LIVES).timestamp())
        return self._written({**(shown or {}), "Cursor": cursor, "Until": until}, bound)

    def _written(self, body: Mapping[str, Any], bound: Sequence[str]) -> str:
        signed = {**body, "Signature": self._sign("cursor", orjson.dumps(body).decode(), *bound)}
        return urlsafe_b64encode(_OUTER + orjson.dumps(signed)).rstrip(b"=").decode()

    def place(self, token: str, bound: Sequence[str], *, now: datetime) -> str:
        """Read the place back; InvalidInput for a token that was not made for this list, or is stale."""
        refused = InvalidInput("The token is invalid.")
        if len(token) > _LONGEST or not token.isascii():
            raise refused
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
            body: object = orjson.loads(raw.removeprefix(_OUTER))
        except (binascii.Error, ValueError):
            raise refused from None
        if not isinstance(body, dict):
            raise refused
        told = {name: value for name, value in cast("Mapping[str, Any]", body).items() if name != "Signature"}
        if not all(isinstance(value, str | int) for value in told.values()):
            raise refused
        # Made anew it must be the same, to the letter: one place has one token.
        if not hmac.compare_digest(self._written(told, bound).encode(), token.encode()):
            raise refused
        if told["Until"] < now.timestamp():
            raise refused
        return told["Cursor"]

    # --- the handshake ------------------------------------------------------------------------------------------------

    def handshake(self, session: str, *, now: datetime) -> str:
        """Make the token that the writes of a session must bring."""
        until = str(int((now + HANDSHAKE_LIVES).timestamp()))
        return f"{until}.{self._sign('handshake', until, session)}"

    def is_handshake(self, token: str, session: str, *, now: datetime) -> bool:
        """Say whether a token was made for this session, and is still good."""
        until, _, _signature = token.partition(".")
        if not (until.isascii() and until.isdecimal() and len(until) < 15) or int(until) < now.timestamp():
            return False
        expected = f"{until}.{self._sign('handshake', until, session)}"
        return hmac.compare_digest(expected.encode(), token.encode("utf-8", "replace"))


def filter_hash(text: str) -> str:
    """Give what a page token tells of its filter: the hash of the text as it was sent."""
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()
