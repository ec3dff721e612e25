"""Each way in which a connection can fail, produced by a server that does it, and what of it is shown."""

from __future__ import annotations

import asyncio
import datetime as dt
import pathlib
import socket
import ssl
import traceback

import aiohttp
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.model.errors import (
    GatewayError,
    InvalidInput,
    OutcomeUnknown,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.transport.pool import Pool, translated

from .loopback import OK, Handler, answer, hangs_up, loopback, resets, says

SECRET = "SeCrEt"  # looked for in what is shown


async def failure(pool: httpx.AsyncBaseTransport, method: str, origin: str, value: str = SECRET) -> GatewayError:
    """Call, and make sure that nothing which the error carries shows the URL, the query or a header."""
    request = httpx.Request(
        method, f"{origin}/{SECRET}?access_token={SECRET}", headers=[(b"Authorization", value.encode())]
    )
    with pytest.raises(GatewayError) as caught:
        await pool.handle_async_request(request)
    error = caught.value
    shown = [str(error), repr(error), *traceback.format_exception(error)]
    assert not [text for text in shown if SECRET in text or origin in text or "localhost" in text]
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


ROWS: list[tuple[str, Handler, type[GatewayError]]] = [
    ("hung up", hangs_up(), UpstreamUnavailable),
    ("hung up in the headers", hangs_up(b"HTTP/1.1 200 OK\r\nContent-"), UpstreamUnavailable),
    ("reset", resets(), UpstreamUnavailable),
    ("reset in the body", resets(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), UpstreamUnavailable),
    ("fewer bytes than announced", hangs_up(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), UpstreamUnavailable),
    (
        "fewer chunks",
        hangs_up(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
        UpstreamUnavailable,
    ),
    ("bad chunk", says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n"), UpstreamInvalid),
    ("garbage", says(b"\x00\x01\x02 this is no HTTP at all\r\n\r\n"), UpstreamInvalid),
    ("another protocol", says(b"220 smtp.example ESMTP\r\n\r\n"), UpstreamInvalid),
    ("bad status", says(b"HTTP/1.1 abc Fine\r\n\r\n"), UpstreamInvalid),
    ("one huge header", says(answer(b"", "X-Huge: " + "x" * 40_000)), UpstreamInvalid),
    ("many headers", says(answer(b"", *(f"X-{n}: y" for n in range(2000)))), UpstreamInvalid),
    ("broken gzip", says(answer(b"not gzip at all", "Content-Encoding: gzip")), UpstreamInvalid),
]


@pytest.mark.parametrize(("handler", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
async def test_a_broken_answer_becomes_one_of_our_errors(
    pool: Pool, handler: Handler, expected: type[GatewayError]
) -> None:
    async with loopback(handler) as server, asyncio.timeout(5):
        assert type(await failure(pool, "GET", server.origin)) is expected


@pytest.mark.parametrize("handler", [row[1] for row in ROWS], ids=[row[0] for row in ROWS])
async def test_a_broken_answer_to_a_write_leaves_its_outcome_unknown(pool: Pool, handler: Handler) -> None:
    async with loopback(handler) as server, asyncio.timeout(5):
        assert type(await failure(pool, "POST", server.origin)) is OutcomeUnknown
        assert len(server.requests) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_refused_connection_is_unavailable_and_nothing_was_sent(pool: Pool, method: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert type(await failure(pool, method, f"http://localhost:{port}")) is UpstreamUnavailable


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_host_is_unavailable(pool: Pool, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = await failure(pool, method, "http://nowhere.invalid")
    assert type(error) is UpstreamUnavailable
    assert "host is not known" in error.message


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_server_without_tls_is_unavailable_over_https(pool: Pool, method: str) -> None:
    async def plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plainly, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await failure(pool, method, f"https://localhost:{port}")
    assert type(error) is UpstreamUnavailable
    assert "prove" in error.message


async def test_a_certificate_that_nobody_signed_is_not_accepted(pool: Pool, tmp_path: pathlib.Path) -> None:
    context = _self_signed(tmp_path)
    async with loopback(says(OK), tls=context) as server:
        error = await failure(pool, "GET", server.origin)
        assert not server.requests
        trusting = Pool(tls=ssl.create_default_context(cafile=str(tmp_path / "cert.pem")))
        # The same server is fine for who trusts it, so the failure above was about trust.
        assert (await trusting.handle_async_request(httpx.Request("GET", server.origin))).status_code == 200
        await trusting.aclose()
    assert type(error) is UpstreamUnavailable
    assert "prove" in error.message


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("value", [f"{SECRET}\r\nX-Injected: yes", f"{SECRET}\nX: y", f"{SECRET}\x00"])
async def test_a_credential_with_a_line_break_is_refused_before_anything_is_sent(
    pool: Pool, method: str, value: str
) -> None:
    async with loopback(says(OK)) as server:
        assert type(await failure(pool, method, server.origin, value)) is InvalidInput
    assert not server.requests


@pytest.mark.parametrize("name", [b"", b"X Y", b"X:", b"X-One: 1\r\nX-Injected", b"X\xe9"])
async def test_a_header_that_is_none_is_refused_before_anything_is_sent(pool: Pool, name: bytes) -> None:
    async with loopback(says(OK)) as server:
        with pytest.raises(InvalidInput):
            await pool.handle_async_request(httpx.Request("GET", server.origin, headers=[(name, b"value")]))
    assert not server.requests


async def test_a_url_that_leads_nowhere_is_refused(pool: Pool) -> None:
    assert type(await failure(pool, "GET", "gopher://example.org")) in {InvalidInput, UpstreamUnavailable}


@pytest.mark.parametrize("error", [TimeoutError(), aiohttp.ServerTimeoutError(), aiohttp.ConnectionTimeoutError()])
def test_timeouts_of_the_system_are_timeouts(error: Exception) -> None:
    assert type(translated(error)) is UpstreamTimeout


async def test_being_cancelled_is_not_translated(pool: Pool) -> None:
    async with loopback(says(b"")) as server:
        for method in ("GET", "POST"):
            request = httpx.Request(method, f"{server.origin}/")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await pool.handle_async_request(request)
            assert request.extensions.get("sent") == (True if method == "POST" else None)


def _self_signed(folder: pathlib.Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
