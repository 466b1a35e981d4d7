"""The socket that CONTROL connects to, and its connections."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
import struct
from typing import Any, Callable, List, Optional, Protocol

from . import wire
from .clock import Moment
from .errors import BusyError

OFFERED_MAX = 4 << 20  # bytes that may wait for CONTROL to read before more are refused


class Reader(Protocol):
    """Takes what comes on links."""

    def frame(self, link: Link, frame: bytes) -> None:
        ...

    def ended(self, link: Link, why: str) -> None:
        ...


class Link(asyncio.Protocol):
    """One connection to our socket."""

    def __init__(self, reader: Reader, log: logging.Logger) -> None:
        self._reader = reader
        self._log = log
        self._framer = wire.Framer()
        self._transport: Optional[asyncio.Transport] = None
        self._turn: List[bytes] = []  # frames that are sent at the end of this turn of the loop
        self._turn_bytes = 0
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._why = "closed by CONTROL"

        # of the connection that CONTROL uses
        self.hellos = 0
        self.features: List[str] = []  # that CONTROL announced in the last HELLO
        self.every = 5.0  # seconds between heartbeats
        self.beat: Optional[asyncio.TimerHandle] = None
        self.due = 0.0  # of the next heartbeat
        self.asked = ""  # the event of the last heartbeat
        self.asked_at = Moment.now()
        self.heard = self.asked_at  # when the last answered heartbeat was sent, or HELLO came
        self.unanswered = 0
        self.connected = False  # CONNECTED was sent on it
        self.lapsed = False  # the last answer had it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=OFFERED_MAX)
        if not _same_user(transport.get_extra_info("socket")):
            self._why = "the peer is another user's"
            transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._framer.feed(data):
                self._reader.frame(self, frame)
        except wire.FrameError as why:
            self._log.error("connection ended: %s", why)
            self.close(str(why))

    def connection_lost(self, why: Optional[Exception]) -> None:
        if self.beat is not None:
            self.beat.cancel()
        self.closed.set_result(None)
        self._reader.ended(self, str(why) if why is not None else self._why)

    def send(self, op: int, t: Optional[str], d: Any) -> None:
        """Sends a packet. A connection that has ended reports that by itself."""
        self.write(wire.encode(op, t, d))

    def offer(self, frame: bytes) -> None:
        """Sends a frame, unless CONTROL reads too slowly: then it is a BusyError."""
        assert self._transport is not None
        waiting = self._transport.get_write_buffer_size() + self._turn_bytes
        if waiting > 0 and waiting + len(frame) > OFFERED_MAX:
            raise BusyError(
                f"{waiting} bytes wait for CONTROL to read them: want at most {OFFERED_MAX} "
                f"with the {len(frame)} of this frame"
            )
        self.write(frame)

    def write(self, frame: bytes) -> None:
        """Sends a frame together with the others of this turn of the loop: a system call costs more
        than a small frame."""
        if not self._turn:
            asyncio.get_running_loop().call_soon(self._flush)
        self._turn.append(frame)
        self._turn_bytes += len(frame)

    def _flush(self) -> None:
        frames, self._turn, self._turn_bytes = self._turn, [], 0
        if frames and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(frames))

    def close(self, why: str) -> None:
        """Ends the connection once what was sent is written."""
        self._why = why
        if self.beat is not None:
            self.beat.cancel()
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _same_user(connection: Any) -> bool:
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, size))
    return bool(uid == os.geteuid())


async def listen(path: str, accept: Callable[[], Link]) -> asyncio.AbstractServer:
    """Listens at path, for this user alone. A socket without a listener is replaced; one with a
    listener, or anything else there, is an OSError."""
    _remove_stale(path)
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        own.bind(path)
        os.chmod(path, 0o600)  # before it listens: nobody else gets in between
        return await asyncio.get_running_loop().create_unix_server(accept, sock=own)
    except BaseException:
        own.close()
        raise


def _remove_stale(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(f"{path} exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.remove(path)
            return
    raise OSError(f"{path}: another process listens there")
