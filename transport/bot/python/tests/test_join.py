from __future__ import annotations

import asyncio
import os
import stat
from unittest import mock

import discluster_bot as discluster
from tests.control import INSTANCE, MANAGER, Case


class Join(Case):
    async def test_who_am_i(self) -> None:
        await self.joined()
        c = self.cluster
        self.assertEqual(
            (c.id, c.count, c.shards, c.shard_count, c.max_concurrency), (1, 2, [2, 3], 4, 1)
        )
        self.assertEqual(c.token, "the-token")
        self.assertEqual(c.shard_of("41771983423143937"), (41771983423143937 >> 22) % 4)
        self.assertEqual(c.shard_of(2 << 22), 2)
        own = {
            key: self.identify[key]
            for key in ("id", "event_id", "protocol", "features", "pid", "state")
        }
        self.assertEqual(
            own,
            {
                "id": INSTANCE,
                "event_id": "1",
                "protocol": 1,
                "features": ["heartbeat", "drain"],
                "pid": os.getpid(),
                "state": "idle",
            },
        )
        self.assertEqual(self.identify["sdk"], "discluster-python/" + discluster.__version__)
        self.assertEqual(stat.S_IMODE(os.stat(self.socket).st_mode), 0o600)

    async def test_hooks_are_announced_where_they_are_used(self) -> None:
        await self.joined({"sessions": []}, permits=True, sessions=True, intents=5)
        self.assertEqual(
            self.identify["features"], ["heartbeat", "drain", "permits", "shards", "sessions"]
        )
        self.assertEqual((self.identify["intents"], self.identify["sessions"]), (5, []))

    async def test_token_of_hello(self) -> None:
        del os.environ["DISCORD_TOKEN"]
        await self.joined({"token": "of-hello"})
        self.assertEqual(self.cluster.token, "of-hello")

    async def test_standalone(self) -> None:
        del os.environ["DISCLUSTER_SOCKET"]
        with self.assertRaisesRegex(
            discluster.StandaloneError, "DISCLUSTER_SOCKET is not set.*`control run"
        ):
            await discluster.join()

    async def test_every_mistake_of_the_environment_is_named(self) -> None:
        os.environ.update(
            DISCLUSTER_SOCKET="relative", CLUSTER_ID="-1", SHARDING_MANAGER_IPC="9" * 40
        )
        del os.environ["CLUSTER_COUNT"]
        os.environ["MAX_CONCURRENCY"] = "0"
        with self.assertRaises(discluster.DisclusterError) as raised:
            await discluster.join()
        for text in (
            "DISCLUSTER_SOCKET is 'relative': want an absolute path",
            "CLUSTER_ID is '-1': want a whole number of at least 0",
            "CLUSTER_COUNT is not set",
            "MAX_CONCURRENCY is '0': want a whole number of at least 1",
            "SHARDING_MANAGER_IPC is '9999",
        ):
            self.assertIn(text, str(raised.exception))

    async def test_wrong_options(self) -> None:
        with self.assertRaisesRegex(ValueError, "permits=False"):
            await discluster.join(sessions=True)
        with self.assertRaisesRegex(ValueError, "grace=-1"):
            await discluster.join(grace=-1)

    async def test_no_hello(self) -> None:
        with mock.patch("discluster_bot.cluster.HELLO_WITHIN", 0.01):
            with self.assertRaisesRegex(
                discluster.DisclusterError, "no HELLO from CONTROL within 0.01 s"
            ):
                await discluster.join()
        self.assertFalse(os.path.exists(self.socket))

    async def test_occupied_socket(self) -> None:
        await self.joined()
        with self.assertRaisesRegex(discluster.DisclusterError, "another process listens there"):
            await discluster.join()
        os.environ["DISCLUSTER_SOCKET"] = self.socket + "-file"
        with open(self.socket + "-file", "w"):
            pass
        with self.assertRaisesRegex(discluster.DisclusterError, "exists and is not a socket"):
            await discluster.join()

    async def test_stale_socket_is_replaced(self) -> None:
        await self.joined()
        os.rename(self.socket, self.socket + "-other")
        await self.cluster.close()
        os.rename(self.socket + "-other", self.socket)
        await self.joined()

    async def test_hello_of_another_manager(self) -> None:
        joining = asyncio.ensure_future(discluster.join())
        control = await self.connect()
        control.hello(id="7")
        self.assertEqual(await control.next(), {"op": 6, "d": {"id": INSTANCE}})
        control.hello(id=MANAGER)
        self.assertEqual((await control.next())["op"], 1)
        self.addAsyncCleanup((await joining).close)

    async def test_hello_with_impossible_shards(self) -> None:
        joining = asyncio.ensure_future(discluster.join())
        control = await self.connect()
        with self.assertLogs("discluster_bot", "WARNING") as log:
            for shards in ([], [4], ["2"], None, [True]):
                control.hello(shards=shards)
            control.hello()
            cluster = await joining
        self.addAsyncCleanup(cluster.close)
        self.assertEqual(len(log.output), 5)
        self.assertEqual(cluster.shards, [2, 3])
