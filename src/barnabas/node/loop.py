"""A thread that waits: sockets, timers, and calls handed over by other threads.

The network threads, that of the coordinators among them, and the control thread each run one Loop. Owns waiting and ordering; doesn't own what is called.
Everything but `call`, `hand`, `stop` and `join` belongs to the loop's own thread.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
_LONGEST_WAIT_S = 86_400.0  # epoll takes no more than 2^31 ms; a timer may be due in 2^63
_SWEEP_AT = 256  # cancelled timers are swept out once they outnumber half of this many


class _This(threading.local):
    """This thread's loop, while it runs one."""

    loop: Loop | None = None


_this = _This()


class Timer:
    """A call to come. Cancelled ones stay in the heap until they are due or swept."""

    __slots__ = ("args", "due", "fn", "loop", "order")

    def __init__(self, loop: Loop, due: float, order: int, fn: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.loop = loop
        self.due = due
        self.order = order
        self.fn: Callable[..., object] | None = fn
        self.args = args

    def cancel(self) -> None:
        """Never call it. On the loop's own thread only; a second time does nothing."""
        if self.fn is not None:
            self.fn = None
            self.args = ()
            self.loop.cancelled += 1

    def __lt__(self, other: Timer) -> bool:
        return (self.due, self.order) < (other.due, other.order)


class Loop:
    """One thread's event loop. `on_error(exception)` is told of a call that raised; without it the process ends (an invariant broke).

    `gathers`: what it hands to other loops while it does what one wake-up brought is handed over together, see `hand`.
    """

    _wake = -1  # until there is a descriptor for it

    def __init__(self, name: str, on_error: Callable[[BaseException], object] | None = None, *, gathers: bool = False) -> None:
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.name = name
        self.on_error = on_error
        self.gathers = gathers
        self.cancelled = 0
        self._epoll = select.epoll()
        self._epoll.register(self._wake, READ)
        self._inbox: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._handlers: dict[int, Callable[[int], object]] = {}
        self._timers: list[Timer] = []
        self._order = 0
        self._asleep = False
        self._running = True
        self._to_wake: dict[Loop, None] = {}
        self._thread = threading.Thread(target=self.run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End `run` after the calls handed over so far."""
        self.call(self._end)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread's end: whether it came."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def call(self, fn: Callable[..., object], *args: Any) -> None:
        """Run `fn(*args)` on this loop, in the order of calls. From any thread."""
        self._inbox.append((fn, args))
        if self._asleep:
            self._asleep = False  # one caller's waking is enough
            os.eventfd_write(self._wake, 1)

    def hand(self, fn: Callable[..., object], *args: Any) -> None:
        """As `call`, but when the caller is a loop that gathers, this one sleeps on until that one has done what its wake-up brought.

        Two threads that wake each other for each little thing take turns at the interpreter's lock for each of them; for many at once they do it once.
        """
        self._inbox.append((fn, args))
        if self._asleep:
            caller = _this.loop
            if caller is not None and caller.gathers and caller is not self:
                caller._to_wake[self] = None
            else:
                self._wake_up()

    def _wake_up(self) -> None:
        if self._asleep:
            self._asleep = False
            os.eventfd_write(self._wake, 1)

    def wake_others(self) -> None:
        """Wake those who were handed something: what comes next may take long."""
        if self._to_wake:
            for loop in self._to_wake:
                loop._wake_up()
            self._to_wake.clear()

    def call_later(self, delay_ms: float, fn: Callable[..., object], *args: Any) -> Timer:
        """Run `fn(*args)` on this loop in `delay_ms`."""
        self._order += 1
        timer = Timer(self, time.monotonic() + delay_ms / 1000, self._order, fn, args)
        heappush(self._timers, timer)
        return timer

    def register(self, fd: int, events: int, handler: Callable[[int], object]) -> None:
        self._handlers[fd] = handler
        self._epoll.register(fd, events)

    def modify(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, events)

    def unregister(self, fd: int) -> None:
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def run(self) -> None:
        poll = self._epoll.poll
        handlers, timers, inbox = self._handlers, self._timers, self._inbox
        _this.loop = self
        while self._running:
            self._asleep = True
            timeout = 0.0 if inbox else min(max(0.0, timers[0].due - time.monotonic()), _LONGEST_WAIT_S) if timers else None
            handler = fn = args = None  # what was done is let go of: requests may be large, and the wait long
            events = poll(timeout)
            self._asleep = False
            for fd, mask in events:
                handler = handlers.get(fd)
                if handler is not None:
                    try:  # as `_guard` does, without its call: this is the hot one
                        handler(mask)
                    except Exception as error:
                        self.on_handler_error(error)
                elif fd == self._wake:
                    os.eventfd_read(fd)
            if inbox:
                for _ in range(len(inbox)):
                    fn, args = inbox.popleft()
                    self._guard(fn, args)
            if timers and (timers[0].due <= time.monotonic() or self.cancelled > _SWEEP_AT):
                self._fire_timers()
            self._guard(self.settle, ())
            if self._to_wake:
                self.wake_others()
        self._epoll.close()

    def __del__(self) -> None:
        if self._wake >= 0:
            os.close(self._wake)  # not at the end of `run`: who found it asleep may be about to write

    def settle(self) -> None:
        """Called when everything that one wake-up brought has been done; for subclasses that collect work."""

    def _guard(self, fn: Callable[..., object], args: tuple[Any, ...]) -> None:
        try:
            fn(*args)
        except Exception as error:
            self._failed(error)

    def on_handler_error(self, error: Exception) -> None:
        """What `register` was given raised."""
        self._failed(error)

    def _failed(self, error: Exception) -> None:
        if self.on_error is None:
            raise error
        self.on_error(error)

    def _fire_timers(self) -> None:
        timers = self._timers
        now = time.monotonic()
        while timers and timers[0].due <= now:
            timer = heappop(timers)
            fn, args = timer.fn, timer.args
            if fn is None:
                self.cancelled -= 1
                continue
            timer.fn = None
            self._guard(fn, args)
        if self.cancelled > _SWEEP_AT and self.cancelled * 2 > len(timers):
            timers[:] = [timer for timer in timers if timer.fn is not None]
            heapify(timers)
            self.cancelled = 0

    def _end(self) -> None:
        self._running = False
