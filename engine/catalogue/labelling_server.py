"""The page on which a person labels, served to this machine's own browser and nobody else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from cryoverdict.engine.catalogue.labelling import LabellingSession
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.loopback_server import LoopbackHandler, LoopbackServer

ASSETS: Mapping[str, str] = MappingProxyType(
    {
        "labelling.html": "text/html; charset=utf-8",
        "labelling.css": "text/css; charset=utf-8",
        "labelling.js": "text/javascript; charset=utf-8",
    }
)


class LabellingServer(LoopbackServer):
    """Serves one session on the loopback address, under a path that only its starter knows."""

    def __init__(self, session: LabellingSession, *, port: int = 0) -> None:
        """Take a port (any free one for 0); raises `EngineError` where it is taken."""
        self.session = session
        super().__init__(_Handler, port=port)

    def state(self) -> dict[str, Any]:
        """Return what the page shows: the micrograph and how far the rater is."""
        shown = self.session.shown()
        return {
            "shown": shown and asdict(shown),
            "rater": self.session.rater,
            "given": len(self.session.given),
            "waiting": len(self.session.waiting),
        }


class _Handler(LoopbackHandler):
    """Answers one request; anything without the token, or for another host, finds nothing."""

    server: LabellingServer

    def do_GET(self) -> None:
        """Answer with the page, its parts, the state or a picture."""
        path = self.asked()
        if path is None:
            return
        if path == "state":
            with self.server.turn:
                self._json(self.server.state)
        elif path in ("", *ASSETS):
            name = path or "labelling.html"
            content = files("cryoverdict.engine.catalogue").joinpath("page", name).read_bytes()
            self.answer(HTTPStatus.OK, content, ASSETS[name])
        else:
            kind, _, number = path.partition("/")
            known = number.isascii() and number.isdigit() and len(number) < 19
            picture = self.server.session.picture(int(number), kind) if known else None
            if picture is None:
                self.answer(HTTPStatus.NOT_FOUND, b"", "text/plain")
            else:
                self.answer(HTTPStatus.OK, picture, "image/jpeg")

    def do_POST(self) -> None:
        """Take a label, a skip, an undo or the end."""
        path = self.asked()
        if path is None:
            return
        try:
            told = json.loads(self.body() or b"{}")
            with self.server.turn:
                self._json(lambda: self._act(path, told))
        except (EngineError, KeyError, TypeError, ValueError) as error:
            reason = str(error) if isinstance(error, EngineError) else "not understood"
            content = json.dumps({"error": reason}).encode()
            self.answer(HTTPStatus.BAD_REQUEST, content, "application/json")

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

    def _json(self, make: Callable[[], dict[str, Any]]) -> None:
        """Answer with what a function returns."""
        content = json.dumps(make()).encode()
        self.answer(HTTPStatus.OK, content, "application/json")
