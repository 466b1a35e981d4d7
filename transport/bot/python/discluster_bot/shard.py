"""The shards of this cluster: their states, figures and sessions (PROTOCOL B2)."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from .permit import Permit
from .wire import DISPATCH, Data

if TYPE_CHECKING:
    from .cluster import Cluster

FIGURES_EVERY = 5.0  # seconds: CONTROL may have ten thousand shards
SESSIONS_EVERY = 1.0  # the maximum age of a seq in CONTROL's store
STATES = (
    "idle",
    "waiting_permit",
    "connecting",
    "identifying",
    "resuming",
    "ready",
    "disconnected",
    "failed",
)
SESSION_TEXTS = ("session_id", "resume_gateway_url", "user_id", "application_id")
TEXT_MAX = 256  # bytes of a text that CONTROL forwards to MASTER


class Shard:
    """One gateway session of this cluster. What is reported is reported again to a CONTROL that
    returns."""

    def __init__(self, shards: Shards, id: int, count: int) -> None:
        self._shards = shards
        self.id = id
        self.count = count  # of the fleet
        self.status: Data = {"shard_id": id, "state": "idle"}
        self._figures_moved = False
        self._was_ready = False
        self._reconnect: Optional[Callable[[], Any]] = None
        self._session: Optional[Data] = None
        self._session_moved = False
        self._reported = ""  # the id of the session whose READY was reported

    async def permit(self, cause: str = "start") -> Permit:
        """Waits for leave to identify: for its turn, for CONTROL's return, for a new daily budget.

        Ask before every IDENTIFY and never before a RESUME, with the connection open, since a
        permit is valid for a few seconds only. cause is start, crash, reidentify (the session was
        refused) or operator. A request that is cancelled keeps its place for the shard's next
        one."""
        return await self._shards.owner.permits.get(self.id, cause)

    def state(self, state: str, close_code: int = 0) -> None:
        """Reports the shard's state; close_code is that of its connection, 0 where Discord gave
        none. Once each shard was ready, so is the cluster."""
        if state not in STATES:
            raise ValueError(f"state {state!r} of shard {self.id}: want one of {', '.join(STATES)}")
        if self.status["state"] == state and self.status.get("close_code", 0) == close_code:
            return
        self.status["state"] = state
        self.status.pop("close_code", None)
        if close_code:
            self.status["close_code"] = close_code
        self._figures_moved = False
        self._shards.report(self)
        if state == "ready" and not self._was_ready:
            self._was_ready = True
            self._shards.ready_once()

    def figures(
        self,
        latency: Optional[float] = None,
        guilds: Optional[int] = None,
        events: Optional[int] = None,
    ) -> None:
        """Reports the latency of the gateway in seconds, the number of guilds and that of events
        since the process started; None is unknown. They are sent every 5 s at most."""
        known: Data = {"guilds": guilds, "events": events}
        if latency is not None and math.isfinite(latency) and latency > 0:
            known["latency_ms"] = min(math.ceil(latency * 1000), 3_600_000)
        for key in ("latency_ms", "guilds", "events"):
            self.status.pop(key, None)
            if known.get(key) is not None:
                self.status[key] = known[key]
        self._figures_moved = True
        self._shards.figures_moved()

    def on_reconnect(self, then: Callable[[], Any]) -> Callable[[], Any]:
        """Has CONTROL's order carried out: close the shard's connection with 4000 and resume it."""
        self._reconnect = then
        return then

    @property
    def session(self) -> Optional[Data]:
        """What this shard can resume; None where it must identify. At first it is CONTROL's offer."""
        return None if self._session is None else dict(self._session)

    def set_session(
        self,
        session_id: str,
        seq: int,
        resume_gateway_url: str,
        *,
        user_id: str = "",
        application_id: str = "",
        guilds: Optional[List[str]] = None,
    ) -> None:
        """Reports a new session, with what its READY had, or a new seq: that of the last event whose
        handler returned. A new session is reported at once, a new seq within a second."""
        session: Data = {
            "shard": self.id,
            "shard_count": self.count,
            "session_id": session_id,
            "seq": seq,
            "resume_gateway_url": resume_gateway_url,
            "at": int(time.time() * 1000),
            "intents": self._shards.owner.intents,
            "user_id": user_id,
            "application_id": application_id,
            "guilds": guilds,
        }
        for key in SESSION_TEXTS:
            if not isinstance(session[key], str) or len(session[key].encode()) > TEXT_MAX:
                raise ValueError(
                    f"{key} {session[key]!r:.60}: want a text of at most {TEXT_MAX} bytes"
                )
        if not session_id:
            raise ValueError(f"session_id of shard {self.id} is empty: want that of READY")
        if type(seq) is not int or seq < 0:
            raise ValueError(f"seq {seq!r} of shard {self.id}: want a whole number of at least 0")
        begins = self._session is None or self._session["session_id"] != session_id
        if not begins and self._session is not None:
            for key in ("user_id", "application_id", "guilds"):
                session[key] = session[key] or self._session.get(key)
        self._session = {key: value for key, value in session.items() if value not in ("", None)}
        self._session_moved = True
        self._shards.session_moved(begins)

    def session_gone(self) -> None:
        """Reports that Discord refused the session, or that it was ended."""
        if self._session is not None:
            self._session, self._session_moved = None, False
            self._shards.report_sessions([], [self.id])


