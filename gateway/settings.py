"""What the person who runs the gateway may set: `gateway.toml`, and `GATEWAY_*` variables, which win."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class Section(BaseModel):
    """A table of the settings; a name that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_PORTS = {"http": ":80", "https": ":443"}


def _check_address(address: str) -> str:
    """Raise ValueError for what is no base URL; the message does not show it, as it may hold a password."""
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ValueError("this is no http or https address") from None
    if not good or not address.isascii() or not address.isprintable() or " " in address:
        raise ValueError("this is no http or https address")
    if parts.username is not None or "?" in address or "#" in address:
        raise ValueError("an address has no user, query or fragment; credentials have their own settings")
    return address


Address = Annotated[str, AfterValidator(_check_address)]
"""A base URL."""


class ServerSettings(Section):
    """Where and how the gateway serves."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="The address to listen on; the loopback unless told otherwise."
    )
    port: int = Field(default=8000, ge=0, le=65_535, description="The port to listen on; 0 takes a free one.")
    token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="The bearer token that callers from elsewhere than the loopback must send.",
    )
    max_body_bytes: int = Field(default=262_144, ge=1_024, description="The largest request body, in bytes.")
    max_tokens: int = Field(default=4_000, ge=100, description="The most tokens that a GraphQL document may have.")
    introspection: bool = Field(
        default=True, description="Whether the schema is told: to explorers, and to federation routers (`_service`)."
    )
    suggestions: bool = Field(
        default=True, description="Whether errors of a document suggest what the schema has in its place."
    )
    timeout: float = Field(default=30.0, gt=0, description="Seconds that one GraphQL operation may take in all.")
    batch: int = Field(
        default=0,
        ge=0,
        le=100,
        description="How many operations one request may bring as a JSON array; 0 takes none. Together they are held "
        "to the limits of one.",
    )
    persisted_queries: bool = Field(
        default=True,
        description="Whether clients may name a query by its hash once they have sent it: automatic persisted queries.",
    )
    trusted_documents: Path | None = Field(
        default=None,
        description="A manifest of documents that clients may name by id: a JSON object of texts by id, as Relay and "
        "codegen write it, or Apollo's.",
    )
    only_trusted_documents: bool = Field(
        default=False, description="Whether nothing is run but the documents of the manifest."
    )
    compression: bool = Field(default=True, description="Whether answers are compressed for clients that take gzip.")
    cors_origins: tuple[str, ...] = Field(
        default=(),
        description="Origins whose web pages may ask the graph from browsers, such as `https://example.org`; "
        "`*` stands for all.",
    )
    max_operations: int = Field(
        default=256,
        ge=1,
        description="How many operations, and requests of dialects, may be under way at a time; more are refused with "
        "503.",
    )
    requests_per_minute: int | None = Field(
        default=None,
        ge=1,
        description="How often one address may ask, the graph and the dialects together; more is refused with 429.",
    )
    max_unfinished_bytes: int = Field(
        default=64 << 20,
        ge=0,
        description="How much of bodies that are not whole yet may be held, beyond 16 KiB of each; more is refused "
        "with 503.",
    )
    max_header_bytes: int = Field(
        default=32_768, ge=1_024, description="How large the headers of a request may be together, with its address."
    )
    head_timeout: float = Field(
        default=10.0, gt=0, description="Seconds within which the headers of a request must be whole."
    )
    max_subscriptions: int = Field(
        default=1_000, ge=0, description="How many subscriptions may be live at a time, of all clients together."
    )
    max_operations_per_socket: int = Field(
        default=100, ge=1, description="How many operations may be under way over one WebSocket."
    )
    socket_init_timeout: float = Field(
        default=10.0, gt=0, description="Seconds within which a WebSocket must be initialised."
    )
    send_timeout: float = Field(
        default=30.0, gt=0, description="Seconds that a client may take to receive one part of a stream."
    )
    keep_alive: float = Field(
        default=12.0, gt=0, description="Seconds after which an idle stream is sent something, to keep it open."
    )
    metrics: bool = Field(
        default=True, description="Whether `/metrics` tells the process's figures to those who may ask the graph."
    )
    graphiql: bool = Field(default=True, description="Whether browsers get GraphiQL at `/graphql`.")
    rest: bool = Field(default=True, description="Whether the providers' own dialects are served under `/rest`.")
    rest_rate_limit: bool = Field(
        default=True, description="Whether the dialects hold callers to the service's own rate limit."
    )
    node_fields: bool = Field(
        default=True, description="Whether the schema has `node` and `nodes`; off for supergraphs that have their own."
    )

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            is_one = parts.scheme in _PORTS and parts.hostname and origin == f"{parts.scheme}://{parts.netloc}".lower()
            # As browsers write it: in lower case, and without the port that goes without saying.
            is_one = is_one and not origin.endswith(_PORTS[parts.scheme])
            if origin != "*" and not is_one:
                raise ValueError(f"`{origin}` is no origin: it is a scheme and a host, and a port if need be")
        return origins


class ApiKeySettings(Section):
    """An API key; `gateway access-key` makes one."""

    name: str = Field(min_length=1, description="Whose it is, for people.")
    hash: str = Field(pattern="^[0-9a-f]{64}$", description="The SHA-256 of the key, in hexadecimal digits.")
    reads: tuple[str, ...] = Field(
        default=(), description="Whose inventories may be read: `*`, `PROVIDER/*` or `PROVIDER/OWNER`."
    )
    writes: tuple[str, ...] = Field(default=(), description="Whose inventories may be read and changed.")
    scopes: tuple[Literal["read", "write", "link"], ...] = Field(
        default=("read", "write", "link"),
        description="What the key is good for: `read`, `write`, and `link`, to have credentials kept in the vault.",
    )


class JwtSettings(Section):
    """JSON web tokens of an issuer: signed by a key of its set, for this audience, and not expired."""

    issuer: str = Field(min_length=1, description="What `iss` must be.")
    audience: str = Field(min_length=1, description="What `aud` must be, or hold.")
    jwks_file: Path | None = Field(
        default=None, description="The issuer's public keys, a JWK set; read anew when the file changes."
    )
    jwks_url: str | None = Field(
        default=None,
        description="Where they are published, in place of a file: https, unless on this machine. It is looked at "
        "every five minutes, and soon after a token that is signed by another key.",
    )
    reads_claim: str = Field(
        default="inventory_reads", description="The claim that says whose inventories may be read."
    )
    writes_claim: str = Field(
        default="inventory_writes", description="The claim that says whose inventories may be read and changed."
    )
    scope_claim: str | None = Field(
        default=None,
        description="The claim that says what a token is good for, such as `scope`: `read`, `write` and `link`, each "
        "behind `scope_prefix`; without it, tokens are good for all three.",
    )
    scope_prefix: str = Field(default="inventory:", description="What stands before a scope in `scope_claim`.")
    leeway: int = Field(default=30, ge=0, le=600, description="Seconds by which clocks may differ.")

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if (self.jwks_file is None) == (self.jwks_url is None):
            raise ValueError("the issuer's keys are either in `jwks_file` or at `jwks_url`")
        if self.jwks_url is not None:
            parts = urlsplit(_check_address(self.jwks_url))
            if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
                raise ValueError("`jwks_url` is an https address: whoever answers it says who may come in")
        return self


class AccessSettings(Section):
    """Who may come in, and whose inventories they may read and change."""

    open: bool = Field(
        default=True,
        description="Whether callers on this machine come in without a token, and may read and change everything.",
    )
    keys: tuple[ApiKeySettings, ...] = Field(default=(), description="API keys, sent as bearer tokens.")
    jwt: JwtSettings | None = Field(default=None, description="JSON web tokens, sent as bearer tokens.")
    requests_per_minute: int | None = Field(
        default=None,
        ge=1,
        description="How often the one whom an API key or a JSON web token names may ask the graph, from wherever; "
        "more is refused with 429.",
    )


class VaultSettings(Section):
    """Where callers may leave their credentials for the services: in the store, encrypted."""

    keys: tuple[SecretStr, ...] = Field(
        default=(),
        description="Keys that `gateway vault key` makes. The first encrypts, all of them decrypt; without any, nobody "
        "may leave a credential.",
    )


class StoreSettings(Section):
    """Where the local store is."""

    url: str = Field(
        default="sqlite:///gateway.db",
        description="`sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`.",
    )


class LogSettings(Section):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe that is logged."
    )
    format: Literal["text", "json"] = Field(default="text", description="For people, or one JSON object a line.")


class ProviderSettings(Section):
    """How one provider is reached; what else stands in its table are options of its own (see `Provider.options`)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    backend: Literal["local", "upstream", "off"] = Field(
        default="local",
        description="`local`: this gateway's own store; `upstream`: the provider's service over HTTP; "
        "`off`: the provider is not served.",
    )
    base_url: Address | None = Field(
        default=None, description="The service's address, where it has one host; its public one, if absent."
    )
    base_urls: dict[str, Address] = Field(
        default_factory=dict[str, str], description="The service's addresses by host name, where it has several."
    )
    timeout: float = Field(default=10.0, gt=0, description="Seconds that one call of the service may take.")
    requests_per_minute: int | None = Field(
        default=None,
        ge=1,
        description="How often the service may be called, if not as often as it allows anyone: "
        "for those who have an agreement with it, or call another gateway.",
    )
    account_cache: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="Seconds for which what the service tells a credential is kept for that credential alone; 0 keeps "
        "nothing. A change in the game, or of what the credential may do, is seen that much later.",
    )
    watch_interval: float | None = Field(
        default=None,
        ge=1,
        description="Seconds between two looks at an inventory of the service that somebody follows; the provider's "
        "own measure, if absent.",
    )
    credentials: dict[str, SecretStr] = Field(
        default_factory=dict[str, SecretStr],
        description="The gateway's own credential, used where the caller sends none.",
    )

    @property
    def options(self) -> dict[str, Any]:
        """The provider's own options, as they were given."""
        return dict(self.model_extra or {})

    def addresses(self, public: Mapping[str, str]) -> dict[str, str]:
        """Give the service's addresses by host name: its public ones, but for those that are set."""
        only = {} if self.base_url is None else dict.fromkeys(public, self.base_url)
        return {**public, **only, **self.base_urls}


