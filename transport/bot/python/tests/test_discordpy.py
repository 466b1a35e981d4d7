"""The mixin for discord.py, with a client that has the same hooks. discord.py itself is tested with
the example, by test/e2e/sdk_python_long_test.go."""

from __future__ import annotations

import asyncio
from typing import Any, List, Optional
from unittest import mock

import discluster_bot as discluster
from discluster_bot import discordpy
from tests.control import INSTANCE, PATIENCE, Case


class LoginFailure(Exception):
    pass


class ConnectionClosed(Exception):
    code = 4013


class Guild:
    def __init__(self, shard_id: int) -> None:
        self.shard_id = shard_id


class Socket:
    def __init__(self) -> None:
        self.closed: List[int] = []

    async def close(self, code: int) -> None:
        self.closed.append(code)


class Client:
    """What the mixin needs of discord.AutoShardedClient."""

    latencies = [(2, 0.0411), (3, float("inf"))]
    guilds = [Guild(2), Guild(2)]

    def __init__(self, *, shard_ids: List[int], shard_count: int, intents: int) -> None:
        self.shard_ids, self.shard_count, self.intents = shard_ids, shard_count, intents
        self.dispatched: List[Any] = []
        self.sockets = {2: Socket()}
        self.closed = asyncio.Event()
        self.token = ""
        self.failure: Optional[Exception] = None

    def dispatch(self, event: str, /, *args: Any) -> None:
        self.dispatched.append((event, *args))

    async def start(self, token: str, *, reconnect: bool = True) -> None:
        self.token = token
        if self.failure is not None:
            raise self.failure
        await self.closed.wait()

    async def close(self) -> None:
        self.closed.set()

    def get_shard(self, id: int) -> Optional[Socket]:
        return self.sockets.get(id)

    def _get_websocket(self, *, shard_id: int) -> Socket:
        return self.sockets[shard_id]


class Bot(discordpy.Clustered, Client):
    pass


