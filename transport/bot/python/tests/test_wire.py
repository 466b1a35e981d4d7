"""The frames of real peers, and those that this package writes and reads, byte for byte.

They are in transport/ipc/testdata and transport/ipc/PROTOCOL.md.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import unittest
from pathlib import Path
from typing import Any, Iterator, List, NamedTuple
from unittest import mock

import discluster_bot as discluster
from discluster_bot import snowflake, wire
from tests.control import Case

IPC = Path(__file__).resolve().parents[3] / "ipc"


class Recorded(NamedTuple):
    where: str
    from_manager: bool
    raw: bytes


def recordings(pattern: str) -> Iterator[Recorded]:
    for path in sorted((IPC / "testdata").glob(pattern)):
        for number, line in enumerate(path.read_text().split("\n"), 1):
            of = json.loads(line) if line else {}
            if "raw" in of:
                yield Recorded(f"{path.name}:{number}", of.get("dir") != "I>M", of["raw"].encode())


def traced() -> List[bytes]:
    """Returns the frames of the system calls, with their separators."""
    lines = (IPC / "testdata" / "official-strace.txt").read_text().strip().split("\n")
    quoted = (
        line[line.index('"') : line.rindex('"') + 1]
        for line in lines
        if not line.startswith("connect(")
    )
    return [json.loads(text).encode() for text in quoted]


def documented() -> List[bytes]:
    """Returns the whole frames of PROTOCOL.md."""
    lines = (IPC / "PROTOCOL.md").read_text().split("\n")
    frames = [
        line[4:]
        for line in lines
        if line[4:].startswith('{"type":') and not line.endswith(",…}}}\\f")
    ]
    return [frame[: -len("\\f")].encode() + b"\f" for frame in frames]


class Frames(unittest.TestCase):
    def test_every_frame_comes_back_as_it_was(self) -> None:
        frames = [r.raw + b"\f" for r in recordings("*.[jl]*")] + traced() + documented()
        self.assertGreater(len(frames), 130)
        for frame in frames:
            packet = wire.decode(frame[:-1])
            self.assertEqual(wire.encode(*packet), frame)

    def test_however_the_bytes_arrive(self) -> None:
        frames = [r.raw for r in recordings("sdk.wire.jsonl")]
        stream = b"\f" + b"\f".join(frames) + b"\f\f"
        for size in (1, 2, 3, 7, 100, 1000, len(stream)):
            framer = wire.Framer()
            chunks = (stream[at : at + size] for at in range(0, len(stream), size))
            got = list(itertools.chain.from_iterable(framer.feed(chunk) for chunk in chunks))
            self.assertEqual(got, frames, size)

    def test_limit(self) -> None:
        most = b"x" * wire.MAX_FRAME
        self.assertEqual(list(wire.Framer().feed(most + b"\f")), [most])
        framer = wire.Framer()
        self.assertEqual(list(framer.feed(most)), [])
        self.assertEqual(list(framer.feed(b"\f")), [most])
        for chunks in ([most + b"x"], [most, b"x"], [most, b"x\f"], [b"a\f" + most + b"x\f"]):
            framer, got = wire.Framer(), []
            with self.assertRaisesRegex(wire.FrameError, "a frame of more than 8388608 bytes"):
                for chunk in chunks:
                    got.extend(framer.feed(chunk))
            self.assertEqual(got, [b"a"] if len(chunks[0]) > len(most) + 2 else [])

    def test_snowflakes(self) -> None:
        """The table of PROTOCOL A5."""
        rows = [
            line.strip("| ").split(" | ") for line in (IPC / "PROTOCOL.md").read_text().split("\n")
        ]
        table = [
            [int(cell) for cell in row]
            for row in rows
            if len(row) == 5 and all(c.isdigit() for c in row)
        ]
        self.assertEqual(len(table), 7)
        for shard, worker, ms, increment, want in table:
            self.assertEqual(snowflake.snowflake(ms, worker, shard, increment), str(want))
        mint = snowflake.Mint(7)
        self.assertEqual(len({mint.new(1) for _ in range(1000)}), 1000)
        self.assertTrue(all(snowflake.is_snowflake(t) for t in ("0", str((1 << 128) - 1))))
        self.assertFalse(
            any(snowflake.is_snowflake(t) for t in ("", "-1", "x", "1.0", "٣", str(1 << 128)))
        )


class Conversation(Case):
    """testdata/sdk.wire.jsonl: what CONTROL writes is passed on, and what a cluster writes is compared."""

    def golden(self) -> Any:
        return next(self._lines)

    def write(self) -> None:
        line = self.golden()
        assert line.from_manager, line.where
        self.control.frame(line.raw)

    async def read(self) -> None:
        line = self.golden()
        assert not line.from_manager, line.where
        self.assertEqual(await self.control.raw(), line.raw, line.where)

    async def test_conversation(self) -> None:
        lines = list(recordings("sdk.wire.jsonl"))
        self._lines = iter(lines)
        events = (f"e{n}" for n in itertools.count(1))
        for name, value in (
            ("discluster_bot.cluster.Cluster.event", lambda cluster: next(events)),
            ("time.time", lambda: 1700000000.0),
            ("discluster_bot.permit.RETRY_MIN", 0.0),
        ):
            patch = mock.patch(name, value)
            patch.start()
            self.addCleanup(patch.stop)

        joining = asyncio.ensure_future(discluster.join(permits=True, sessions=True, intents=513))
        self.control = await self.connect()
        self.write()
        identify, want = await self.control.next(), wire.decode(self.golden().raw)
        own = {"sdk": "discluster-python/0.1.0", "pid": os.getpid(), "sessions": []}
        self.assertEqual((identify["op"], identify["d"]), (want.op, {**want.d, **own}))
        self.write()  # with the session of shard 2
        cluster = await joining
        self.addAsyncCleanup(cluster.close)
        await self.control.next()  # the second HELLO's IDENTIFY

        link = cluster.control.link
        assert link is not None
        cluster.control._beat(link)
        await self.read()
        self.write()
        asking = asyncio.ensure_future(cluster.shard(3).permit())
        await self.read()
        self.assertTrue(cluster.lapsed)
        self.write()  # refused
        await self.read()
        self.write()
        (await asking).sent()
        await self.read()
        cluster.shard(2).state("disconnected", 4000)
        cluster.shard(2).state("ready")
        cluster.shard(3).state("ready")
        for _ in range(4):
            await self.read()
        ready = {"user_id": "813847887657123840", "application_id": "813847887657123841"}
        cluster.shard(3).set_session(
            "a7", 1, "wss://gateway-us-east1-c.discord.gg", guilds=["41771983423143938"], **ready
        )
        await self.read()
        cluster.shard(3).session_gone()
        await self.read()
        reconnects: List[int] = []
        cluster.shard(2).on_reconnect(lambda: reconnects.append(2))
        self.write()

        got: List[Any] = []

        @cluster.handle("gilden «é»")
        def guilds(request: discluster.Request) -> Any:
            got.append(request)
            return ["14386345434600144177235209336163139585", None, 1.5, "\u2028 \f"]

        data = {"least": 5, "id": "41771983423143937"}
        ask = asyncio.ensure_future(cluster.ask(discluster.all(), "gilden «é»", data, timeout=2.5))
        await self.read()
        self.write()
        await self.read()
        self.write()
        value = ["14386345434600144177235209336163139585", None, 1.5, "\u2028 \f"]
        self.assertEqual(
            await ask, ([(1, value)], [(0, "it died, and is about to be started again", None)])
        )
        self.assertEqual(got, [("gilden «é»", data, 1)])
        self.assertEqual(reconnects, [2])
        ask = asyncio.ensure_future(cluster.ask(discluster.shards(9), "owner"))
        await self.read()
        self.write()
        none = "there is none: the fleet has 4 shards, 2 a cluster"
        self.assertEqual(await ask, ([], [(4, none, 9)]))
        self.write()
        await self.read()

        undelivered: List[Any] = []
        messages: List[Any] = []
        cluster.on_undelivered(undelivered.append)
        cluster.on_message(messages.append)
        self.assertEqual(cluster.tell(discluster.all(), {"hi": ["🚀"]}), "e6")
        await self.read()
        self.write()
        self.write()
        self.write()
        await self.read()
        await self.control.end()
        self.assertEqual(undelivered, [("e6", [(0, "it is starting", None)])])
        self.assertEqual(messages, [({"hi": ["🚀"]}, 0)])
        self.assertEqual(list(self._lines), [])


class Discordoo(Case):
    """What the official manager wrote to its own bots, and those to it, with this package in their place."""

    async def test_traced_conversation(self) -> None:
        hello, identify, connected, destroying, echo = traced()
        joining = asyncio.ensure_future(discluster.join())
        control = await self.connect()
        control.write(hello)
        d = (await control.next())["d"]
        self.assertEqual({key: d[key] for key in ("id", "event_id")}, wire.decode(identify[:-1]).d)
        cluster = await joining
        cluster.ready()
        self.assertEqual(await control.raw() + b"\f", connected)
        control.write(destroying)
        self.assertEqual(await control.raw() + b"\f", echo)
        await control.end()

    async def test_recorded_operations(self) -> None:
        """Each is answered as upstream answers a failed one, or needs no answer; messages arrive."""
        await self.joined()
        messages: List[Any] = []
        want = []
        self.cluster.on_message(lambda m: messages.append(m.data))
        for recorded in recordings("official-2x2-ops.wire.jsonl"):
            packet = wire.decode(recorded.raw)
            if not recorded.from_manager or packet.op == wire.HELLO or packet.t == "DESTROYING":
                continue
            self.control.frame(recorded.raw)
            d = packet.d
            if packet.t == "MESSAGE":
                want.append(d["message"])
            elif packet.op == wire.CACHE_OPERATE and "op" in d:
                self.assertEqual(
                    (await self.control.next())["d"], {"event_id": d["event_id"], "success": False}
                )
            elif "script" in d or packet.t == "GUILD_MEMBERS_REQUEST" and "members" not in d:
                answer = await self.control.next()
                self.assertEqual(
                    (answer["op"], answer["t"], answer["d"]["event_id"]),
                    (4, packet.t, d["event_id"]),
                )
        self.control.hello()  # a probe, after all of it
        self.assertEqual((await self.control.next())["op"], 1)
        await asyncio.sleep(0)
        self.assertGreater(len(want), 0)
        self.assertEqual(messages, want)
