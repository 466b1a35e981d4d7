"""This process as a member of the fleet, and how it joins and leaves it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import signal
import sys
from typing import (
    Any,
    Awaitable,
    Callable,
    List,
    NamedTuple,
    Optional,
    Set,
    TypeVar,
    Union,
    overload,
)

from . import environment, targets, wire
from .control import Control
from .errors import DisclusterError, LostError, StoppingError
from .link import Link, listen
from .permit import Permits
from .shard import Shard, Shards
from .snowflake import Mint
from .talk import (
    ASK_FOR,
    STATS,
    Answers,
    Handler,
    MessageHandler,
    Talk,
    UndeliveredHandler,
)
from .targets import Targets
from .wire import CACHE_OPERATE, DISPATCH, ERROR, IDENTIFY, Data, FrameError

VERSION = "0.1.0"

HELLO_WITHIN = 30.0  # seconds that join waits for the first HELLO (PROTOCOL A3)
GRACE = 5.0  # seconds for handlers at a SIGTERM or DESTROYING, which have no deadline
SHORT_GRACE = 1.0  # the same when CONTROL is lost: another machine is about to take the shards
CLOSING = 2.0  # seconds after which a program that was stopped and runs on is ended

_log = logging.getLogger("discluster_bot")
_F = TypeVar("_F", bound=Callable[..., Any])


class Stop(NamedTuple):
    """How the bot must end."""

    within: float  # seconds that handlers may work
    final: bool  # close the shards with 1000, which ends their sessions; else with 4000


DrainHandler = Callable[[Stop], Any]


async def join(
    *,
    permits: bool = False,
    sessions: bool = False,
    intents: int = 0,
    grace: float = GRACE,
) -> Cluster:
    """Listens for CONTROL and returns after its HELLO, when the shards are known.

    permits announces that this bot asks for a permit before each IDENTIFY, and reports the states
    of its shards. sessions announces that it can resume the sessions of an earlier process: it then
    calls Shard.set_session, and starts each shard by a RESUME of Shard.session where there is one.
    intents are those of its identifies: sessions with others are not offered. grace is the time in
    seconds for handlers after a SIGTERM, which has no deadline.

    A process that CONTROL did not start gets a StandaloneError; a mistake in the environment, an
    occupied socket, or no HELLO within 30 s is a DisclusterError."""
    if sessions and not permits:
        raise ValueError("join(permits=False): want True, as sessions is")
    if not 0 <= grace <= 300:
        raise ValueError(f"join(grace={grace!r}): want 0 to 300 seconds")
    cluster = Cluster(environment.read(os.environ), permits, sessions, intents, grace)
    try:
        await cluster._join()
    except OSError as why:
        raise DisclusterError(f"cannot listen at DISCLUSTER_SOCKET: {why}") from None
    return cluster


class Cluster:
    """This process as a member of the fleet; join makes it. Use it in the loop that joined."""

    def __init__(
        self,
        env: environment.Environment,
        permits: bool,
        sessions: bool,
        intents: int,
        grace: float,
    ) -> None:
        self._env = env
        self._features = ["heartbeat", "drain"]
        if permits:
            self._features += ["permits", "shards"]
        if sessions:
            self._features.append("sessions")
        self.intents = intents
        self._grace = grace
        self._mint = Mint(os.getpid())
        self._loop = asyncio.get_running_loop()
        self._hello: Optional[Data] = None  # the first one
        self._shard_ids: List[int] = []
        self._shard_count = 0
        self._joined: asyncio.Future[None] = self._loop.create_future()
        self._begun: asyncio.Future[None] = self._loop.create_future()
        self._server: Optional[asyncio.AbstractServer] = None
        self._tasks: Set[asyncio.Future[Any]] = set()
        self._ready = False  # the bot reported so
        self._on_drain: List[DrainHandler] = []
        self._on_close: List[DrainHandler] = []
        self._stop: Optional[Stop] = None
        self._stopping = asyncio.Event()
        self._why: Optional[LostError] = None
        self._answers: List[Callable[[], None]] = []  # to the orders to stop, sent when it is done
        self._stopped: asyncio.Future[None] = self._loop.create_future()
        self._signal = False
        self._left = False
        self.control = Control(self, env, _log)
        self.permits = Permits(self, _log)
        self._shards = Shards(self, _log)
        self._talk = Talk(self, _log)

    # Who am I.

    @property
    def id(self) -> int:
        """The cluster's number in the fleet."""
        return self._env.cluster

    @property
    def count(self) -> int:
        """The number of clusters in the fleet."""
        return self._env.clusters

    @property
    def shards(self) -> List[int]:
        """The ids of this cluster's shards; they never change."""
        return list(self._shard_ids)

    @property
    def shard_count(self) -> int:
        """The number of shards in the fleet."""
        return self._shard_count

    @property
    def max_concurrency(self) -> int:
        """The number of shards of the fleet that may identify per 5 s. Permits keep to it."""
        return self._env.max_concurrency

    @property
    def token(self) -> str:
        """The bot's token, from DISCORD_TOKEN or from HELLO; empty without either."""
        return self._env.token or str((self._hello or {}).get("token", ""))

    @property
    def connected(self) -> bool:
        """Whether CONTROL is there."""
        return self.control.link is not None

    @property
    def lapsed(self) -> bool:
        """Whether another machine may serve our shards now, because CONTROL, or its MASTER, is away.
        Resume a shard at most once a minute then."""
        return self.control.link is None or self.control.link.lapsed

    @property
    def stopping(self) -> bool:
        """Whether the cluster was ordered to stop."""
        return self._stop is not None

    def shard(self, id: int) -> Shard:
        """Returns a shard of this cluster, for the hooks: permits, states, sessions."""
        if not self.announced("permits"):
            raise ValueError(f"shard {id!r}: want join(permits=True) to use it")
        try:
            return self._shards.by_id[id]
        except KeyError:
            raise ValueError(
                f"shard {id!r}: want one of this cluster's: {self._shard_ids}"
            ) from None

    def shard_of(self, guild_id: Union[int, str]) -> int:
        """Returns the shard of a guild."""
        return targets.shard_of(targets.guild_id(guild_id), self._shard_count)

    # Others.

    async def ask(
        self, to: Targets, name: str, data: Any = None, *, timeout: float = ASK_FOR
    ) -> Answers:
        """Calls the handler with this name in clusters, and waits for all of them, timeout seconds
        at most. A cluster that is dead or slow costs its own answer only. A request that CONTROL
        did not answer at all is an AwayError, a NoAnswerError, a RefusedError or a BusyError; a
        wrong argument, or data that is not JSON, is a ValueError."""
        return await self._talk.ask(to, name, data, timeout)

    def tell(self, to: Targets, message: Any) -> str:
        """Sends a message to clusters, one way, and returns its id. on_undelivered gets the clusters
        that it did not reach. A message that cannot be sent is an AwayError, a BusyError, or a
        ValueError for one that is too large or not JSON."""
        return self._talk.tell(to, message)

    async def stats(self, *, timeout: float = ASK_FOR) -> Answers:
        """Asks every cluster for the state of its shards, as they are reported to CONTROL: a list of
        shard_id, state, and latency_ms, guilds and events where they are known."""
        return await self._talk.ask(targets.all(), STATS, None, timeout)

    @overload
    def handle(self, name: str) -> Callable[[_F], _F]:
        ...

    @overload
    def handle(self, name: str, handler: Handler) -> Handler:
        ...

    def handle(self, name: str, handler: Any = None) -> Any:
        """Answers the requests of this name that other clusters send by ask, with what the handler
        returns, as JSON. The requester gets an exception as the error of this cluster. A handler
        may be a coroutine function. Also a decorator: @cluster.handle("guilds")."""
        if handler is None:
            return lambda given: self.handle(name, given)
        self._talk.handle(name, handler)
        return handler

    def on_message(self, handler: MessageHandler) -> MessageHandler:
        """Handles the messages that other clusters send by tell, one after another. Messages that
        come while 1,024 wait are dropped, and logged. Also a decorator."""
        self._talk.on_message(handler)
        return handler

    def on_undelivered(self, handler: UndeliveredHandler) -> UndeliveredHandler:
        """Handles messages of this cluster that did not reach every addressee. Without it they are
        logged. Also a decorator."""
        self._talk.on_undelivered(handler)
        return handler

    # How it starts and ends.

    def ready(self) -> None:
        """Reports that every shard is READY. A bot with permits reports the states of its shards
        instead, and behind a gateway host neither is needed."""
        self._ready = True
        if not self.announced("shards"):
            for shard in self._shards.by_id.values():
                shard.status["state"] = "ready"
        self.report_connected()

    def on_drain(self, handler: DrainHandler) -> DrainHandler:
        """Ends the bot's work when CONTROL stops it, when a SIGTERM comes, or when CONTROL is lost:
        save what must be kept. Also a decorator.

        After all of them, and the requests that are being handled, come those of on_close; then
        CONTROL gets its answer, and stopped returns. A program that does not end by itself within
        2 s is ended by SystemExit."""
        self._on_drain.append(handler)
        return handler

    def on_close(self, handler: DrainHandler) -> DrainHandler:
        """Closes the bot's shards, once the handlers of on_drain are done: with 1000 if the stop is
        final, else with 4000. The mixin for discord.py does that. Also a decorator."""
        self._on_close.append(handler)
        return handler

    async def stopped(self) -> None:
        """Waits until the cluster was stopped. It is a LostError if CONTROL was away too long."""
        await asyncio.shield(self._stopped)
        if self._why is not None:
            raise self._why

    def fail(self, why: BaseException, close_code: int = 0) -> None:
        """Reports to CONTROL that this bot cannot start, and why, and leaves the fleet; the process
        should then exit with 1. After a fatal close code of the gateway (4004 for a token that REST
        refused) CONTROL does not restart it."""
        error: Data = {
            "name": type(why).__name__,
            "message": self.without_token(str(why) or repr(why)),
        }
        if close_code:
            error["code"] = close_code
        self.send(ERROR, None, {"event_id": self._env.instance, "error": error})
        if self._stop is None:
            self._leave()
            self._stopped.set_result(None)

    async def close(self) -> None:
        """Leaves the fleet as at a SIGTERM, and returns when that is done."""
        self._halt(Stop(self._grace, False))
        await asyncio.shield(self._stopped)

    # What follows is for the other modules of this package.

    async def _join(self) -> None:
        self._server = await listen(self._env.socket, self.control.accept)
        why = f"no HELLO from CONTROL within {HELLO_WITHIN:g} s of listening at {self._env.socket}"

        def late() -> None:
            if not self._joined.done():
                self._joined.set_exception(DisclusterError(why))

        timer = self._loop.call_later(HELLO_WITHIN, late)
        # CONTROL may ask right after HELLO: the caller's handlers are there by then, as nothing
        # comes between these futures and its next await.
        try:
            await self._joined
            timer.cancel()
            self._catch_signal()
            await self._begun
        except BaseException:
            timer.cancel()
            self._leave()
            raise

    def hello(self, d: Data) -> None:
        """Takes the shards of the first HELLO."""
        shards, total = wire.listed(d, "shards", int), wire.whole(d, "total_shards", 1)
        if not shards or min(shards) < 0 or max(shards) >= total:
            raise FrameError(f"shards {shards!r:.60}: want some of 0 to {total - 1}")
        if self._hello is None:
            self._hello, self._shard_ids, self._shard_count = d, shards, total
            self._shards.assign(shards, total)
            if not self._joined.done():
                self._joined.set_result(None)

    def begin(self, offered: Any) -> None:
        """Lets the shards start, with the sessions offered. Only its first call has an effect."""
        if self._begun.done():
            return
        if self.announced("sessions") and isinstance(offered, list):
            for session in offered:
                self._shards.offer(session)
        self._begun.set_result(None)

    def identify(self, event: str) -> Data:
        state = "serving" if self._begun.done() else "idle"
        d: Data = {
            "id": self._env.instance,
            "event_id": event,
            "protocol": 1,
            "features": self._features,
            "sdk": f"discluster-python/{VERSION}",
            "pid": os.getpid(),
            "state": "draining" if self.stopping else state,
            "shards": self._shard_ids,
            "shard_count": self._shard_count,
        }
        if self.intents:
            d["intents"] = self.intents
        if self.announced("sessions"):
            d["sessions"] = self._shards.sessions()
        return d

    def adopted(self) -> None:
        if self._begun.done():
            self._shards.adopted()
        self.report_connected()
        self.permits.adopted()

    def report_connected(self) -> None:
        """Reports that every shard was ready: once to each CONTROL, since one that adopts us cannot
        know (PROTOCOL A3)."""
        link = self.control.link
        if (self._ready or self._shards.ready) and link is not None and not link.connected:
            link.connected = True
            self.send(DISPATCH, "CONNECTED", {"event_id": self._env.instance})

    def packet(self, packet: wire.Packet) -> None:
        """Handles a packet of CONTROL that is neither HELLO nor a heartbeat."""
        if self._talk.packet(packet) or packet.op not in (DISPATCH, CACHE_OPERATE):
            return
        if packet.op == CACHE_OPERATE or packet.t in ("BROADCAST_EVAL", "GUILD_MEMBERS_REQUEST"):
            self._refuse(packet, wire.fields(packet))
        elif packet.t == "PERMIT":
            assert self.control.link is not None
            self.permits.granted(self.control.link, wire.fields(packet))
        elif packet.t == "RECONNECT":
            self._shards.order_reconnect(wire.whole(wire.fields(packet), "shard_id"))
        elif packet.t == "DRAIN":
            d = wire.fields(packet)
            event, within = wire.text(d, "event_id"), wire.whole(d, "deadline_ms") / 1000
            self._answers.append(lambda: self._drained(event))
            self._halt(Stop(within, False))
        elif packet.t == "DESTROYING":
            event = wire.text(wire.fields(packet), "event_id")
            self._answers.append(lambda: self.send(DISPATCH, "DESTROYING", {"event_id": event}))
            self._halt(Stop(self._grace, True))

    def _drained(self, event: str) -> None:
        self.send(DISPATCH, "DRAIN", {"event_id": event, "sessions": self._shards.sessions()})

    def _refuse(self, packet: wire.Packet, d: Data) -> None:
        """Answers a request for an eval, a cache operation or members as upstream answers a failed
        one (PROTOCOL A4): this bot runs no scripts, keeps no cache and lists no members."""
        event = d.get("event_id")
        if not isinstance(event, str):
            return
        if packet.op == CACHE_OPERATE:
            if "op" in d:  # else it is an answer
                self.send(CACHE_OPERATE, None, {"event_id": event, "success": False})
            return
        why = "this cluster runs no scripts" if "script" in d else "this cluster lists no members"
        if "script" in d or packet.t == "GUILD_MEMBERS_REQUEST" and "members" not in d:
            result = {"name": "Error", "message": why}
            self.send(ERROR, packet.t, {"event_id": event, "result": result})

    def announced(self, feature: str) -> bool:
        return feature in self._features

    def event(self) -> str:
        return self._mint.new(self._env.cluster)

    def send(self, op: int, t: Optional[str], d: Data) -> None:
        self.control.send(op, t, d)

    def statuses(self) -> List[Data]:
        return self._shards.statuses()

    def without_token(self, text: str) -> str:
        """Returns a text that may be part of a library's error, without the token."""
        return text.replace(self.token, "[redacted]") if self.token else text

    def link_ended(self, link: Link) -> None:
        self._talk.lose(link)

    def spawn(self, work: Awaitable[Any], what: str) -> asyncio.Future[Any]:
        """Runs work until the cluster ends. An exception is logged."""

        def done(task: asyncio.Future[Any]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and task.exception() is not None:
                _log.error("%s failed", what, exc_info=task.exception())

        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(done)
        return task

    def call(self, handler: Callable[[Any], Any], argument: Any) -> Optional[asyncio.Future[Any]]:
        """Calls a handler of the user, and returns the rest of its work, if there is any."""
        try:
            result = handler(argument)
        except Exception:
            _log.exception("a handler failed")
            return None
        return self.spawn(result, "a handler") if inspect.isawaitable(result) else None

    async def pause(self, seconds: float) -> None:
        """Waits, at most until the cluster stops."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    def _catch_signal(self) -> None:
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return  # the program's own
        try:
            self._loop.add_signal_handler(
                signal.SIGTERM, lambda: self._halt(Stop(self._grace, False))
            )
            self._signal = True
        except (NotImplementedError, RuntimeError, ValueError):
            _log.warning("this loop cannot wait for SIGTERM: it ends the process at once")

    def lost(self, why: LostError) -> None:
        """Ends the cluster, as CONTROL was away for too long."""
        if self._stop is None:
            self._why = why
            self._halt(Stop(SHORT_GRACE, False))

    def _halt(self, stop: Stop) -> None:
        """Starts the stop, once."""
        if self._stop is not None:
            return
        self._stop = stop
        self._stopping.set()
        self.permits.stop()
        if not self._begun.done():
            self._begun.set_exception(StoppingError("the cluster was stopped before it began"))
        self._ending = self._loop.create_task(self._drain(stop))

    async def _drain(self, stop: Stop) -> None:
        work = self._talk.under_way()
        work.update(self._called(self._on_drain, stop))
        await self._within(work, stop.within)
        await self._within(self._called(self._on_close, stop), CLOSING)
        for answer in self._answers:
            answer()
        self._leave()
        await self.control.closed(CLOSING)
        self._stopped.set_result(None)
        self._loop.call_later(CLOSING, sys.exit, 1 if self._why is not None else 0)

    def _called(self, handlers: List[DrainHandler], stop: Stop) -> Set[asyncio.Future[Any]]:
        """Calls handlers and returns the work that they left."""
        work = (self.call(handler, stop) for handler in handlers)
        return {one for one in work if one is not None}

    async def _within(self, work: Set[asyncio.Future[Any]], seconds: float) -> None:
        if work:
            _, late = await asyncio.wait(work, timeout=seconds)
            if late:
                _log.warning("%d handlers have not ended within %g s", len(late), seconds)

    def _leave(self) -> None:
        """Ends the cluster: its last packets are written, the connections closed, the socket
        removed. Only the first call has an effect."""
        if self._left:
            return
        self._left = True
        if self._stop is None:
            self._stop = Stop(0, False)
            self._stopping.set()
            self.permits.stop()
        if self._signal:
            self._loop.remove_signal_handler(signal.SIGTERM)
        if self._server is not None:
            self._server.close()
            try:
                os.unlink(self._env.socket)
            except FileNotFoundError:
                pass
        self._shards.end()
        self.control.end()
        for task in self._tasks:
            task.cancel()
