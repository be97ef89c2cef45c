"""The page on which a person labels, served to this machine's own browser and nobody else."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from cryoverdict.engine.catalogue.labelling import LabellingSession
from cryoverdict.engine.engine_error import EngineError

LOOPBACK = "127.0.0.1"
MOST_BYTES = 4096
ASSETS: Mapping[str, str] = MappingProxyType(
    {
        "labelling.html": "text/html; charset=utf-8",
        "labelling.css": "text/css; charset=utf-8",
        "labelling.js": "text/javascript; charset=utf-8",
    }
)
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


class LabellingServer(ThreadingHTTPServer):
    """Serves one session on the loopback address, under a path that only its starter knows."""

    daemon_threads = True

    def __init__(self, session: LabellingSession, *, port: int = 0) -> None:
        """Take a port (any free one for 0); raises `EngineError` where it is taken."""
        self.session = session
        self.token = secrets.token_urlsafe(24)
        self.turn = threading.Lock()
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            msg = f"port {port}: cannot be used ({error.strerror}); give another --port"
            raise EngineError(msg) from error
        self.hosts = {f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost")}

    @property
    def url(self) -> str:
        """The page's address, with the token."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"

    def state(self) -> dict[str, Any]:
        """Return what the page shows: the micrograph and how far the rater is."""
        shown = self.session.shown()
        return {
            "shown": shown and asdict(shown),
            "rater": self.session.rater,
            "given": len(self.session.given),
            "waiting": len(self.session.waiting),
        }


class _Handler(BaseHTTPRequestHandler):
    """Answers one request; anything without the token, or for another host, finds nothing."""

    server: LabellingServer
    timeout = 60

    def do_GET(self) -> None:
        """Answer with the page, its parts, the state or a picture."""
        path = self._path()
        if path is None:
            return
        if path == "state":
            with self.server.turn:
                self._json(self.server.state)
        elif path in ("", *ASSETS):
            name = path or "labelling.html"
            content = files("cryoverdict.engine.catalogue").joinpath("page", name).read_bytes()
            self._answer(HTTPStatus.OK, content, ASSETS[name])
        else:
            kind, _, number = path.partition("/")
            known = number.isascii() and number.isdigit() and len(number) < 19
            picture = self.server.session.picture(int(number), kind) if known else None
            if picture is None:
                self._answer(HTTPStatus.NOT_FOUND, b"", "text/plain")
            else:
                self._answer(HTTPStatus.OK, picture, "image/jpeg")

    def do_POST(self) -> None:
        """Take a label, a skip, an undo or the end."""
        path = self._path()
        if path is None:
            return
        try:
            told = json.loads(self.rfile.read(self._length()) or b"{}")
            with self.server.turn:
                self._json(lambda: self._act(path, told))
        except (EngineError, KeyError, TypeError, ValueError) as error:
            reason = str(error) if isinstance(error, EngineError) else "not understood"
            content = json.dumps({"error": reason}).encode()
            self._answer(HTTPStatus.BAD_REQUEST, content, "application/json")

    def _act(self, path: str, told: Mapping[str, Any]) -> dict[str, Any]:
        """Do what the page asks for, and return the state after it."""
        session = self.server.session
        match path:
            case "label":
                favourable, defects = told["favourable"], told["defects"]
                if not isinstance(favourable, bool) or not isinstance(defects, list):
                    raise TypeError
                session.judge(
                    int(told["number"]),
                    favourable=favourable,
                    grade=told["grade"],
                    defects=[str(name) for name in defects],
                )
            case "skip":
                session.skip(int(told["number"]))
            case "undo":
                session.undo()
            case "finish":
                # The server cannot wait for itself: another thread ends it after this answer.
                threading.Thread(target=self.server.shutdown, daemon=True).start()
            case _:
                raise ValueError
        return self.server.state()

    def _path(self) -> str | None:
        """Return what is asked for below the token, or answer that there is nothing."""
        host = self.headers.get("Host", "")
        origin = self.headers.get("Origin")
        own = host in self.server.hosts and origin in (None, f"http://{host}")
        path = self.path.partition("?")[0]
        token, slash, rest = path.removeprefix("/").partition("/")
        if own and slash and secrets.compare_digest(token.encode(), self.server.token.encode()):
            return rest
        self._answer(HTTPStatus.NOT_FOUND, b"", "text/plain")
        return None

    def _length(self) -> int:
        """Return the length of a request's body; raises ``ValueError`` for a long one."""
        length = int(self.headers.get("Content-Length", "0"))
        if not 0 <= length <= MOST_BYTES:
            raise ValueError
        return length

    def _json(self, make: Callable[[], dict[str, Any]]) -> None:
        """Answer with what a function returns."""
        content = json.dumps(make()).encode()
        self._answer(HTTPStatus.OK, content, "application/json")

    def _answer(self, status: HTTPStatus, content: bytes, kind: str) -> None:
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
