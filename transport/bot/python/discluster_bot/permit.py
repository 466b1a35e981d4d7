"""Permits: leave to identify (PROTOCOL B2)."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Dict, Optional

from . import wire
from .clock import uptime_ms
from .errors import StoppingError
from .link import Link
from .wire import DISPATCH, Data

if TYPE_CHECKING:
    from .cluster import Cluster

RETRY_MIN = 0.1  # the least seconds before a postponed permit is requested again
CAUSES = ("start", "crash", "reidentify", "operator")


class _Request:
    """One request that CONTROL has not answered."""

    def __init__(self, shard: int, packet: Data) -> None:
        self.shard = shard
        self.packet = packet
        # None: its requester is gone, and the shard's next one takes its place in the queue
        self.answer: Optional[asyncio.Future[Permit]] = None


class Permit:
    """Leave for one IDENTIFY. Call exactly one of sent and unused: an unreported permit blocks its
    bucket until it is overdue."""

    def __init__(self, permits: Permits, link: Link, d: Data) -> None:
        self._permits = permits
        self._link = link
        self._event = wire.text(d, "event_id")
        self._shard = wire.whole(d, "shard_id")
        self._granted = d.get("granted") is True
        self._reason = str(d.get("reason", ""))
        self._retry_after = wire.whole(d, "retry_after_ms", default=0) / 1000
        within = wire.whole(d, "use_within_ms", default=0)
        self._until = time.monotonic() + within / 1000 if within > 0 else 0.0
        self._before = wire.whole(d, "use_before", default=0)
        self._before_up = wire.whole(d, "use_before_up", default=0)
        self._reported = False

    @property
    def overdue(self) -> bool:
        """Whether the permit must not be used any more: its time is over, the CONTROL that granted
        it is gone, or the cluster is stopping. Look right before the IDENTIFY is written; an
        overdue permit is unused, and requested again."""
        return (
            not self._permits.usable(self._link)
            or 0 < self._until <= time.monotonic()
            or 0 < self._before <= time.time() * 1000
            or 0 < self._before_up <= uptime_ms()
        )

    def sent(self) -> None:
        """Reports that the IDENTIFY was written. Call it right after that."""
        self._report(True)

    def unused(self) -> None:
        """Reports that no IDENTIFY was written, so that the next shard may."""
        self._report(False)

    def _report(self, sent: bool) -> None:
        if not self._reported:
            self._reported = True
            self._permits.report({"event_id": self._event, "shard_id": self._shard, "sent": sent})


class Permits:
    def __init__(self, owner: Cluster, log: logging.Logger) -> None:
        self._owner = owner
        self._log = log
        self._requests: Dict[str, _Request] = {}
        self._unreported: Dict[int, Data] = {}  # by shard, what CONTROL has not received

    async def get(self, shard: int, cause: str) -> Permit:
        if cause not in CAUSES:
            raise ValueError(f"cause {cause!r}: want one of {', '.join(CAUSES)}")
        while True:
            permit = await self._ask(shard, cause)
            if permit._granted:
                return permit
            wait = max(RETRY_MIN, permit._retry_after)
            self._log.info("permit of shard %d postponed for %g s: %s", shard, wait, permit._reason)
            await self._owner.pause(wait)

    async def _ask(self, shard: int, cause: str) -> Permit:
        if self._owner.stopping:
            raise StoppingError(f"permit for shard {shard}: the cluster is stopping")
        for request in self._requests.values():
            if request.shard == shard and request.answer is None:
                break
        else:
            event = self._owner.event()
            request = _Request(shard, {"event_id": event, "shard_id": shard, "cause": cause})
            self._requests[event] = request
            self._owner.send(DISPATCH, "PERMIT", request.packet)
        answer: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()
        request.answer = answer
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.cancelled():
                request.answer = None
            elif answer.exception() is None and answer.result()._granted:  # it came in between
                answer.result().unused()
            raise

    def granted(self, link: Link, d: Data) -> None:
        """Handles CONTROL's answer. A grant whose requester is gone is returned at once."""
        permit = Permit(self, link, d)
        request = self._requests.pop(permit._event, None)
        if request is not None and request.answer is not None and not request.answer.done():
            request.answer.set_result(permit)
        elif permit._granted:
            permit.unused()

    def usable(self, link: Link) -> bool:
        return not self._owner.stopping and self._owner.control.link is link

    def report(self, d: Data) -> None:
        """Reports the use of a permit. A CONTROL that returns gets the report of an IDENTIFY that it
        missed."""
        if self._owner.control.link is not None:
            self._owner.send(DISPATCH, "PERMIT", d)
        elif d["sent"]:
            self._unreported[d["shard_id"]] = d

    def adopted(self) -> None:
        for shard in sorted(self._unreported):
            self._owner.send(DISPATCH, "PERMIT", self._unreported[shard])
        self._unreported.clear()
        for event in sorted(self._requests):
            self._owner.send(DISPATCH, "PERMIT", self._requests[event].packet)

    def stop(self) -> None:
        for request in self._requests.values():
            if request.answer is not None and not request.answer.done():
                why = f"permit for shard {request.shard}: the cluster is stopping"
                request.answer.set_exception(StoppingError(why))
        self._requests.clear()
