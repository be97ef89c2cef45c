"""A page served to this machine's own browser, and to nobody else."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

from cryoverdict.engine.engine_error import EngineError

LOOPBACK = "127.0.0.1"
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
)


class LoopbackServer(ThreadingHTTPServer):
    """Serves on the loopback address, under a path that only its starter knows.

    ``turn`` is for handlers whose work must not run side by side.
    """

    daemon_threads = True

    def __init__(self, handler: type[LoopbackHandler], *, port: int = 0) -> None:
        """Take a port (any free one for 0); raises `EngineError` where it is taken."""
        self.token = secrets.token_urlsafe(24)
        self.turn = threading.Lock()
        try:
            super().__init__((LOOPBACK, port), handler)
        except OSError as error:
            msg = f"port {port}: cannot be used ({error.strerror}); give another --port"
            raise EngineError(msg) from error
        self.hosts = {f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost")}

    @property
    def url(self) -> str:
        """The page's address, with the token."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"


class LoopbackHandler(BaseHTTPRequestHandler):
    """Answers one request; anything without the token, or for another host, finds nothing.

    ``most_bytes`` is the longest body that is read.
    """

    server: LoopbackServer
    timeout = 60
    most_bytes = 4096

    def asked(self) -> str | None:
        """Return what is asked for below the token, or answer that there is nothing."""
        host = self.headers.get("Host", "")
        origin = self.headers.get("Origin")
        own = host in self.server.hosts and origin in (None, f"http://{host}")
        path = self.path.partition("?")[0]
        token, slash, rest = path.removeprefix("/").partition("/")
        if own and slash and secrets.compare_digest(token.encode(), self.server.token.encode()):
            return rest
        self.answer(HTTPStatus.NOT_FOUND, b"", "text/plain")
        return None

    def body(self) -> bytes:
        """Return the body of a request; raises ``ValueError`` for a long one."""
        length = int(self.headers.get("Content-Length", "0"))
        if not 0 <= length <= self.most_bytes:
            raise ValueError
        return self.rfile.read(length)

    def answer(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        """Send one whole answer."""
        try:
            self.send_response(status)
            for name, value in HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:
            # The browser went away; what it asked for is done.
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the terminal quiet."""
