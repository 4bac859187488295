"""Stopped by Ctrl-C or by SIGTERM, a command ends with a sentence and the status of its signal."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_RESUMES = "; the same command resumes where it was"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A signal has arrived.

    Python ends by SIGINT, whatever exit status is asked for later, once a KeyboardInterrupt itself
    has left code that was given as a text, of which each import of a dataclass executes some.
    """


@contextlib.contextmanager
def stopped_at_once(resumes: bool) -> Iterator[None]:
    """End the process when a signal arrives, while it imports: there is nothing to clean up.

    A KeyboardInterrupt would be taken for another error by some modules that are imported.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        _say(resumes)
        os._exit(128 + number)

    with _handled(stop):
        yield


@contextlib.contextmanager
def stopped_in_words(resumes: Callable[[], bool]) -> Iterator[None]:
    """End the process with 130 after Ctrl-C and with 143 after SIGTERM, and a sentence.

    Both raise `Stopped`, a KeyboardInterrupt, so that what is under way is cleaned up.

    Parameters
    ----------
    resumes
        Says whether the same command goes on where this one was stopped.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise Stopped

    with _handled(interrupt):
        try:
            yield
        except BaseException as err:
            # A library may have made another error of it.
            if not received and not isinstance(err, KeyboardInterrupt):
                raise
            _say(resumes())
            sys.exit(128 + (received or [signal.SIGINT])[0])


def _say(resumes: bool) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(f"\nstopped{_RESUMES if resumes else ''}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _handled(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    # Python sets handlers in the main thread alone.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [(number, signal.signal(number, handler)) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, earlier in before:
            signal.signal(number, earlier)
