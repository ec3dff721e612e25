"""The command line: serve, import, export, schema, migrate, check, credential."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import io
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import tomllib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import orjson
import structlog
import typer
import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn
from typer.core import TyperGroup
from uvicorn.loops.auto import auto_loop_factory

from gateway.app import Gateway, schema
from gateway.backends.local import issue, now
from gateway.backends.vault import BadVault, new_key
from gateway.backends.vault import vault as open_vault
from gateway.files import Line, Unreadable, documents
from gateway.http.access import BadAccess, granted
from gateway.http.callers import is_loopback
from gateway.http.connections import bounded
from gateway.http.graphiql import FROM_CDN
from gateway.http.persisted import BadManifest
from gateway.importing import Broken, Report, import_documents
from gateway.model.errors import GatewayError, InvalidInput
from gateway.model.ids import DefinitionRef, OwnerRef
from gateway.model.ports import Wanted
from gateway.providers.provider import Provider
from gateway.registry import PROVIDERS, STORED, is_owner
from gateway.settings import ApiKeySettings, Settings, StoreSettings
from gateway.store.store import Store, StoreError
from gateway.telemetry import configure_logging

T = TypeVar("T")

OK, FAILED, USAGE = 0, 1, 2
"""What the exit codes mean: done; done in part or not at all; the command or the settings are wrong."""

_log = structlog.get_logger("gateway.cli")
_console = Console(stderr=True)
_MOST_SHOWN = 20


class _Commands(TyperGroup):
    """The commands; what goes wrong in any of them is told in a line, never in a trace."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (StoreError, Unreadable) as error:
            _fail(str(error), FAILED)
        except (BadAccess, BadManifest, BadVault) as error:
            _fail(str(error), USAGE)
        except GatewayError as error:
            _fail(error.message, USAGE if isinstance(error, InvalidInput) else FAILED)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="One GraphQL graph over game and virtual-world inventories.",
)
credential = typer.Typer(no_args_is_help=True, help="Credentials for the dialects that are served from the store.")
app.add_typer(credential, name="credential")
vault = typer.Typer(no_args_is_help=True, help="The keys of the vault, where callers may leave credentials.")
app.add_typer(vault, name="vault")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The settings file, instead of gateway.toml.", show_default=False)
]
ProviderArgument = Annotated[str, typer.Argument(metavar="PROVIDER", help=f"The provider: {', '.join(PROVIDERS)}.")]
OwnerOption = Annotated[str, typer.Option("--owner", help="The owner's key at the provider.")]


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal may lack the letters of a name: they are told as escapes.
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except Exception as error:
        _log.debug("command_failed", exc_info=True)
        _fail(
            f"a fault of its own: {type(error).__name__}: {error}\n"
            "  with GATEWAY_LOG__LEVEL=debug it tells where; please report that",
            FAILED,
        )


def _fail(message: str, code: int) -> NoReturn:
    _tell(f"gateway: {message}")
    sys.exit(code)


def _tell(text: str) -> None:
    _console.print(text, markup=False, highlight=False, soft_wrap=True)


def _settings(config: Path | None) -> Settings:
    """Read the settings, or tell what is wrong with them and where."""
    if config is not None and not config.is_file():
        _fail(f"{config}: no such file", USAGE)
    file = config or Path("gateway.toml")
    try:
        settings = Settings.read(config)
    except ValidationError as error:
        _refuse_settings(*(_fault(fault["loc"], fault["msg"]) for fault in error.errors(include_input=False)))
    except tomllib.TOMLDecodeError as error:
        _refuse_settings(f"{file}: {error}")
    except (OSError, UnicodeDecodeError) as error:
        _refuse_settings(f"{file}: {error.strerror if isinstance(error, OSError) else 'not UTF-8'}")
    except SettingsError as error:
        _refuse_settings(f"{error}")
    for key, found in settings.providers.items():
        provider = PROVIDERS.get(key)
        if provider is None:
            _refuse_settings(_fault(("providers", key), f"no such provider; there are: {', '.join(PROVIDERS)}"))
        try:
            provider.options(**found.options)
        except ValidationError as error:
            faults = error.errors(include_input=False)
            _refuse_settings(*(_fault(("providers", key, *fault["loc"]), fault["msg"]) for fault in faults))
        parts = {part.key for part in provider.manifest.credential_parts}
        hosts = provider.manifest.base_urls
        if found.backend == "upstream" and not all(found.addresses(hosts).values()):
            _refuse_settings(
                _fault(("providers", key, "base_url"), "its address must be told: it has none that is known")
            )
        for name, given, known in (("credentials", found.credentials, parts), ("base_urls", found.base_urls, hosts)):
            for word in given:
                if word not in known:
                    _refuse_settings(
                        _fault(("providers", key, name, word), f"not known; there are: {', '.join(sorted(known))}")
                    )
    configure_logging(settings.log.level, settings.log.format)
    return settings


