"""Cursors and handshakes: what was signed is read back, and nothing else is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.errors import InvalidInput
from gateway.providers.roblox.cursors import HANDSHAKE_LIVES, LIVES, Signer
from tests.gateways import NOW

SIGNER, STRANGER = Signer("secret"), Signer("another")
TEXT = st.text(max_size=30)
BOUND = st.lists(TEXT, max_size=4).map(tuple)


@given(TEXT, BOUND)
def test_a_place_is_read_back_for_what_it_is_bound_to(place: str, bound: tuple[str, ...]) -> None:
    token = SIGNER.cursor(place, bound, now=NOW, shown={"UserId": "42"})
    assert SIGNER.place(token, bound, now=NOW) == place
    for other in ((*bound, ""), (*bound, "x"), bound[1:] or ("y", "y")):
        with pytest.raises(InvalidInput):
            SIGNER.place(token, other, now=NOW)
    with pytest.raises(InvalidInput):
        STRANGER.place(token, bound, now=NOW)


@given(st.data())
@settings(max_examples=200)
def test_a_token_with_any_character_changed_is_none(data: st.DataObject) -> None:
    token = SIGNER.cursor("place", ("a", "b"), now=NOW)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda found: found != token[at]))
    with pytest.raises(InvalidInput):
        SIGNER.place(token[:at] + other + token[at + 1 :], ("a", "b"), now=NOW)


@given(st.text(max_size=200))
def test_no_text_is_taken_for_a_token(text: str) -> None:
    with pytest.raises(InvalidInput):
        SIGNER.place(text, (), now=NOW)
    assert not SIGNER.is_handshake(text, "session", now=NOW)


def test_tokens_grow_stale() -> None:
    token = SIGNER.cursor("place", (), now=NOW)
    assert SIGNER.place(token, (), now=NOW + LIVES - timedelta(seconds=2)) == "place"
    with pytest.raises(InvalidInput):
        SIGNER.place(token, (), now=NOW + LIVES + timedelta(seconds=1))
    handshake = SIGNER.handshake("session", now=NOW)
    assert SIGNER.is_handshake(handshake, "session", now=NOW + HANDSHAKE_LIVES - timedelta(seconds=2))
    assert not SIGNER.is_handshake(handshake, "session", now=NOW + HANDSHAKE_LIVES + timedelta(seconds=1))
    assert not SIGNER.is_handshake(handshake, "other", now=NOW)
    assert not STRANGER.is_handshake(handshake, "session", now=NOW)
