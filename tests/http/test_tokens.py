"""JSON web tokens: taken only as the issuer signed them, for this audience, in their time; keys may be replaced."""

from __future__ import annotations

import hmac
import os
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.http.access import Access, BadAccess
from gateway.http.body import Refused
from gateway.model.principal import Principal
from gateway.settings import AccessSettings, JwtSettings, ServerSettings

ISSUER, AUDIENCE = "https://issuer.example", "inventories"
KEY = RSAKey.generate_key(2048, {"kid": "one"})
OTHER = RSAKey.generate_key(2048, {"kid": "one"})


def write(folder: Path, *keys: Any) -> Path:
    file = folder / "jwks.json"
    file.write_bytes(orjson.dumps({"keys": [key.as_dict(private=False) for key in keys]}))
    return file


def access(file: Path, **changes: Any) -> Access:
    settings = JwtSettings(issuer=ISSUER, audience=AUDIENCE, jwks_file=file, **changes)
    return Access(ServerSettings(), AccessSettings(jwt=settings))


def signed(key: Any = KEY, algorithm: str = "RS256", *, drop: str = "", **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann",
        "exp": now + 60,
        "inventory_reads": ["roblox/*"],
        "inventory_writes": "secondlife/a secondlife/b",
        **changes,
    }
    claims.pop(drop, None)
    return jwt.encode({"alg": algorithm, "kid": "one"}, claims, key, algorithms=[algorithm])


def refused(known: Access, token: str) -> bool:
    try:
        known.principal(token)
    except Refused as refused:
        assert refused.status == 401  # noqa: PT017 -- beside what is returned
        return True
    return False


@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE, "others"]])
def test_a_good_token_stands_for_its_claims(tmp_path: Path, audience: Any) -> None:
    found = access(write(tmp_path, KEY)).principal(signed(aud=audience))
    assert found == Principal.of("ann", ["roblox/*"], ["secondlife/a", "secondlife/b"])


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ECKey.generate_key("P-256", {"kid": "one"}), "ES256"),
        (OKPKey.generate_key("Ed25519", {"kid": "one"}), "Ed25519"),
    ],
)
def test_other_kinds_of_keys_are_taken(tmp_path: Path, key: Any, algorithm: str) -> None:
    assert access(write(tmp_path, key)).principal(signed(key, algorithm)).name == "ann"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"aud": "others"},
        {"aud": []},
        {"exp": 1},
        {"exp": "soon"},
        {"nbf": 2**40},
        {"drop": "iss"},
        {"drop": "aud"},
        {"drop": "exp"},
        {"inventory_reads": 5},
        {"inventory_reads": ["nobody"]},
        {"inventory_reads": {"a": 1}},
        {"inventory_writes": [None]},
    ],
    ids=str,
)
def test_a_token_for_somebody_else_or_another_time_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert refused(access(write(tmp_path, KEY)), signed(**changes))


def test_a_token_without_claims_of_owners_may_do_nothing(tmp_path: Path) -> None:
    known = access(write(tmp_path, KEY), reads_claim="other", writes_claim="another")
    found = known.principal(signed())
    assert not found.may_read("roblox", "1")
    assert not found.is_everyone


def test_what_the_issuer_did_not_sign_is_refused(tmp_path: Path) -> None:
    known = access(write(tmp_path, KEY))
    good = signed()
    head, body, signature = good.split(".")
    assert refused(known, signed(OTHER))
    assert refused(known, f"{head}.{body}.")
    assert refused(known, f"{head}.{body}.{signature[:-4]}AAAA")
    assert refused(known, f"{head}.{body[:-4]}AAAA.{signature}")
    # The public key as a shared secret, which whoever reads it could sign with.
    shared = urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
    digest = hmac.digest(KEY.as_pem(private=False), f"{shared}.{body}".encode(), "sha256")
    assert refused(known, f"{shared}.{body}.{urlsafe_b64encode(digest).rstrip(b'=').decode()}")
    none = "eyJhbGciOiJub25lIn0"
    assert refused(known, f"{none}.{body}.")
    for bad in ("..", "a.b.c", f"{head}.{body}", "x" * 9_000 + ".a.b", good + "x" * 9_000):
        assert refused(known, bad)


def test_keys_may_be_replaced_and_a_bad_file_leaves_those_before_in_force(tmp_path: Path) -> None:
    file = write(tmp_path, KEY)
    known = access(file)
    assert known.principal(signed())
    file.write_text("{")
    os.utime(file, (1, 1))
    assert known.principal(signed())
    write(tmp_path, OTHER)
    os.utime(file, (2, 2))
    assert refused(known, signed())
    assert known.principal(signed(OTHER))
    file.unlink()
    assert known.principal(signed(OTHER))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"keys": 5}', b'{"keys": [{"kty": "none"}]}'])
def test_keys_that_are_none_are_refused_at_the_start(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "jwks.json"
    with pytest.raises(BadAccess, match="No such file"):
        access(file)
    file.write_bytes(content)
    with pytest.raises(BadAccess, match="no JWK set"):
        access(file)
