"""Signals as something to wait for, beside everything else that a selector waits for."""

import selectors
import signal
import socket
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Self

_Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


class Signals:
    """While entered, the numbers of some signals arrive in a selector. For the main thread."""

    def __init__(self, numbers: Sequence[signal.Signals], selector: selectors.BaseSelector) -> None:
        self._numbers = numbers
        self._selector = selector
        self._receiver, self._sender = socket.socketpair()
        self._handlers: dict[signal.Signals, _Handler] = {}
        self._wakeup_fd = -1

    def __enter__(self) -> Self:
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._selector.register(self._receiver, selectors.EVENT_READ, self)
        self._wakeup_fd = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        for number in self._numbers:
            # Python writes a signal's number to the descriptor only where there is a handler.
            self._handlers[number] = signal.signal(number, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_fd)
        self._selector.unregister(self._receiver)
        self._receiver.close()
        self._sender.close()

    def take(self) -> bytes:
        """The numbers of the signals that came, one a byte, in their order."""
        try:
            return self._receiver.recv(4_096)
        except BlockingIOError:
            return b""