def _refuse_settings(*faults: str) -> NoReturn:
    _fail("the settings are wrong\n  " + "\n  ".join(faults), USAGE)


def _fault(place: Sequence[str | int], message: str) -> str:
    """Tell what is wrong and where: in the file, unless a variable says it."""
    variable = "__".join(["GATEWAY", *map(str, place)]).replace("GATEWAY__", "GATEWAY_", 1).upper()
    # One variable may also hold a table, as JSON.
    names = {name.upper() for name in os.environ}
    steps = variable.split("__")
    found = next((name for end in range(len(steps), 0, -1) if (name := "__".join(steps[:end])) in names), None)
    # pydantic puts words of its own before the messages of validators.
    message = message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "no such setting")
    return f"{'.'.join(map(str, place))}: {message}" + (f" (from the variable {found})" if found else "")


def _provider(key: str) -> Provider:
    provider = PROVIDERS.get(key)
    if provider is None:
        _fail(f"{key}: no such provider; there are: {', '.join(PROVIDERS)}", USAGE)
    return provider


@contextlib.asynccontextmanager
async def _store(settings: Settings) -> AsyncGenerator[Store]:
    """Open the store; an embedded one is brought up to date."""
    store = Store(settings.store.url, types=STORED)
    try:
        await store.start()
        yield store
    finally:
        await store.aclose()


def _run(work: Callable[[Store], Awaitable[T]], settings: Settings) -> T:
    async def opened() -> T:
        async with _store(settings) as store:
            return await work(store)

    return asyncio.run(opened())


@app.command()
def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="The port.", show_default="8000")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Start with a temporary store that holds samples.")] = False,
    production: Annotated[
        bool, typer.Option("--production", help="Close whatever the settings do not open by name.")
    ] = False,
) -> None:
    """Serve the graph, and the providers' own dialects."""
    if demo and production:
        _fail("a demo is open: it is nothing for production", USAGE)
    settings = _settings(config)
    # By way of all clean-ups; the server, while it serves, first ends what is under way.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _stop)
    with contextlib.ExitStack() as stack:
        if demo:
            folder = Path(tempfile.gettempdir(), f"gateway-demo-{secrets.token_hex(8)}")
            # Before it is made: a signal may come at any moment.
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            # In place of the settings, not merged with them: a demo calls nobody.
            settings = settings.model_copy(
                update={"store": StoreSettings(url=f"sqlite:///{folder}/demo.db"), "providers": {}}
            )
        given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        settings = settings.model_copy(update={"server": settings.server.model_copy(update=given)})
        if production:
            settings = _closed(settings)
        listening = _listen(settings.server.host, settings.server.port, settings.server.send_timeout)
        stack.callback(listening.close)
        if settings.server.token is None and not is_loopback(listening.getsockname()[0]):
            _tell("gateway: server.token is not set, so only callers on this machine are served")
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            runner.run(_serve(settings, listening, demo=demo))


_CLOSED = ("introspection", "suggestions", "graphiql", "metrics", "rest")
"""What production has only where the settings name it."""


