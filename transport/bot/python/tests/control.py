"""A CONTROL for tests: it connects to the socket of a cluster, and reads and writes frames."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
import unittest
from typing import Any, Dict, Optional
from unittest import mock

import discluster_bot as discluster

MANAGER = "14386345434290659167418524605215670272"
INSTANCE = "14386345434600144177235209336163139585"
HELLO = {
    "id": MANAGER,
    "event_id": "1",
    "heartbeat_interval": 600_000,
    "shards": [2, 3],
    "total_shards": 4,
    "protocol": 1,
    "cluster": 1,
    "cluster_count": 2,
    "max_concurrency": 1,
    "features": ["heartbeat", "permits", "sessions", "shards", "drain"],
}
PATIENCE = 10.0


class Control:
    """One connection of CONTROL."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def write(self, raw: bytes) -> None:
        self._writer.write(raw)

    def frame(self, raw: bytes) -> None:
        self.write(raw + b"\f")

    def send(self, op: int, t: Optional[str], d: Any) -> None:
        packet: Dict[str, Any] = {"op": op, "d": d}
        if t is not None:
            packet["t"] = t
        self.frame(json.dumps({"type": "__DDOO__.MESSAGE", "data": packet}).encode())

    def hello(self, **more: Any) -> None:
        self.send(2, None, {**HELLO, **more})

    async def raw(self) -> bytes:
        """Returns the next frame, without its separator."""
        frame = await asyncio.wait_for(self._reader.readuntil(b"\f"), PATIENCE)
        return frame[:-1]

    async def next(self) -> Dict[str, Any]:
        """Returns the next packet."""
        frame = json.loads(await self.raw())
        assert frame["type"] == "__DDOO__.MESSAGE", frame
        packet: Dict[str, Any] = frame["data"]
        return packet

    async def d(self, t: str) -> Dict[str, Any]:
        """Returns d of the next packet, which must have this t."""
        packet = await self.next()
        assert packet.get("t") == t, packet
        d: Dict[str, Any] = packet["d"]
        return d

    async def end(self) -> None:
        """Waits until the cluster has closed the connection, with nothing more on it."""
        rest = await asyncio.wait_for(self._reader.read(), PATIENCE)
        assert not rest, rest

    def close(self) -> None:
        self._writer.close()


class Case(unittest.IsolatedAsyncioTestCase):
    """A test with a cluster and a CONTROL."""

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # which is far slower
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.socket = os.path.join(folder.name, "1")
        self.environ: Dict[str, str] = {
            "DISCLUSTER_SOCKET": self.socket,
            "SHARDING_MANAGER_IPC": MANAGER,
            "SHARDING_INSTANCE_IPC": INSTANCE,
            "CLUSTER_ID": "1",
            "CLUSTER_COUNT": "2",
            "MAX_CONCURRENCY": "1",
            "DISCORD_TOKEN": "the-token",
        }
        environ = mock.patch.dict(os.environ, self.environ, clear=True)
        environ.start()
        self.addCleanup(environ.stop)
        logging.getLogger("discluster_bot").addHandler(logging.NullHandler())  # not to stderr
        # A program that was stopped and runs on is ended; the tests run on.
        ended = mock.patch("discluster_bot.cluster.CLOSING", 60.0)
        ended.start()
        self.addCleanup(ended.stop)

    async def connect(self) -> Control:
        while True:
            try:
                control = Control(*await asyncio.open_unix_connection(self.socket, limit=16 << 20))
                self.addCleanup(control.close)
                return control
            except (FileNotFoundError, ConnectionRefusedError):
                await asyncio.sleep(0)  # it does not listen so far

    async def joined(self, hello: Optional[Dict[str, Any]] = None, **options: Any) -> None:
        """Joins, and answers for CONTROL: self.cluster and self.control."""
        joining = asyncio.ensure_future(discluster.join(**options))
        self.control = await self.connect()
        self.control.hello(**(hello or {}))
        self.identify = (await self.control.next())["d"]
        self.cluster = await asyncio.wait_for(joining, PATIENCE)
        self.addAsyncCleanup(self.cluster.close)

    async def nothing_more(self) -> None:
        """Expects the cluster to have sent nothing else."""
        self.control.hello()  # a probe
        packet = await self.control.next()
        self.assertEqual(packet["op"], 1, packet)
