"""Opaque ids: what is encoded reads back, and nothing else is an id."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.errors import InvalidInput
from gateway.model.ids import (
    CONTAINER,
    DEFINITION,
    INVENTORY,
    ITEM,
    OWNER,
    SLOT,
    ContainerRef,
    DefinitionRef,
    ItemRef,
    OwnerRef,
    SlotRef,
    decode_id,
    encode_id,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
REFS = st.one_of(
    st.tuples(st.sampled_from([OWNER, INVENTORY]), st.builds(OwnerRef, TEXT, TEXT)),
    st.tuples(st.just(CONTAINER), st.builds(ContainerRef, TEXT, TEXT, TEXT)),
    st.tuples(st.just(SLOT), st.builds(SlotRef, TEXT, TEXT, TEXT, TEXT)),
    st.tuples(st.just(ITEM), st.builds(ItemRef, TEXT, TEXT, TEXT)),
    st.tuples(st.just(DEFINITION), st.builds(DefinitionRef, TEXT, TEXT)),
)


@given(REFS)
def test_an_id_reads_back_as_what_it_was_made_of(made: tuple[str, Any]) -> None:
    kind, ref = made
    node_id = encode_id(kind, ref)
    assert node_id.isascii()
    assert "=" not in node_id
    assert decode_id(node_id) == (kind, ref)
    assert type(decode_id(node_id)[1]) is type(ref)


@given(REFS, REFS)
def test_two_things_never_share_an_id(one: tuple[str, Any], other: tuple[str, Any]) -> None:
    assert (encode_id(*one) == encode_id(*other)) is (one == other)


@given(
    st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda data: base64.urlsafe_b64encode(data).decode()))
)
def test_anything_else_is_refused_and_never_breaks(text: str) -> None:
    try:
        kind, ref = decode_id(text)
    except InvalidInput:
        return
    assert encode_id(kind, ref) == text


@pytest.mark.parametrize(
    "payload",
    [
        [],
        ["item"],
        ["item", "a", "b", 1],
        ["what", "a", "b"],
        ["owner", "a", "b", "c"],
        {"a": 1},
        [["item"], "a"],
        None,
    ],
)
def test_json_of_another_form_is_refused(payload: object) -> None:
    with pytest.raises(InvalidInput):
        decode_id(base64.urlsafe_b64encode(orjson.dumps(payload)).rstrip(b"=").decode())


def test_another_spelling_of_an_id_is_refused() -> None:
    spelled = base64.urlsafe_b64encode(b'["owner", "a", "b"]').rstrip(b"=").decode()
    with pytest.raises(InvalidInput):
        decode_id(spelled)
    with pytest.raises(InvalidInput):
        decode_id(encode_id(OWNER, OwnerRef("a", "b")) + "=")
