"""The page on which a workflow is composed, served to this machine's own browser alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from importlib.resources import files
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from cryoverdict.cwl.composer.session import ComposerSession
from cryoverdict.cwl.composer.workflow_files import AlreadyThereError
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.loopback_server import LoopbackHandler, LoopbackServer
from cryoverdict.engine.program_error import ProgramError
from cryoverdict.features.input_error import InputError

MOST_BYTES = 4_000_000
HTML = "text/html; charset=utf-8"
CSS = "text/css; charset=utf-8"
SCRIPT = "text/javascript; charset=utf-8"
PAGE = "composer.html"
ASSETS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        PAGE: ("cryoverdict.cwl.composer", "page", HTML),
        "composer.css": ("cryoverdict.cwl.composer", "page", CSS),
        "drawing.css": ("cryoverdict.cwl.composer", "page", CSS),
        "cwl-svg.js": ("cryoverdict.cwl.composer", "page", SCRIPT),
        "document.js": ("cryoverdict.cwl.composer", "page", SCRIPT),
        "drawing.js": ("cryoverdict.cwl.composer", "page", SCRIPT),
        "inspector.js": ("cryoverdict.cwl.composer", "page", SCRIPT),
        "palette.js": ("cryoverdict.cwl.composer", "page", SCRIPT),
        "running.js": ("cryoverdict.cwl.composer", "page", SCRIPT),
        "composer.js": ("cryoverdict.cwl.composer", "page", SCRIPT),
        "frame.css": ("cryoverdict.reports", "assets", CSS),
        "frame.js": ("cryoverdict.reports", "assets", SCRIPT),
    }
)


class ComposerServer(LoopbackServer):
    """Serves one session on the loopback address, under a path that only its starter knows."""

    def __init__(self, session: ComposerSession, *, port: int = 0) -> None:
        """Take a port (any free one for 0); raises `EngineError` where it is taken."""
        self.session = session
        super().__init__(_Handler, port=port)

    def server_close(self) -> None:
        """Close the port and end a run that is still going."""
        super().server_close()
        self.session.stop()


class _Handler(LoopbackHandler):
    """Answers one request; anything without the token, or for another host, finds nothing."""

    server: ComposerServer
    most_bytes = MOST_BYTES

    def do_GET(self) -> None:
        """Answer with the page, its parts, a workflow, or the state of a run."""
        path = self.asked()
        if path is None:
            return
        session = self.server.session
        name = path or PAGE
        if name in ASSETS:
            package, folder, kind = ASSETS[name]
            content = files(package).joinpath(folder, name).read_bytes()
            self.answer(HTTPStatus.OK, content, kind)
            return
        kind, _, rest = path.partition("/")
        questions: dict[str, Callable[[], dict[str, Any]]] = {
            "state": session.state,
            "run": session.run_state,
            "workflow": lambda: session.open(unquote(rest)),
            "process": lambda: session.process(unquote(rest)),
        }
        if kind not in questions or (rest and kind in ("state", "run")):
            self.answer(HTTPStatus.NOT_FOUND, b"", "text/plain")
        else:
            self._reply(questions[kind])

    def do_POST(self) -> None:
        """Save, run or stop."""
        path = self.asked()
        if path is None:
            return
        try:
            told = json.loads(self.body() or b"{}")
            if not isinstance(told, dict):
                raise TypeError
        except (TypeError, ValueError):
            self._fault(HTTPStatus.BAD_REQUEST, "not understood")
            return
        with self.server.turn:
            self._reply(lambda: self._act(path, told))

    def _act(self, path: str, told: Mapping[str, Any]) -> dict[str, Any]:
        """Do what the page asks for."""
        session = self.server.session
        match path:
            case "save":
                return session.save(
                    told["document"],
                    str(told["name"]),
                    replace=told.get("replace") is True,
                    opened=str(told.get("opened", "")),
                )
            case "run":
                return session.run(str(told["workflow"]), dict(told["values"]))
            case "stop":
                session.stop()
                return session.run_state()
            case _:
                raise ValueError

    def _reply(self, make: Callable[[], dict[str, Any]]) -> None:
        """Answer with what a function returns, or with what it has against the question."""
        try:
            content = json.dumps(make()).encode()
        except AlreadyThereError as error:
            self._fault(HTTPStatus.CONFLICT, str(error))
        except (InputError, EngineError, ProgramError) as error:
            self._fault(HTTPStatus.BAD_REQUEST, str(error))
        except OSError as error:
            self._fault(HTTPStatus.BAD_REQUEST, f"{error.filename}: {error.strerror}")
        except (AttributeError, KeyError, TypeError, ValueError):
            self._fault(HTTPStatus.BAD_REQUEST, "not understood")
        else:
            self.answer(HTTPStatus.OK, content, "application/json")

    def _fault(self, status: HTTPStatus, reason: str) -> None:
        """Answer that something is wrong, and what."""
        self.answer(status, json.dumps({"error": reason}).encode(), "application/json")
