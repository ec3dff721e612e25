"""Access: from a bearer token to the principal that it stands for: an API key of the settings, or a signed token."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import orjson
from joserfc import jwt
from joserfc.errors import JoseError

from gateway.http.body import Refused
from gateway.http.jwks import BadAccess, Fetch, KeyAddress, KeyFile, Keys
from gateway.model.principal import EVERYONE, SCOPES, Owners, Principal, Scope
from gateway.settings import AccessSettings, ApiKeySettings, JwtSettings, ServerSettings

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Those that a public key verifies: with a shared secret, whoever verifies could sign as well."""

_LONGEST = 8_192


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

    async def keep(self, fetch: Fetch) -> None:
        """Keep the keys of the issuer fresh, for as long as the gateway runs."""
        if self._jwt is not None:
            await self._jwt.keys.keep(fetch)

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
    """Tokens that somebody else signs: an issuer whose public keys are known."""

    def __init__(self, settings: JwtSettings, is_owner: Callable[[str, str], bool]) -> None:
        self._settings = settings
        self._is_owner = is_owner
        self.keys: Keys = KeyFile(settings.jwks_file) if settings.jwks_file else KeyAddress(str(settings.jwks_url))
        essential = {"iss": settings.issuer, "aud": settings.audience}
        claims: dict[str, Any] = {name: {"essential": True, "value": value} for name, value in essential.items()}
        self._claims = jwt.JWTClaimsRegistry(leeway=settings.leeway, exp={"essential": True}, **claims)

    def principal(self, token: str) -> Principal:
        try:
            found = jwt.decode(token, self.keys.current(), algorithms=_ALGORITHMS)
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
            self.keys.missed()
            raise unknown() from None

    def _scopes(self, claims: Mapping[str, object]) -> Sequence[Scope]:
        claim, prefix = self._settings.scope_claim, self._settings.scope_prefix
        if claim is None:
            return SCOPES
        given = _words(claims.get(claim))
        return [scope for scope in SCOPES if prefix + scope in given]


def _subject(*words: str) -> str:
    """Name a principal in one text that no other has, and that tells nobody who it is."""
    return hashlib.sha256(orjson.dumps(words)).hexdigest()


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
