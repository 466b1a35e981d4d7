"""CONTROL, as this process sees it: HELLO, heartbeats, its death and its return (PROTOCOL A3, B2).

             HELLO                          DRAIN, DESTROYING, SIGTERM
    joining ───────▶ serving ─────────────────────────────────────────────▶ stopping
                      │   ▲                                                    ▲
                 lost ▼   │ HELLO on a new connection                          │
                     serving alone: no IDENTIFY ───────────────────────────────┘
                                         on_lost "exit": lost_after_ms, or the lease ran out
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Optional, Set

from . import wire
from .clock import Alarm, Moment
from .environment import Environment
from .errors import AwayError, LostError, StoppingError
from .link import Link
from .wire import Data

if TYPE_CHECKING:
    from .cluster import Cluster

BEATS_LOST = 2  # heartbeats without an answer, after which CONTROL is lost


class Control:
    def __init__(self, owner: Cluster, environment: Environment, log: logging.Logger) -> None:
        self._owner = owner
        self._env = environment
        self._log = log
        self._links: Set[Link] = set()
        self._alone = Alarm(self._alone_too_long)
        self._leased = Alarm(self._lease_over)
        self._lease: Optional[Moment] = None
        self._on_lost = ""
        self._lost_after = 0.0
        self._over = False
        self.link: Optional[Link] = None  # that CONTROL uses; None: CONTROL is away

    def accept(self) -> Link:
        link = Link(self, self._log)
        self._links.add(link)
        return link

    def frame(self, link: Link, frame: bytes) -> None:
        """Handles one packet. On a connection without HELLO, or that another one has replaced, only
        HELLO counts."""
        if self._over:
            return
        try:
            packet = wire.decode(frame)
            if packet.op == wire.HELLO:
                self._hello(link, wire.fields(packet))
            elif link is self.link:
                self._packet(link, packet)
        except wire.FrameError as why:
            self._log.warning("unreadable packet from CONTROL: %s", why)

    def _packet(self, link: Link, packet: wire.Packet) -> None:
        if packet.op == wire.HEARTBEAT:
            self._beaten(link, wire.fields(packet))
        else:
            self._owner.packet(packet)

    def _hello(self, link: Link, d: Data) -> None:
        """Handles a HELLO: the first one assigns our shards, one on another connection brings
        CONTROL back, and each is answered."""
        if wire.text(d, "id") != self._env.manager:
            self._log.warning("HELLO with another manager's id: %s", d["id"])
            link.send(wire.INVALID_SESSION, None, {"id": self._env.instance})
            return
        event = wire.text(d, "event_id")
        interval = wire.whole(d, "heartbeat_interval", default=0)
        lost_after, lease = wire.whole(d, "lost_after_ms", default=0), wire.whole(
            d, "lease_ms", default=0
        )
        features = wire.listed(d, "features", str, default=[])
        self._owner.hello(d)
        link.hellos += 1
        link.heard, link.features = Moment.now(), features
        link.every = interval / 1000 or 5.0
        if isinstance(d.get("on_lost"), str):
            self._on_lost, self._lost_after = d["on_lost"], lost_after / 1000
        if lease > 0:
            self._extend(link.heard.after(lease / 1000))
        if link is self.link:
            link.send(wire.IDENTIFY, None, self._owner.identify(event))
        else:
            self._adopted(link, event)
        # To a bot that announced sessions a CONTROL with the feature sends a second HELLO.
        wanted = self._owner.announced("sessions") and "sessions" in features
        if not wanted or "sessions" in d or link.hellos > 1:
            self._owner.begin(d.get("sessions"))

    def _adopted(self, link: Link, event: str) -> None:
        """Makes link the connection of CONTROL. It may be another CONTROL than before: it gets the
        whole state, and all open requests again."""
        if self.link is not None:
            self.link.close("CONTROL uses another connection")
        self.link = link
        self._alone.stop()
        loop = asyncio.get_running_loop()
        link.due = loop.time() + link.every
        link.beat = loop.call_at(link.due, self._beat, link)
        link.send(wire.IDENTIFY, None, self._owner.identify(event))
        self._owner.adopted()

    def _beat(self, link: Link) -> None:
        """Sends one heartbeat, or ends a connection on which they are not answered."""
        if link is not self.link or self._over:
            return
        loop = asyncio.get_running_loop()
        if loop.time() - link.due > link.every:  # this process was suspended, not CONTROL
            link.unanswered = 0
        if link.unanswered == BEATS_LOST:
            why = f"{BEATS_LOST} heartbeats not answered"
            link.abort()
            self._lost(link, link.heard, why)
            return
        link.unanswered += 1
        link.asked, link.asked_at = self._owner.event(), Moment.now()
        link.send(wire.HEARTBEAT, None, {"id": self._env.instance, "event_id": link.asked})
        link.due = loop.time() + link.every
        link.beat = loop.call_at(link.due, self._beat, link)

    def _beaten(self, link: Link, d: Data) -> None:
        event, lease = wire.text(d, "event_id"), wire.whole(d, "lease_ms", default=0)
        link.unanswered = 0
        link.lapsed = d.get("lapsed") is True
        if event == link.asked:
            link.heard = link.asked_at
            if lease > 0:  # from when it was sent: CONTROL cannot have meant a later moment
                self._extend(link.asked_at.after(lease / 1000))

    def ended(self, link: Link, why: str) -> None:
        self._links.discard(link)
        self._owner.link_ended(link)
        if link is self.link and not self._over:
            self._lost(link, Moment.now(), why)

    def _lost(self, link: Link, since: Moment, why: str) -> None:
        """Starts a time without CONTROL, which was last known alive at since: MASTER counts from
        CONTROL's silence, not from when it was noticed."""
        self.link = None
        self._owner.link_ended(link)
        self._log.warning("CONTROL is away, serving alone: %s", why)
        if self._on_lost == "exit":
            self._alone.set(since.after(self._lost_after))

    def _alone_too_long(self) -> None:
        self._owner.lost(LostError(f"CONTROL is lost for {self._lost_after:g} s"))

    def _extend(self, until: Moment) -> None:
        """Lets the cluster serve until then. A lease is only ever prolonged."""
        if self._lease is None or until.monotonic > self._lease.monotonic:
            self._lease = until
            self._leased.set(until)

    def _lease_over(self) -> None:
        self._owner.lost(LostError("CONTROL is lost: the lease ran out"))

    def send(self, op: int, t: Optional[str], d: Any) -> None:
        """Sends a packet, if CONTROL is there."""
        if self.link is not None and not self._over:
            self.link.send(op, t, d)

    def offer(self, frame: bytes) -> Link:
        """Sends a frame, or raises why it cannot be sent."""
        if self._over:
            raise StoppingError("the cluster is stopping: nothing is sent any more")
        if self.link is None:
            raise AwayError("CONTROL is away: nothing can be sent to other clusters")
        self.link.offer(frame)
        return self.link

    def end(self) -> None:
        """Closes all connections once their last packets are written."""
        self._over = True
        self._alone.stop()
        self._leased.stop()
        for link in list(self._links):
            link.close("the cluster ends")

    async def closed(self, seconds: float) -> None:
        """Waits until CONTROL has what was written, or for these seconds."""
        if self._links:
            await asyncio.wait({link.closed for link in self._links}, timeout=seconds)
