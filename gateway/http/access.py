"""Access: from a bearer token to the principal that it stands for: an API key of the settings, or a signed token."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import orjson
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.http.body import Refused
from gateway.model.principal import EVERYONE, Principal
from gateway.settings import AccessSettings, JwtSettings, ServerSettings

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Those that a public key verifies: with a shared secret, whoever verifies could sign as well."""

_LONGEST = 8_192

_log = structlog.get_logger("gateway.http")


class BadAccess(Exception):
    """The settings of who may come in cannot be used; the message says why."""


class Access:
    """The bearer tokens that are known. Of API keys only the hashes are."""

    def __init__(self, server: ServerSettings, settings: AccessSettings) -> None:
        """Raises BadAccess."""
        self.is_open = settings.open
        self._token = server.token.get_secret_value().encode() if server.token else None
        try:
            self._keys = [
                (bytes.fromhex(key.hash), Principal.of(key.name, key.reads, key.writes)) for key in settings.keys
            ]
        except ValueError as error:
            raise BadAccess(f"access.keys: {error}.") from None
        self._jwt = None if settings.jwt is None else _Jwt(settings.jwt)

    @property
    def knows_any(self) -> bool:
        """Whether there is any token by which somebody could come in."""
        return bool(self._token or self._keys or self._jwt)

    def principal(self, token: str) -> Principal:
        """Tell whom a token stands for; raises Refused for one that is not known here."""
        # Headers come as Latin-1, whatever bytes they were.
        given = token.encode("latin-1", "replace")
        if len(given) <= _LONGEST:
            if self._token is not None and hmac.compare_digest(given, self._token):
                return EVERYONE
            digest = hashlib.sha256(given).digest()
            for known, principal in self._keys:
                if hmac.compare_digest(digest, known):
                    return principal
            if self._jwt is not None and token.count(".") == 2:
                return self._jwt.principal(token)
        raise unknown()


def unknown() -> Refused:
    """Refuse a token, without a word of why."""
    return Refused(401, "The bearer token is not accepted here.", {"WWW-Authenticate": 'Bearer error="invalid_token"'})


class _Jwt:
    """Tokens that somebody else signs: an issuer whose public keys are in a file, which may be replaced at any time."""

    def __init__(self, settings: JwtSettings) -> None:
        self._settings = settings
        self._read_at = 0.0
        self._keys = self._read(settings.jwks_file)
        essential = {"iss": settings.issuer, "aud": settings.audience}
        claims: dict[str, Any] = {name: {"essential": True, "value": value} for name, value in essential.items()}
        self._claims = jwt.JWTClaimsRegistry(leeway=settings.leeway, exp={"essential": True}, **claims)

    def _read(self, file: Path) -> KeySet:
        try:
            self._read_at = file.stat().st_mtime
            return KeySet.import_key_set(orjson.loads(file.read_bytes()))
        except OSError as error:
            raise BadAccess(f"The keys of access.jwt, {file}, cannot be read: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError, JoseError):
            raise BadAccess(f"{file} is no JWK set.") from None

    def _current(self) -> KeySet:
        """Give the keys, read anew where the file is another; one that is no good leaves those before it in force."""
        try:
            if self._settings.jwks_file.stat().st_mtime != self._read_at:
                self._keys = self._read(self._settings.jwks_file)
        except (OSError, BadAccess) as error:
            _log.warning("keys_not_read", reason=str(error))
        return self._keys

    def principal(self, token: str) -> Principal:
        try:
            found = jwt.decode(token, self._current(), algorithms=_ALGORITHMS)
            self._claims.validate(found.claims)
            name = str(found.claims.get("sub", ""))
            reads = _patterns(found.claims.get(self._settings.reads_claim))
            return Principal.of(name, reads, _patterns(found.claims.get(self._settings.writes_claim)))
        except (JoseError, ValueError, TypeError, KeyError):
            raise unknown() from None


def _patterns(claim: object) -> Iterable[str]:
    """Read a claim: a list of patterns, or one text with spaces between them, as scopes are written."""
    if claim is None:
        return ()
    if isinstance(claim, str):
        return claim.split()
    given = cast("list[object]", claim) if isinstance(claim, list) else [None]
    if all(isinstance(one, str) for one in given):
        return cast("list[str]", given)
    raise ValueError("a claim is no list of owners")
