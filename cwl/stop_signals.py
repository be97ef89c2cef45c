"""Ctrl-C and the request to end, answered once."""

from __future__ import annotations

import signal
import time
from types import FrameType

# A second Ctrl-C within this time is the same impatience; later it means that tidying up hangs.
ONE_REQUEST_S = 5.0


class Terminated(BaseException):
    """The process was asked to end (SIGTERM), as by a job scheduler."""


def answer_stop_signals() -> None:
    """Raise `KeyboardInterrupt` or `Terminated`, from now on, for the first of several signals.

    The others would interrupt the ending of the workers, and show tracebacks. A signal that the
    caller had set to be ignored, as ``nohup`` and background jobs do, stays so.
    """
    answered = -ONE_REQUEST_S

    def answer(number: int, _: FrameType | None) -> None:
        """Raise unless a signal has just been answered."""
        nonlocal answered
        now = time.monotonic()
        if now - answered < ONE_REQUEST_S:
            return
        answered = now
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, answer)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, answer)


def ignore_stop_signals() -> None:
    """Let nothing disturb the end of a stopped process, when Python has taken its handlers down."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
