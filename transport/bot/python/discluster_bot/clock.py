"""Deadlines that hold while the machine is suspended or its clock is set."""

from __future__ import annotations

import asyncio
import time
from typing import Callable, NamedTuple, Optional

# A timer stops while the machine is suspended, so a deadline that must be kept is compared with
# the clocks this often, in seconds.
CHECK_EVERY = 1.0


class Moment(NamedTuple):
    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> Moment:
        return cls(time.monotonic(), time.time())

    def after(self, seconds: float) -> Moment:
        return Moment(self.monotonic + seconds, self.wall + seconds)

    def left(self) -> float:
        """Returns the seconds until then: the fewer of two clocks, one of which stops while the
        machine is suspended, and the other may be set back."""
        now = Moment.now()
        return min(self.monotonic - now.monotonic, self.wall - now.wall)


def uptime_ms() -> int:
    """Returns the milliseconds since the machine's boot, the same for CONTROL; 0 where that is
    unknown."""
    boot: Optional[int] = getattr(time, "CLOCK_BOOTTIME", None)
    return 0 if boot is None else int(time.clock_gettime(boot) * 1000)


class Alarm:
    """Calls a function once a moment is over."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then
        self._timer: Optional[asyncio.Handle] = None

    def set(self, until: Moment) -> None:
        self.stop()
        loop, left = asyncio.get_running_loop(), until.left()
        if left > 0:
            self._timer = loop.call_later(min(left, CHECK_EVERY), self.set, until)
        else:
            self._timer = loop.call_soon(self._then)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