def _closed(settings: Settings) -> Settings:
    """Close what the settings do not open by name; refuse what production cannot have."""
    server, access = settings.server, settings.access
    shut = dict.fromkeys((name for name in _CLOSED if name not in server.model_fields_set), False)
    is_open = access.open and "open" in access.model_fields_set
    if is_open and not (is_loopback(server.host) or server.host == "localhost"):
        _fail(
            f"access.open is set and {server.host} is no loopback: in production nobody comes in without a token", USAGE
        )
    if not is_open and not (server.token or access.keys or access.jwt):
        _fail("nobody could come in: set access.keys, access.jwt or server.token", USAGE)
    return settings.model_copy(
        update={"server": server.model_copy(update=shut), "access": access.model_copy(update={"open": is_open})}
    )


def _stop(_signal: int, _frame: object) -> None:
    sys.exit(OK)


class _Server(uvicorn.Server):
    """The server, which lets streams end before it waits for the requests under way."""

    def __init__(self, gateway: Gateway, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._gateway = gateway

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop serving."""
        self._gateway.operations.draining.set()
        await super().shutdown(sockets)


OPEN = "whoever is on this machine may read and change everything; access.open = false ends that"
"""What to say at the start where it is so."""


async def _serve(settings: Settings, listening: socket.socket, *, demo: bool) -> None:
    address = f"http://{_shown_host(settings.server.host)}:{listening.getsockname()[1]}"
    gateway = Gateway(settings)
    if gateway.page is not None and not gateway.page.is_built:
        _tell(f"gateway: {FROM_CDN}")
    server = _Server(
        gateway,
        uvicorn.Config(
            gateway.app(),
            http=bounded(settings.server.head_timeout, settings.server.max_header_bytes),
            log_config=None,
            access_log=False,
            # Its parts are opened here, where a store that cannot be opened is told as everywhere else.
            lifespan="off",
            server_header=False,
            # Said here, so that no variable of the environment makes a caller from afar one of this machine.
            forwarded_allow_ips=["127.0.0.1", "::1"],
            timeout_graceful_shutdown=10,
            ws_max_size=settings.server.max_body_bytes,
            # What is sent is short, and packing it would take more than it saves.
            ws_per_message_deflate=False,
        ),
    )
    async with gateway:
        _settle()
        if demo:
            await _seed_demo(gateway.store, address)
        else:
            if settings.access.open:
                _tell(f"gateway: {OPEN}")
            print(f"Serving {address}/graphql", flush=True)
        await server.serve(sockets=[listening])


def _settle() -> None:
    """Look for garbage less often: what is there now stays, and what answers need is soon gone.

    By Python's own measure such an answer sets off dozens of searches, for a third of its cost.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 5, 5)


_BACKLOG = 2_048


def _listen(host: str, port: int, patience: float) -> socket.socket:
    if not host:
        # To a socket this would mean every address there is.
        _fail("the address to listen on is empty", USAGE)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol told: else asyncio takes it for no TCP, and the end of each answer waits for an acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        # Already here: two that were only bound to one port would both come up.
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        _fail(f"cannot listen on {_in_url(host)}:{port}: {error.strerror or error}", FAILED)
    listening.set_inheritable(True)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Each connection inherits it: one whose client takes nothing would else be there, with what is to be sent,
        # for as long as the client likes, closed or not.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(patience * 1_000))
    return listening


def _shown_host(host: str) -> str:
    return _in_url({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host))  # noqa: S104 -- shown, not bound


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _seed_demo(store: Store, address: str) -> None:
    """Fill the store with the samples that the providers bring, make credentials, and print what to try."""
    lines = [("Graph", f"{address}/graphql")]
    query = ""
    for key, provider in PROVIDERS.items():
        sample = (resources.files(provider.demo) / "demo.json").read_bytes()
        documents_ = [("demo.json", [Line(1, orjson.loads(sample))])]
        await import_documents(store, key, provider.archive, documents_, owner=None, kind=None, strict=True)
        lines.append((provider.manifest.title, f"{address}/rest/{key}"))
        for part in provider.manifest.credential_parts:
            wanted = Wanted(
                part=part.key,
                owner=provider.demo_owner,
                name="demo",
                scopes=provider.manifest.scopes,
                issued_at=now(),
                expires_at=None,
                limits=(),
            )
            lines.append((f"  {part.key}", await issue(store, key, provider.rules, wanted)))
        query = query or _DEMO_QUERY % (provider.manifest.provider.name, json.dumps(provider.demo_owner))
    print("The demo store holds samples, is open to this machine, and is gone when this ends.\n")
    width = max(len(title) for title, _ in lines)
    for title, text in lines:
        print(f"  {title:<{width}}  {text}")
    print(f"\nA query to paste:\n\n{query}\n", flush=True)


_DEMO_QUERY = """{
  inventory(owner: { provider: %s, key: %s }) {
    containers { nodes { name kind capacity freeSlots
      slots { index item { quantity definition { name rarity icon } } }
      containers { nodes { name capacity freeSlots
        slots { index item { quantity definition { name rarity icon } } } } } } }
  }
}"""


@app.command("import")
def import_(
    provider: ProviderArgument,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files in the provider's own format, gzip or not.")
    ],
    owner: Annotated[str | None, typer.Option("--owner", help="Whose inventory it is.", show_default=False)] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="What the files hold, where that cannot be told.", show_default=False)
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Import nothing if any record is bad.")] = False,
    config: ConfigOption = None,
) -> None:
    """Import files in the provider's own format: JSON, JSON lines, or a form that only the provider has."""
    settings = _settings(config)
    found = _provider(provider)
    if owner is not None:
        found.rules.check_owner(owner)
    for path in files:
        if not path.is_file():
            _fail(f"{path}: no such file", USAGE)
    kept = True
    with _progress() as progress:
        formats = [*found.archive.FORMATS.values()]

        def lines() -> Iterator[tuple[str, Iterator[Line]]]:
            for path in files:
                task = progress.add_task(path.name, total=path.stat().st_size)
                yield path.name, documents(path, lambda read, task=task: progress.update(task, completed=read), formats)

        try:
            report = _run(
                lambda store: import_documents(
                    store, found.key, found.archive, lines(), owner=owner, kind=kind, strict=strict
                ),
                settings,
            )
        except Broken as broken:
            report, kept = broken.report, False
    if not kept:
        _tell_rejected(report)
        _fail(f"nothing was imported: {_many(len(report.rejected), 'bad record')}", FAILED)
    counts = ", ".join(_many(count, word.removesuffix("s")) for word, count in sorted(report.counts.items()) if count)
    print(f"Imported {counts or 'nothing'}.", flush=True)
    _tell_rejected(report)
    if report.rejected:
        _fail(f"{_many(len(report.rejected), 'record')} rejected", FAILED)


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=_console,
        transient=True,
        disable=not _console.is_terminal,
    )