class Mixin(Case):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        await self.joined(permits=True)
        self.bot = Bot(cluster=self.cluster, intents=5)

    async def hook(self) -> Any:
        """Starts the hook for shard 2, and returns the request for a permit."""

        async def identify() -> None:  # as discord.py does
            await self.bot.before_identify_hook(2, initial=True)
            self.order.append("identify")

        self.order: List[str] = []
        self.waiting = asyncio.ensure_future(identify())
        self.assertEqual((await self.control.d("SHARD"))["state"], "waiting_permit")
        return await self.control.d("PERMIT")

    async def test_takes_the_shards_of_the_cluster(self) -> None:
        self.assertEqual(
            (self.bot.shard_ids, self.bot.shard_count, self.bot.intents), ([2, 3], 4, 5)
        )

    async def test_permit_is_reported_after_the_identify(self) -> None:
        ask = await self.hook()
        self.assertEqual((ask["shard_id"], ask["cause"]), (2, "start"))
        self.control.send(0, "PERMIT", {**ask, "granted": True, "use_within_ms": 60_000})
        report = discluster.Permit.sent

        def sent(permit: discluster.Permit) -> None:
            self.order.append("report")
            report(permit)

        with mock.patch.object(discluster.Permit, "sent", sent):
            await self.waiting
            self.assertEqual((await self.control.d("SHARD"))["state"], "identifying")
            used = await self.control.d("PERMIT")
        self.assertEqual((used["event_id"], used["sent"]), (ask["event_id"], True))
        self.assertEqual(self.order, ["identify", "report"])
        self.assertEqual(await self.again(), "reidentify")

    async def again(self) -> str:
        cause: str = (await self.hook())["cause"]
        self.waiting.cancel()
        return cause

    async def test_overdue_permit_is_requested_again(self) -> None:
        ask = await self.hook()
        self.control.send(0, "PERMIT", {**ask, "granted": True, "use_before": 1})
        self.assertFalse((await self.control.d("PERMIT"))["sent"])
        ask = await self.control.d("PERMIT")
        self.control.send(0, "PERMIT", {**ask, "granted": True})
        await self.waiting

    async def test_connection_that_waits_too_long_is_opened_again(self) -> None:
        with mock.patch("discluster_bot.discordpy.PERMIT_WITHIN", 0.01):
            ask = await self.hook()
            with self.assertRaises(asyncio.TimeoutError):
                await self.waiting
        waiting = asyncio.ensure_future(self.bot.before_identify_hook(2))
        await asyncio.sleep(0)
        self.control.send(0, "PERMIT", {**ask, "granted": True})  # the same request
        await waiting

    async def test_states(self) -> None:
        for event, state in (
            ("shard_connect", "ready"),
            ("shard_disconnect", "disconnected"),
            ("shard_resumed", "ready"),
        ):
            self.bot.dispatch(event, 2)
            self.assertEqual(await self.control.d("SHARD"), {"shard_id": 2, "state": state})
        self.bot.dispatch("shard_connect", 3)
        await self.control.d("SHARD")
        await self.control.d("CONNECTED")
        for other in (("connect",), ("shard_ready", 2), ("message", "shard_connect")):
            self.bot.dispatch(*other)
            self.assertEqual(self.bot.dispatched[-1], other)

    async def test_figures(self) -> None:
        with mock.patch("discluster_bot.discordpy.FIGURES_EVERY", 0.0), mock.patch(
            "discluster_bot.shard.FIGURES_EVERY", 0.01
        ):
            running = asyncio.ensure_future(self.bot.start())
            figures = {"latency_ms": 42, "guilds": 2}
            self.assertEqual(
                await self.control.d("SHARD"), {"shard_id": 2, "state": "idle", **figures}
            )
            self.assertEqual(
                await self.control.d("SHARD"), {"shard_id": 3, "state": "idle", "guilds": 0}
            )
            await self.bot.close()
            await running
        self.assertEqual(self.bot.token, "the-token")

    async def test_failures(self) -> None:
        for failure, code in ((LoginFailure("bad"), 4004), (ConnectionClosed("x"), 4013)):
            self.bot.failure = failure
            with self.assertRaises(type(failure)):
                await self.bot.start()
            d = (await self.control.next())["d"]
            self.assertEqual((d["event_id"], d["error"]["code"]), (INSTANCE, code))
            await self.control.end()
            await self.joined(permits=True)
            self.bot = Bot(cluster=self.cluster, intents=5)

    async def test_drain(self) -> None:
        running = asyncio.ensure_future(self.bot.start())
        await asyncio.sleep(0)
        self.control.send(0, "DRAIN", {"event_id": "8", "deadline_ms": 1000})
        await asyncio.wait_for(running, PATIENCE)
        self.assertEqual((await self.control.d("DRAIN"))["event_id"], "8")

    async def test_drain_while_a_shard_waits_for_its_permit(self) -> None:
        async def start(bot: Client, token: str) -> None:
            await bot.before_identify_hook(2)  # type: ignore[attr-defined]

        with mock.patch.object(Client, "start", start):
            running = asyncio.ensure_future(self.bot.start())
            while (await self.control.next()).get("t") != "PERMIT":
                pass
            self.control.send(0, "DRAIN", {"event_id": "8", "deadline_ms": 1000})
            self.assertIsNone(await asyncio.wait_for(running, PATIENCE))

    async def test_cancelled_from_outside(self) -> None:
        running = asyncio.ensure_future(self.bot.start())
        await asyncio.sleep(0)
        running.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await running

    async def test_reconnect(self) -> None:
        self.control.send(0, "RECONNECT", {"event_id": "1", "shard_id": 3})  # not connected so far
        self.control.send(0, "RECONNECT", {"event_id": "1", "shard_id": 2})
        while not self.bot.sockets[2].closed:
            await asyncio.sleep(0)
        self.assertEqual(self.bot.sockets[2].closed, [4000])

    async def test_without_permits(self) -> None:
        await self.cluster.close()
        await self.control.end()
        await self.joined()
        with self.assertRaisesRegex(ValueError, r"join\(permits=False\): want True"):
            Bot(cluster=self.cluster, intents=5)
