"""Access: from a bearer token to the principal that it stands for: an API key of the settings, or a signed token."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import orjson
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.http.body import Refused
from gateway.model.principal import EVERYONE, SCOPES, Owners, Principal, Scope
from gateway.settings import AccessSettings, ApiKeySettings, JwtSettings, ServerSettings

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Those that a public key verifies: with a shared secret, whoever verifies could sign as well."""

_LONGEST = 8_192

_LOOK = 1.0
"""Seconds between two looks at the file of the keys."""

_GRACE = 300.0
"""Seconds for which keys stay in force whose file cannot be read any longer."""

_log = structlog.get_logger("gateway.http")


class BadAccess(Exception):
    """The settings of who may come in cannot be used; the message says why."""


class Access:
    """The bearer tokens that are known. Of API keys only the hashes are."""

    def __init__(self, server: ServerSettings, settings: AccessSettings, is_owner: Callable[[str, str], bool]) -> None:
        """`is_owner` says whether there can be such an owner of a provider. Raises BadAccess."""
        self.is_open = settings.open
        self._token = server.token.get_secret_value().encode() if server.token else None
        try:
            self._keys = [(bytes.fromhex(key.hash), granted(key, is_owner)) for key in settings.keys]
        except ValueError as error:
            raise BadAccess(f"access.keys: {error}.") from None
        self._jwt = None if settings.jwt is None else _Jwt(settings.jwt, is_owner)

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


def granted(key: ApiKeySettings, is_owner: Callable[[str, str], bool]) -> Principal:
    """Give whom an API key stands for; raises ValueError where it names owners that there cannot be."""
    # The name, so that a key may be replaced by another: two of one name are one principal's.
    subject = _subject("key", key.name)
    principal = Principal.of(key.name, key.reads, key.writes, scopes=key.scopes, subject=subject)
    for pattern in (*key.reads, *key.writes):
        if not _can_be(pattern, is_owner):
            raise ValueError(f"`{pattern}`, of {key.name}, names no owner that there can be")
    return principal


def unknown() -> Refused:
    """Refuse a token, without a word of why."""
    return Refused(401, "The bearer token is not accepted here.", {"WWW-Authenticate": 'Bearer error="invalid_token"'})


class _Jwt:
    """Tokens that somebody else signs: an issuer whose public keys are in a file, which may be replaced at any time."""

    def __init__(self, settings: JwtSettings, is_owner: Callable[[str, str], bool]) -> None:
        self._settings = settings
        self._is_owner = is_owner
        self._keys, self._read_of = _read(settings.jwks_file)
        self._good_at = self._looked_at = time.monotonic()
        essential = {"iss": settings.issuer, "aud": settings.audience}
        claims: dict[str, Any] = {name: {"essential": True, "value": value} for name, value in essential.items()}
        self._claims = jwt.JWTClaimsRegistry(leeway=settings.leeway, exp={"essential": True}, **claims)

    def _current(self) -> KeySet:
        """Give the keys, read anew where the file is another.

        A file that is no good, as one that is just being written, leaves those before it in force for a while.
        """
        now = time.monotonic()
        if now - self._looked_at >= _LOOK:
            self._looked_at = now
            try:
                if _identity(self._settings.jwks_file) != self._read_of:
                    self._keys, self._read_of = _read(self._settings.jwks_file)
                self._good_at = now
            except (OSError, BadAccess) as error:
                _log.warning("keys_not_read", reason=str(error))
                if now - self._good_at > _GRACE:
                    self._keys = KeySet([])
        return self._keys

    def principal(self, token: str) -> Principal:
        try:
            found = jwt.decode(token, self._current(), algorithms=_ALGORITHMS)
            self._claims.validate(found.claims)
            name = found.claims.get("sub", "")
            reads = _patterns(found.claims.get(self._settings.reads_claim))
            writes = _patterns(found.claims.get(self._settings.writes_claim))
            expires_at = float(found.claims["exp"]) + self._settings.leeway
            Owners.of((*reads, *writes))
            # Of providers that are not served here, and owners that there cannot be, it may say what it likes.
            known = [[one for one in patterns if _can_be(one, self._is_owner)] for patterns in (reads, writes)]
            subject = _subject("jwt", self._settings.issuer, name) if isinstance(name, str) and name else None
            scopes = self._scopes(found.claims)
            return Principal.of(str(name), *known, scopes=scopes, subject=subject, expires_at=expires_at)
        except (JoseError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            raise unknown() from None

    def _scopes(self, claims: Mapping[str, object]) -> Sequence[Scope]:
        claim, prefix = self._settings.scope_claim, self._settings.scope_prefix
        if claim is None:
            return SCOPES
        given = _words(claims.get(claim))
        return [scope for scope in SCOPES if prefix + scope in given]


def _subject(*words: str) -> str:
    """Name a principal in one text that no other has."""
    return orjson.dumps(words).decode()


def _identity(file: Path) -> tuple[int, int, int]:
    """Tell a file from what it was before."""
    found = file.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(file: Path) -> tuple[KeySet, tuple[int, int, int]]:
    try:
        identity = _identity(file)
        document: Any = orjson.loads(file.read_bytes())
        # A set of none is one: nobody is trusted any longer.
        return KeySet([]) if document == {"keys": []} else KeySet.import_key_set(document), identity
    except OSError as error:
        raise BadAccess(f"The keys of access.jwt, {file}, cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, JoseError):
        raise BadAccess(f"{file} is no JWK set.") from None


def _can_be(pattern: str, is_owner: Callable[[str, str], bool]) -> bool:
    return pattern == "*" or is_owner(*pattern.split("/", 1))


def _patterns(claim: object) -> Sequence[str]:
    """Read a claim of owners; a text never says `*`: it may be made from names that users choose."""
    if isinstance(claim, str) and "*" in claim:
        raise ValueError("a text names everyone")
    return _words(claim)


def _words(claim: object) -> Sequence[str]:
    """Read a claim: a list of texts, or one text with spaces between them, as scopes are written."""
    if claim is None:
        return ()
    if isinstance(claim, str):
        return claim.split()
    given = cast("list[object]", claim) if isinstance(claim, list) else [None]
    if all(isinstance(one, str) for one in given):
        return cast("list[str]", given)
    raise ValueError("a claim is no list of texts")