def _tell_rejected(report: Report) -> None:
    for name, line, reason in report.rejected[:_MOST_SHOWN]:
        _tell(f"{name}, line {line}: {reason}")
    if len(report.rejected) > _MOST_SHOWN:
        _tell(f"... and {len(report.rejected) - _MOST_SHOWN:,} more")


@app.command()
def export(
    provider: ProviderArgument,
    owner: Annotated[str | None, typer.Option("--owner", help="Whose inventory.", show_default=False)] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="A family of the catalogue instead, as JSON lines.", show_default=False)
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="The form of the document: json, or one that only the provider has.")
    ] = "json",
    config: ConfigOption = None,
) -> None:
    """Write an owner's inventory, or the catalogue, in the provider's own format to standard output."""
    settings = _settings(config)
    found = _provider(provider)
    if (owner is None) == (kind is None):
        _fail("give --owner or --kind", USAGE)
    formats = {"json": _json, **{name: known.write for name, known in found.archive.FORMATS.items()}}
    if form not in formats:
        _fail(f"{form}: no such format; there are: {', '.join(formats)}", USAGE)
    if owner is not None:
        found.rules.check_owner(owner)
        owned = _run(lambda store: store.owned(OwnerRef(found.key, owner), found.rules.shared_by(owner)), settings)
        if owned is None:
            _fail(f"{owner}: no such owner in the store", FAILED)
        _write(formats[form](dict(found.archive.render_export(owned))))
        return
    _run(lambda store: _export_catalogue(store, found, kind or ""), settings)


