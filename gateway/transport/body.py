"""Bodies of answers, decoded while they arrive and never past a limit."""

from __future__ import annotations

import zlib

from gateway.model.errors import UpstreamInvalid

MAX_BODY_BYTES = 64 * 1024 * 1024

# A gzip body may be several members in a row. Each costs a copy of what is left of its chunk, so a body of nothing but
# empty members would take quadratic time.
MAX_MEMBERS = 4096

_GZIP = 31
_ZLIB = 15
_RAW_DEFLATE = -15


class TooLong(UpstreamInvalid):
    """A body that is longer than it may be."""


class Body:
    """Collect one body of at most `limit` bytes, counted both as sent and as decoded.

    `encoding` is the value of Content-Encoding. Understood are gzip and deflate, one at a time: stacked and unknown
    ones are refused at once. Raises UpstreamInvalid, also for what is broken or ends too early.
    """

    __slots__ = ("_decoded", "_head", "_inflate", "_limit", "_members", "_parts", "_received", "_wbits")

    def __init__(self, encoding: str | None, limit: int = MAX_BODY_BYTES) -> None:
        self._limit = limit
        self._received = 0
        self._decoded = 0
        self._members = 0
        self._head = b""
        self._parts: list[bytes] = []
        self._inflate: zlib._Decompress | None = None  # pyright: ignore[reportPrivateUsage]  # typeshed's name of it
        self._wbits = 0 if encoding is None else _wbits(encoding)

    def feed(self, chunk: bytes) -> None:
        """Add bytes as they came from the service."""
        self._received += len(chunk)
        if self._received > self._limit:
            raise _too_long()
        if self._wbits == 0:
            self._parts.append(chunk)
            return
        if self._inflate is None:
            # Two bytes tell deflate's two forms apart.
            chunk = self._head + chunk
            if len(chunk) < 2:
                self._head = chunk
                return
            self._start(chunk)
        try:
            self._decode(chunk)
        except zlib.error:
            failure = UpstreamInvalid("the service's answer is compressed wrongly")
        else:
            return
        raise failure

    def finish(self) -> bytes:
        """Give the whole body, once nothing more comes; answers without a body (HEAD, 304) are empty."""
        if self._wbits and self._received and (self._inflate is None or not self._inflate.eof):
            raise UpstreamInvalid("the service's compressed answer ends too early")
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def _start(self, head: bytes) -> None:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise UpstreamInvalid("the service's answer is compressed in too many pieces")
        wbits = self._wbits
        # RFC 9110 means the zlib format by "deflate", some servers send the bare stream.
        if wbits == _ZLIB and (head[0] & 0x0F != 8 or (head[0] << 8 | head[1]) % 31):
            wbits = _RAW_DEFLATE
        self._inflate = zlib.decompressobj(wbits)

    def _decode(self, data: bytes) -> None:
        while data:
            inflate = self._inflate
            if inflate is None or inflate.eof:
                if self._wbits != _GZIP:
                    raise UpstreamInvalid("the service's answer goes on after its end")
                self._start(data)
                continue
            # One byte more than allowed is enough to know: a bomb is never expanded further.
            part = inflate.decompress(data, self._limit - self._decoded + 1)
            self._decoded += len(part)
            if self._decoded > self._limit:
                raise _too_long()
            if part:
                self._parts.append(part)
            data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail


def _wbits(encoding: str) -> int:
    match encoding.strip().lower():
        case "" | "identity":
            return 0
        case "gzip" | "x-gzip":
            return _GZIP
        case "deflate":
            return _ZLIB
        case _:
            raise UpstreamInvalid("the service's answer is encoded in a way that was not asked for")


def _too_long() -> TooLong:
    return TooLong("the service's answer is too long")