class Settings(BaseSettings):
    """All settings; each may come from the file, or from a variable such as `GATEWAY_SERVER__PORT`."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_", env_nested_delimiter="__", extra="forbid", frozen=True, toml_file="gateway.toml"
    )

    server: ServerSettings = Field(default_factory=ServerSettings, description="Where and how the gateway serves.")
    access: AccessSettings = Field(default_factory=AccessSettings, description="Who may come in, and to what.")
    store: StoreSettings = Field(default_factory=StoreSettings, description="Where the local store is.")
    vault: VaultSettings = Field(
        default_factory=VaultSettings, description="Whether callers may leave their credentials for the services."
    )
    log: LogSettings = Field(default_factory=LogSettings, description="What is logged.")
    providers: dict[str, ProviderSettings] = Field(
        default_factory=dict[str, ProviderSettings], description="How each provider is reached."
    )

    def provider(self, key: str) -> ProviderSettings:
        """Give the settings of one provider."""
        return self.providers.get(key) or ProviderSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take variables before the file."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @classmethod
    def read(cls, file: Path | None = None, **values: Any) -> Settings:
        """Read the settings; `file` instead of `gateway.toml`. Raises pydantic's ValidationError."""
        if file is None:
            return cls(**values)

        class FromFile(cls):
            model_config = SettingsConfigDict(toml_file=file)

        return FromFile(**values)