def _json(document: object) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


async def _export_catalogue(store: Store, provider: Provider, kind: str) -> None:
    family = provider.archive.family(kind)
    keys = await store.definition_keys(provider.key, family)
    for start in range(0, len(keys), 1_000):
        refs = [DefinitionRef(provider.key, key) for key in keys[start : start + 1_000]]
        found = await store.definitions(refs)
        for ref in refs:
            entry = found[ref]
            if isinstance(entry, GatewayError):
                raise entry
            _write(orjson.dumps(provider.archive.render_definition(entry)))


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")


@app.command("access-key")
def access_key(
    name: Annotated[str, typer.Argument(help="Whose it is, for people.")],
    reads: Annotated[
        list[str] | None,
        typer.Option("--reads", help="Whose inventories: *, PROVIDER/* or PROVIDER/OWNER.", show_default=False),
    ] = None,
    writes: Annotated[
        list[str] | None, typer.Option("--writes", help="Whose may be changed as well.", show_default=False)
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="read, write or link; all, if none is given.")
    ] = None,
) -> None:
    """Make an API key for the graph: it is shown once, and the settings have its hash alone."""
    key = f"igk_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    try:
        given: dict[str, Any] = {"scopes": scope} if scope else {}
        made = ApiKeySettings(name=name, hash=digest, reads=tuple(reads or ()), writes=tuple(writes or ()), **given)
        granted(made, is_owner)
    except ValidationError as error:
        _fail("; ".join(_fault(fault["loc"], fault["msg"]) for fault in error.errors(include_input=False)), USAGE)
    except ValueError as error:
        _fail(str(error), USAGE)
    print(key)
    _tell("It is not shown again. For gateway.toml:\n\n[[access.keys]]")
    # JSON's texts and lists are TOML's too.
    for part, value in made.model_dump(mode="json").items():
        _tell(f"{part} = {json.dumps(value, ensure_ascii=False)}")


@vault.command("key")
def vault_key() -> None:
    """Make a key for `vault.keys`; it is shown once."""
    print(new_key())
    _tell("Put it first in vault.keys; those before it open what they sealed, until `gateway vault rotate` is run.")


@vault.command("rotate")
def rotate_vault(
    config: ConfigOption = None,
    drop: Annotated[
        bool, typer.Option("--drop-unreadable", help="Forget accounts that were sealed with none of the keys.")
    ] = False,
) -> None:
    """Seal every account that is kept with the first of `vault.keys`: the others may be taken out then."""
    settings = _settings(config)

    async def rotate(store: Store) -> int:
        opened = open_vault(settings.vault, store, now)
        if opened is None:
            _fail("vault.keys is not set", USAGE)
        return await opened.rotate(drop=drop)

    print(f"{_run(rotate, settings)} accounts are sealed with the first key.")


@app.command("schema")
def schema_(
    check: Annotated[
        Path | None, typer.Option("--check", help="Fail if this file is not the schema.", show_default=False)
    ] = None,
) -> None:
    """Print the schema."""
    # The defaults, whatever the machine's settings; and UTF-8, whatever its locale.
    text = schema(Settings.model_construct()).as_str().encode()
    if check is None:
        _write(text)
    elif not check.is_file() or check.read_bytes() != text + b"\n":
        _fail(f"{check} is not the schema; write it with: gateway schema > {check}", FAILED)


@app.command()
def migrate(config: ConfigOption = None) -> None:
    """Bring the store's tables up to date; several processes may do so at once."""

    async def work(settings: Settings) -> None:
        store = Store(settings.store.url, types=STORED)
        try:
            await store.connect()
            await store.migrate()
        finally:
            await store.aclose()

    asyncio.run(work(_settings(config)))
    print("The store is up to date.")


