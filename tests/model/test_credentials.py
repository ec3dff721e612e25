"""Credentials: named without being shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.model.credentials import ANONYMOUS, Credential

PARTS = st.dictionaries(st.text("ab:1", max_size=3), st.text("ab:1", max_size=4), max_size=3)


def test_a_credential_is_never_written_out() -> None:
    credential = Credential("somewhere", {"key": "very-secret"})
    for shown in (repr(credential), str(credential), f"{credential}", f"{credential!r}", credential.partition):
        assert "very-secret" not in shown


@given(PARTS, PARTS)
def test_two_credentials_share_a_partition_only_if_they_are_equal(one: dict[str, str], other: dict[str, str]) -> None:
    first, second = Credential("somewhere", one), Credential("somewhere", other)
    assert (first.partition == second.partition) is (one == other)
    assert (first == second) is (one == other)


def test_no_credential_is_anonymous_and_false() -> None:
    assert not Credential("somewhere")
    assert Credential("somewhere").partition == ANONYMOUS
    assert Credential("somewhere", {"key": "x"})
    assert Credential("somewhere") != Credential("elsewhere")
