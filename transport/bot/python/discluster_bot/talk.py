"""Requests and messages between clusters (PROTOCOL A4, B2)."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Dict, List, NamedTuple, Optional, Set

from . import wire
from .errors import (
    AwayError,
    BusyError,
    DisclusterError,
    NoAnswerError,
    RefusedError,
    text_of,
)
from .link import Link
from .targets import Targets
from .wire import DISPATCH, ERROR, Data, FrameError

if TYPE_CHECKING:
    from .cluster import Cluster

ASK_FOR = 10.0  # seconds, where ask has no timeout
ASK_MAX = 300.0  # CONTROL waits no longer
ASK_SLACK = 2.0  # that CONTROL's own answer may take beyond the request's deadline
OPEN_MAX = 1024  # requests of ours without an answer, those of others, and messages that wait
OWN_NAMES = "discluster."  # the prefix of this package's own handlers
STATS = OWN_NAMES + "stats"
CANCELLED = "its handler was cancelled"
MANAGER = 1111111111  # CONTROL itself, as a sender (PROTOCOL A1)


class Request(NamedTuple):
    """A request of another cluster."""

    name: str
    data: Any
    sender: int  # its cluster; 1111111111: CONTROL


class Message(NamedTuple):
    """A message of another cluster."""

    data: Any
    sender: int


class Result(NamedTuple):
    """What the handler of one cluster returned."""

    cluster: int
    value: Any


class TargetError(NamedTuple):
    """Why one target gave no result, or did not get a message."""

    cluster: int
    error: str
    shard: Optional[int] = None  # where its cluster is unknown


class Answers(NamedTuple):
    """The answers to a request: one entry for each target, in one of the lists."""

    results: List[Result]
    errors: List[TargetError]


class Undelivered(NamedTuple):
    """A message that did not reach every addressee."""

    event: str  # as tell returned it
    errors: List[TargetError]


Handler = Callable[[Request], Any]
MessageHandler = Callable[[Message], Any]
UndeliveredHandler = Callable[[Undelivered], Any]


class _Open(NamedTuple):
    """A request of this cluster that is not answered."""

    link: Link
    answer: "asyncio.Future[wire.Packet]"


class Talk:
    def __init__(self, owner: Cluster, log: logging.Logger) -> None:
        self._owner = owner
        self._log = log
        self._open: Dict[str, _Open] = {}
        self._handlers: Dict[str, Handler] = {}
        self._handling: Set[asyncio.Future[Any]] = set()
        self._on_message: List[MessageHandler] = []
        self._on_undelivered: List[UndeliveredHandler] = []
        self._inbox: asyncio.Queue[Message] = asyncio.Queue(OPEN_MAX)
        self._reading = False
        self._dropped = 0

    # What this cluster sends.

    async def ask(self, to: Targets, name: str, data: Any, timeout: float) -> Answers:
        if not 0 < timeout <= ASK_MAX:
            raise ValueError(
                f"timeout {timeout!r} of ask {name!r}: want more than 0 and at most {ASK_MAX:g} seconds"
            )
        if not isinstance(name, str) or not name:
            raise ValueError(f"name {name!r} of ask: want the name of a handler")
        if len(self._open) >= OPEN_MAX:
            raise BusyError(
                f"ask {name!r}: {len(self._open)} requests are open: want fewer than {OPEN_MAX}"
            )
        event = self._owner.event()
        d = {"event_id": event, "name": name, "data": data}
        self._address(d, to)
        d["timeout_ms"] = max(int(timeout * 1000), 1)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[wire.Packet] = loop.create_future()
        self._open[event] = _Open(self._offer(f"ask {name!r}", d), answer)

        def late() -> None:
            if not answer.done():
                why = f"ask {name!r}: CONTROL did not answer within {timeout + ASK_SLACK:g} s"
                answer.set_exception(NoAnswerError(why))

        timer = loop.call_later(timeout + ASK_SLACK, late)
        try:
            packet = await answer
        finally:
            timer.cancel()
            self._open.pop(event, None)
        try:
            return _answers(packet, name)
        except FrameError as why:
            raise DisclusterError(f"ask {name!r}: unreadable answer of CONTROL: {why}") from None

    def tell(self, to: Targets, message: Any) -> str:
        event = self._owner.event()
        d = {"event_id": event, "message": message}
        self._address(d, to)
        self._offer("tell", d)
        return event

    def _address(self, d: Data, to: Targets) -> None:
        if not isinstance(to, Targets):
            raise ValueError(f"targets {to!r:.60}: want all(), clusters(…), shards(…) or guild(…)")
        field, ids = to.address(self._owner.count, self._owner.shard_count)
        d[field] = ids
        d["from"] = self._owner.id

    def _offer(self, what: str, d: Data) -> Link:
        t = "MESSAGE" if "message" in d else "REQUEST"
        try:
            return self._owner.control.offer(wire.encode(DISPATCH, t, d))
        except FrameError as why:
            raise ValueError(f"{what}: {why}") from None

    # What others send.

    def handle(self, name: str, handler: Handler) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"handler {name!r}: want a name")
        if name.startswith(OWN_NAMES):
            raise ValueError(f"handler {name!r}: names that begin with {OWN_NAMES!r} are reserved")
        self._handlers[name] = handler

    def on_message(self, handler: MessageHandler) -> None:
        self._on_message.append(handler)
        if not self._reading:
            self._reading = True
            self._owner.spawn(self._read(), "the messages of other clusters")

    def on_undelivered(self, handler: UndeliveredHandler) -> None:
        self._on_undelivered.append(handler)

    def packet(self, packet: wire.Packet) -> bool:
        """Handles a packet, and reports whether it was one of requests or messages."""
        if packet.op == DISPATCH and packet.t == "MESSAGE":
            self._received(wire.fields(packet))
        elif packet.op in (DISPATCH, ERROR) and packet.t == "REQUEST":
            d = wire.fields(packet)
            if packet.op == DISPATCH and "name" in d:
                self._asked(d)
            else:
                self._answered(packet, d)
        elif packet.op == ERROR and packet.t == "MESSAGE":
            self._undelivered(wire.fields(packet))
        else:
            return False
        return True

    def _answered(self, packet: wire.Packet, d: Data) -> None:
        request = self._open.get(wire.text(d, "event_id"))
        if request is not None and not request.answer.done():
            request.answer.set_result(packet)

    def lose(self, link: Link) -> None:
        """Ends the requests that were sent on a connection: no answer comes."""
        for request in self._open.values():
            if request.link is link and not request.answer.done():
                request.answer.set_exception(AwayError("CONTROL went away before it answered"))

    def _asked(self, d: Data) -> None:
        event, name = wire.text(d, "event_id"), wire.text(d, "name")
        request = Request(name, d.get("data"), wire.whole(d, "from", default=MANAGER))
        within = wire.whole(d, "timeout_ms", default=0) / 1000 or ASK_FOR
        handler = self._handlers.get(name)
        if name == STATS:
            handler = self._stats
        if handler is None:
            self._fail(event, f"no handler has the name {json.dumps(name)}")
            return
        if len(self._handling) >= OPEN_MAX:
            self._fail(event, f"{len(self._handling)} requests are being handled already")
            return
        try:
            value = handler(request)
        except asyncio.CancelledError:
            self._fail(event, CANCELLED)
            return
        except Exception as why:
            self._raised(event, name, why)
            return
        if not inspect.isawaitable(value):
            self._answer(event, name, value)
            return
        task = self._owner.spawn(self._finish(event, name, value, within), f"request {name!r}")
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)

    async def _finish(self, event: str, name: str, value: Awaitable[Any], within: float) -> None:
        try:
            result = await asyncio.wait_for(value, within)
        except asyncio.TimeoutError:
            self._fail(event, f"its handler took longer than {within:g} s")
        except asyncio.CancelledError:
            if not self._owner.stopping:
                self._fail(event, CANCELLED)
            raise
        except Exception as why:
            self._raised(event, name, why)
        else:
            self._answer(event, name, result)

    def _answer(self, event: str, name: str, value: Any) -> None:
        try:
            # None is null, which encode leaves out at the top of a packet alone
            self._owner.control.offer(
                wire.encode(DISPATCH, "REQUEST", {"event_id": event, "result": value})
            )
        except FrameError as why:
            self._fail(event, f"its answer cannot be sent: {why}")
        except DisclusterError as why:
            self._log.warning("answer to request %r is lost: %s", name, why)

    def _raised(self, event: str, name: str, why: Exception) -> None:
        self._log.warning("handler of %r failed", name, exc_info=why)
        self._fail(event, f"{type(why).__name__}: {text_of(why)}")

    def _fail(self, event: str, why: str) -> None:
        result = {"name": "Error", "message": self._owner.without_token(why)}
        try:
            self._owner.control.offer(
                wire.encode(ERROR, "REQUEST", {"event_id": event, "result": result})
            )
        except (DisclusterError, FrameError) as lost:
            self._log.warning("answer to another cluster is lost: %s", lost)

    def _stats(self, request: Request) -> List[Data]:
        return self._owner.statuses()

    def _received(self, d: Data) -> None:
        if not self._reading:
            return
        try:
            self._inbox.put_nowait(
                Message(d.get("message"), wire.whole(d, "from", default=MANAGER))
            )
        except asyncio.QueueFull:
            self._dropped += 1
            if self._dropped == 1:
                self._log.warning(
                    "messages of other clusters are dropped: %d wait for their handler", OPEN_MAX
                )
            return
        if self._dropped > 0:
            self._log.warning("%d messages of other clusters were dropped", self._dropped)
            self._dropped = 0

    async def _read(self) -> None:
        """Passes messages to their handlers, one after another."""
        while True:
            message = await self._inbox.get()
            for handler in self._on_message:
                try:
                    result = handler(message)
                    if inspect.isawaitable(result):
                        await result
                except Exception:
                    self._log.exception("handler of messages failed")

    def _undelivered(self, d: Data) -> None:
        errors = _errors(d)
        if not errors:  # it was refused as a whole
            errors = [TargetError(MANAGER, _refusal(d))]
        undelivered = Undelivered(wire.text(d, "event_id"), errors)
        if not self._on_undelivered:
            self._log.warning(
                "message did not reach %d clusters: cluster %d: %s", len(errors), *errors[0][:2]
            )
        for handler in self._on_undelivered:
            self._owner.call(handler, undelivered)

    def under_way(self) -> Set[asyncio.Future[Any]]:
        """Returns the requests of others that are being handled."""
        return set(self._handling)


def _answers(packet: wire.Packet, name: str) -> Answers:
    d = wire.fields(packet)
    if packet.op == ERROR:
        raise RefusedError(f"ask {name!r}: CONTROL refused: {_refusal(d)}")
    results = d.get("result")
    clusters = wire.listed(d, "clusters", int)
    if not isinstance(results, list) or len(results) != len(clusters):
        raise FrameError(f"result is no list of {len(clusters)}, as clusters is")
    answers = [Result(cluster, value) for cluster, value in zip(clusters, results)]
    return Answers(sorted(answers, key=lambda answer: answer.cluster), _errors(d))


def _errors(d: Data) -> List[TargetError]:
    errors = []
    for one in wire.listed(d, "errors", dict, default=[]):
        shard = wire.whole(one, "shard") if "shard" in one else None
        errors.append(TargetError(wire.whole(one, "cluster"), wire.text(one, "error"), shard))
    return errors


def _refusal(d: Data) -> str:
    result = d.get("result")
    return str(result.get("message", "")) if isinstance(result, dict) else ""