@app.command()
def check(config: ConfigOption = None) -> None:
    """Check the settings and, if the store is in use, whether it answers; say what is wrong and where."""
    settings = _settings(config)
    asyncio.run(_look(settings))
    for key in PROVIDERS:
        found = settings.provider(key)
        own = f", its own {' and '.join(found.credentials)}" if found.credentials else ""
        print(f"{key}: {found.backend}{own}")
    print("The settings are good.")


async def _look(settings: Settings) -> None:
    """Make the parts of the gateway, which say what is wrong with what they are given, and open the store."""
    gateway = Gateway(settings)
    try:
        if gateway.uses_store:
            await gateway.store.start()
    finally:
        await gateway.pool.aclose()
        await gateway.store.aclose()


@credential.command("create")
def create_credential(
    provider: ProviderArgument,
    owner: OwnerOption,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="A scope; all, if none is given.")] = None,
    ttl: Annotated[str | None, typer.Option("--ttl", help="How long it lasts, such as 30d, 12h, 90m.")] = None,
    name: Annotated[str, typer.Option("--name", help="What to call it.")] = "gateway",
    part: Annotated[
        str | None, typer.Option("--part", help="Which part of a credential; its first, if absent.", show_default=False)
    ] = None,
    limit: Annotated[
        list[str] | None, typer.Option("--limit", help="A restriction of the service's own, such as a path.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Make a credential in the service's own form, and show it once."""
    settings = _settings(config)
    found = _provider(provider)
    found.rules.check_owner(owner)
    scopes = tuple(part for given in scope or () for part in given.split(",")) or found.manifest.scopes
    for one in scopes:
        if one not in found.manifest.scopes:
            _fail(f"{one}: no such scope; there are: {', '.join(found.manifest.scopes)}", USAGE)
    parts = [known.key for known in found.manifest.credential_parts]
    if part is not None and part not in parts:
        _fail(f"{part}: no such part of a credential; there are: {', '.join(parts)}", USAGE)
    issued_at = now().replace(microsecond=0)
    wanted = Wanted(
        part=part or parts[0],
        owner=owner,
        name=name,
        scopes=scopes,
        issued_at=issued_at,
        expires_at=None if ttl is None else issued_at + _duration(ttl),
        limits=tuple(limit or ()),
    )

    async def work(store: Store) -> str:
        if not await store.owners([OwnerRef(found.key, owner)]):
            _fail(f"{owner}: no such owner in the store", FAILED)
        return await issue(store, found.key, found.rules, wanted)

    print(_run(work, settings))


_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _duration(text: str) -> timedelta:
    number, unit = text[:-1], text[-1:]
    if not number.isdecimal() or unit not in _UNITS or int(number) == 0 or len(number) > 6:
        _fail(f"{text}: not a time; write 30d, 12h, 90m or 600s", USAGE)
    return timedelta(seconds=int(number) * _UNITS[unit])


@credential.command("list")
def list_credentials(provider: ProviderArgument, config: ConfigOption = None) -> None:
    """List the credentials that were made; never the secrets, which are not kept."""
    found = _provider(provider)
    for grant in _run(lambda store: store.grants(found.key), _settings(config)):
        state = "revoked" if grant.revoked_at else _lifetime(grant.expires_at)
        print(f"{grant.label}  {grant.owner}  {','.join(grant.scopes)}  {state}")


def _lifetime(expires_at: datetime | None) -> str:
    if expires_at is None:
        return "no end"
    return f"{'expired' if expires_at <= now() else 'until'} {expires_at.isoformat()}"


@credential.command("revoke")
def revoke_credential(
    provider: ProviderArgument,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="The first column of `credential list`.")],
    config: ConfigOption = None,
) -> None:
    """Revoke a credential; it is refused from then on."""
    found = _provider(provider)
    if not _run(lambda store: store.revoke_grant(found.key, label), _settings(config)):
        _fail(f"{label}: no such credential in force", FAILED)
    print("Revoked.")