class Shards:
    """All shards of this cluster."""

    def __init__(self, owner: Cluster, log: logging.Logger) -> None:
        self.owner = owner
        self._log = log
        self.by_id: Dict[int, Shard] = {}
        self.ready = False  # each shard was ready once
        self._figures: Optional[asyncio.TimerHandle] = None
        self._moves: Optional[asyncio.TimerHandle] = None
        self._over = False

    def assign(self, ids: List[int], count: int) -> None:
        self.by_id = {id: Shard(self, id, count) for id in ids}

    def report(self, shard: Shard) -> None:
        if self.owner.announced("shards"):
            self.owner.send(DISPATCH, "SHARD", shard.status)

    def ready_once(self) -> None:
        self.ready = all(shard._was_ready for shard in self.by_id.values())
        self.owner.report_connected()

    def statuses(self) -> List[Data]:
        return [shard.status for shard in self.by_id.values()]

    def figures_moved(self) -> None:
        if self._figures is None and not self._over:
            loop = asyncio.get_running_loop()
            self._figures = loop.call_later(FIGURES_EVERY, self._report_figures)

    def _report_figures(self) -> None:
        self._figures = None
        for shard in self.by_id.values():
            if shard._figures_moved:
                shard._figures_moved = False
                self.report(shard)

    def order_reconnect(self, id: int) -> None:
        shard = self.by_id.get(id)
        if shard is None or shard._reconnect is None:
            self._log.warning("CONTROL orders shard %d to reconnect: nothing here can", id)
            return
        result = shard._reconnect()
        if inspect.isawaitable(result):
            self.owner.spawn(result, f"reconnect of shard {id}")

    def session_moved(self, begins: bool) -> None:
        if begins:
            self._report_moved()
        elif self._moves is None and not self._over:
            loop = asyncio.get_running_loop()
            self._moves = loop.call_later(SESSIONS_EVERY, self._report_moved)

    def _report_moved(self) -> None:
        """Sends every session that changed. READY's data is sent with the first report of a session
        only: a large bot's list of guilds is long, and CONTROL keeps it."""
        if self._moves is not None:
            self._moves.cancel()
            self._moves = None
        moved = []
        for shard in self.by_id.values():
            if shard._session is None or not shard._session_moved:
                continue
            shard._session_moved = False
            session = dict(shard._session)
            if shard._reported == session["session_id"]:
                for key in ("user_id", "application_id", "guilds"):
                    session.pop(key, None)
            shard._reported = session["session_id"]
            moved.append(session)
        self.report_sessions(moved, [])

    def report_sessions(self, moved: List[Data], gone: List[int]) -> None:
        if self.owner.announced("sessions") and (moved or gone):
            d: Data = {"sessions": moved} if moved else {}
            if gone:
                d["gone"] = gone
            self.owner.send(DISPATCH, "SESSIONS", d)

    def sessions(self) -> List[Data]:
        return [shard._session for shard in self.by_id.values() if shard._session is not None]

    def offer(self, session: Any) -> None:
        """Takes over a session that CONTROL offers, if a shard can resume it."""
        if not isinstance(session, dict):
            return
        shard = self.by_id.get(session.get("shard", -1))
        intents, own = session.get("intents", 0), self.owner.intents
        if (
            shard is None
            or session.get("shard_count") != shard.count
            or own
            and intents not in (0, own)
        ):
            self._log.warning("session offered does not fit: shard %s", session.get("shard"))
            return
        shard._session = session

    def adopted(self) -> None:
        """Sends a CONTROL that returned what it cannot know."""
        # The sessions themselves are in IDENTIFY.
        without = [shard.id for shard in self.by_id.values() if shard._session is None]
        self.report_sessions([], without)
        for shard in self.by_id.values():
            self.report(shard)

    def end(self) -> None:
        self._over = True
        for timer in (self._figures, self._moves):
            if timer is not None:
                timer.cancel()
