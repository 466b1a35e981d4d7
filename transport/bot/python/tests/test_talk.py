from __future__ import annotations

import asyncio
import json
from typing import Any, Dict, List
from unittest import mock

import discluster_bot as discluster
from tests.control import Case


class Asking(Case):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        await self.joined()

    async def test_partial_results_are_results(self) -> None:
        asking = asyncio.ensure_future(
            self.cluster.ask(discluster.all(), "guilds", {"least": 5}, timeout=2.5)
        )
        d = await self.control.d("REQUEST")
        event = d.pop("event_id")
        self.assertEqual(
            d,
            {
                "name": "guilds",
                "data": {"least": 5},
                "shards": [0, 1],
                "from": 1,
                "timeout_ms": 2500,
            },
        )
        self.control.send(
            0,
            "REQUEST",
            {
                "event_id": event,
                "result": [17, None],
                "clusters": [3, 1],
                "errors": [
                    {"cluster": 0, "error": "it died"},
                    {"cluster": 9, "shard": 90, "error": "there is none"},
                ],
            },
        )
        answers = await asking
        self.assertEqual(answers.results, [(1, None), (3, 17)])
        self.assertEqual(answers.errors, [(0, "it died", None), (9, "there is none", 90)])

    async def test_targets(self) -> None:
        for to, field, ids in (
            (discluster.all(), "shards", [0, 1]),
            (discluster.clusters(1), "shards", [1]),
            (discluster.clusters(), "shards", []),
            (discluster.shards(3, 0), "shard_ids", [3, 0]),
            (discluster.guild(3 << 22), "shard_ids", [3]),
            (discluster.guild("41771983423143937"), "shard_ids", [(41771983423143937 >> 22) % 4]),
        ):
            self.cluster.tell(to, "x")
            d = await self.control.d("MESSAGE")
            self.assertEqual(d.get(field), ids, to)
            self.assertEqual(len({"shards", "shard_ids"} & set(d)), 1)

    async def test_wrong_targets(self) -> None:
        for wrong, text in (
            (lambda: discluster.clusters(-1), r"clusters\(-1\): want whole numbers"),
            (lambda: discluster.shards("1"), r"shards\('1'\): want whole numbers"),  # type: ignore[arg-type]
            (lambda: discluster.guild("x"), "guild 'x': want the id of a guild"),
            (lambda: discluster.guild(1 << 64), "want the id of a guild"),
            (lambda: self.cluster.tell([1], "x"), r"targets \[1\]: want all\(\)"),  # type: ignore[arg-type]
        ):
            with self.assertRaisesRegex(ValueError, text):
                wrong()

    async def test_refused(self) -> None:
        asking = asyncio.ensure_future(self.cluster.ask(discluster.all(), "x"))
        d = await self.control.d("REQUEST")
        self.assertEqual((d["data"], d["timeout_ms"]), (None, 10000))
        result = {"name": "Error", "message": "no"}
        self.control.send(4, "REQUEST", {"event_id": d["event_id"], "result": result})
        with self.assertRaisesRegex(discluster.RefusedError, "ask 'x': CONTROL refused: no"):
            await asking

    async def test_no_answer(self) -> None:
        with mock.patch("discluster_bot.talk.ASK_SLACK", 0.01):
            with self.assertRaisesRegex(
                discluster.NoAnswerError, "ask 'x': CONTROL did not answer within 0.02 s"
            ):
                await self.cluster.ask(discluster.all(), "x", timeout=0.01)

    async def test_unreadable_answers(self) -> None:
        for wrong in (
            {"result": [1], "clusters": [1, 2]},
            {"result": 1, "clusters": [1]},
            {"result": [1]},
            {"result": [], "clusters": [], "errors": [{"cluster": 1}]},
            {"result": [], "clusters": [], "errors": 7},
        ):
            asking = asyncio.ensure_future(self.cluster.ask(discluster.all(), "x"))
            event = (await self.control.d("REQUEST"))["event_id"]
            self.control.send(0, "REQUEST", {"event_id": event, **wrong})
            with self.assertRaisesRegex(discluster.DisclusterError, "unreadable answer"):
                await asking

    async def test_control_goes_away(self) -> None:
        asking = asyncio.ensure_future(self.cluster.ask(discluster.all(), "x"))
        await self.control.next()
        self.control.close()
        with self.assertRaisesRegex(discluster.AwayError, "went away"):
            await asking
        with self.assertRaisesRegex(discluster.AwayError, "CONTROL is away"):
            await self.cluster.ask(discluster.all(), "x")
        with self.assertRaises(discluster.AwayError):
            self.cluster.tell(discluster.all(), "x")

    async def test_limits(self) -> None:
        for wrong in (0, -1, 301, float("nan")):
            with self.assertRaisesRegex(
                ValueError, "timeout .* of ask 'x': want more than 0 and at most 300"
            ):
                await self.cluster.ask(discluster.all(), "x", timeout=wrong)
        for wrong_data in (float("nan"), {1, 2}, b"x", "x" * (8 << 20)):
            with self.assertRaisesRegex(
                ValueError, "tell: (not JSON|a frame of [0-9]+ bytes: want at most 8388608)"
            ):
                self.cluster.tell(discluster.all(), wrong_data)
        asks = [asyncio.ensure_future(self.cluster.ask(discluster.all(), "x")) for _ in range(1024)]
        await asyncio.sleep(0)
        with self.assertRaisesRegex(discluster.BusyError, "1024 requests are open"):
            await self.cluster.ask(discluster.all(), "x")
        asks[0].cancel()
        await asyncio.wait([asks[0]])
        asks.append(asyncio.ensure_future(self.cluster.ask(discluster.all(), "x")))
        await asyncio.sleep(0)
        self.assertFalse(asks[-1].done())
        self.control.close()
        await asyncio.wait(asks)
        self.assertTrue(all(isinstance(one.exception(), discluster.AwayError) for one in asks[1:]))

    async def test_control_that_does_not_read(self) -> None:
        with self.assertRaisesRegex(
            discluster.BusyError, "bytes wait for CONTROL to read them: want at most 4194304"
        ):
            for _ in range(100):
                self.cluster.tell(discluster.all(), "x" * 100_000)


class Handling(Case):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        await self.joined()

    async def request(self, name: str, data: Any = None, **more: Any) -> Any:
        self.control.send(
            0,
            "REQUEST",
            {"event_id": "7", "name": name, "data": data, "shards": [1], "from": 0, **more},
        )
        packet = await self.control.next()
        self.assertEqual((packet["t"], packet["d"]["event_id"]), ("REQUEST", "7"))
        return (
            packet["d"]["result"]
            if packet["op"] == 0
            else (packet["op"], packet["d"]["result"]["message"])
        )

    async def test_answers(self) -> None:
        self.cluster.handle("sync", lambda r: [r.name, r.data, r.sender])

        @self.cluster.handle("async")
        async def later(request: discluster.Request) -> Any:
            await asyncio.sleep(0)
            return request.data

        self.assertEqual(
            await self.request("sync", {"ä": "\u2028\f"}), ["sync", {"ä": "\u2028\f"}, 0]
        )
        self.assertEqual(
            await self.request("async", "14386345434600144177235209336163139585"),
            "14386345434600144177235209336163139585",
        )
        self.assertIsNone(await self.request("async"))
        self.assertEqual(await self.request("async", "\ud800"), "\ud800")

    async def test_errors(self) -> None:
        def breaks(request: discluster.Request) -> None:
            raise LookupError("the-token is not here")

        async def later(request: discluster.Request) -> None:
            raise LookupError("not here")

        self.cluster.handle("breaks", breaks)
        self.cluster.handle("later", later)
        self.cluster.handle("hangs", lambda r: asyncio.sleep(60))
        self.cluster.handle("odd", lambda r: {1, 2})
        self.cluster.handle("big", lambda r: "x" * (8 << 20))
        with self.assertLogs("discluster_bot", "WARNING"):
            self.assertEqual(
                await self.request("breaks"), (4, "LookupError: [redacted] is not here")
            )
            self.assertEqual(await self.request("later"), (4, "LookupError: not here"))
        self.assertEqual(await self.request("nothing"), (4, 'no handler has the name "nothing"'))
        self.assertEqual(
            await self.request("hangs", timeout_ms=10), (4, "its handler took longer than 0.01 s")
        )
        self.assertIn("its answer cannot be sent: not JSON", (await self.request("odd"))[1])
        self.assertIn("want at most 8388608", (await self.request("big"))[1])

    async def test_what_a_handler_does_costs_its_own_answer(self) -> None:
        class Odd(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no text")

        class Torn(Dict[str, int]):
            def items(self) -> Any:
                raise Odd

        def odd(request: discluster.Request) -> None:
            raise Odd

        def cancelled(request: discluster.Request) -> None:
            raise asyncio.CancelledError

        async def later(request: discluster.Request) -> None:
            raise asyncio.CancelledError

        self.cluster.handle("odd", odd)
        self.cluster.handle("torn", lambda r: Torn(a=1))
        self.cluster.handle("cancelled", cancelled)
        self.cluster.handle("later", later)
        with self.assertLogs("discluster_bot", "WARNING"):
            self.assertEqual(await self.request("odd"), (4, "Odd: it has no text"))
            self.assertEqual(
                await self.request("torn"),
                (4, "its answer cannot be sent: not JSON: it has no text"),
            )
            self.assertEqual(await self.request("cancelled"), (4, "its handler was cancelled"))
            self.assertEqual(await self.request("later"), (4, "its handler was cancelled"))

    async def test_names(self) -> None:
        with self.assertRaisesRegex(ValueError, "handler 'discluster.x': names that begin with"):
            self.cluster.handle("discluster.x", print)
        with self.assertRaisesRegex(ValueError, "handler '': want a name"):
            self.cluster.handle("", print)

    async def test_handlers_at_a_time(self) -> None:
        gate = asyncio.Event()
        self.cluster.handle("waits", lambda r: gate.wait())
        for _ in range(1024):
            self.control.send(0, "REQUEST", {"event_id": "7", "name": "waits", "from": 0})
        self.assertEqual(
            await self.request("waits"), (4, "1024 requests are being handled already")
        )
        gate.set()
        for _ in range(1024):
            self.assertEqual((await self.control.d("REQUEST"))["result"], True)

    async def test_stats(self) -> None:
        self.assertEqual(
            await self.request("discluster.stats"),
            [{"shard_id": 2, "state": "idle"}, {"shard_id": 3, "state": "idle"}],
        )
        self.cluster.ready()
        await self.control.d("CONNECTED")
        self.assertEqual(
            (await self.request("discluster.stats"))[1], {"shard_id": 3, "state": "ready"}
        )
        asking = asyncio.ensure_future(self.cluster.stats())
        self.assertEqual((await self.control.d("REQUEST"))["name"], "discluster.stats")
        asking.cancel()

    async def test_messages_come_in_order(self) -> None:
        got: List[discluster.Message] = []
        done = asyncio.Event()

        @self.cluster.on_message
        async def message(m: discluster.Message) -> None:
            await asyncio.sleep(0)
            got.append(m)
            if m.data == 0:
                raise ValueError("one that fails costs only itself")
            if m.data == 99:
                done.set()

        with self.assertLogs("discluster_bot", "ERROR"):
            for n in range(100):
                self.control.send(
                    0, "MESSAGE", {"event_id": "1", "message": n, "shards": [1], "from": 0}
                )
            await asyncio.wait_for(done.wait(), 10)
        self.assertEqual(got, [(n, 0) for n in range(100)])

    async def test_messages_that_wait(self) -> None:
        gate, got = asyncio.Event(), []

        @self.cluster.on_message
        async def message(m: discluster.Message) -> None:
            await gate.wait()
            got.append(m.data)

        self.cluster.handle("sync", lambda r: None)
        with self.assertLogs("discluster_bot", "WARNING") as log:
            for n in range(2000):
                self.control.send(0, "MESSAGE", {"message": n, "from": 0})
            await self.request("sync")
            gate.set()
            while len(got) < 1025:
                await asyncio.sleep(0)
            self.control.send(0, "MESSAGE", {"message": "last", "from": 0})
            while got[-1] != "last":
                await asyncio.sleep(0)
        self.assertIn("dropped: 1024 wait", log.output[0])
        self.assertIn("messages of other clusters were dropped", log.output[1])

    async def test_undelivered(self) -> None:
        failed = {"event_id": "9", "errors": [{"cluster": 0, "error": "it is starting"}]}
        with self.assertLogs("discluster_bot", "WARNING") as log:
            self.control.send(4, "MESSAGE", failed)
            while not log.output:
                await asyncio.sleep(0)
        self.assertIn("cluster 0: it is starting", log.output[0])
        got: List[discluster.Undelivered] = []
        self.cluster.on_undelivered(got.append)
        self.control.send(4, "MESSAGE", failed)
        self.control.send(
            4, "MESSAGE", {"event_id": "10", "result": {"name": "Error", "message": "odd"}}
        )
        while len(got) < 2:
            await asyncio.sleep(0)
        self.assertEqual(
            got, [("9", [(0, "it is starting", None)]), ("10", [(discluster.MANAGER, "odd", None)])]
        )

    async def test_what_a_python_bot_refuses(self) -> None:
        self.control.send(0, "BROADCAST_EVAL", {"event_id": "1", "script": "1"})
        packet = await self.control.next()
        self.assertEqual(
            (packet["op"], packet["t"], packet["d"]["event_id"]), (4, "BROADCAST_EVAL", "1")
        )
        self.assertEqual(packet["d"]["result"]["message"], "this cluster runs no scripts")
        self.control.send(3, None, {"event_id": "2", "op": 4})
        self.assertEqual(
            await self.control.next(), {"op": 3, "d": {"event_id": "2", "success": False}}
        )
        self.control.send(0, "GUILD_MEMBERS_REQUEST", {"event_id": "3", "guild_id": "1"})
        self.assertEqual((await self.control.next())["op"], 4)

    async def test_garbage_is_no_trouble(self) -> None:
        garbage: List[bytes] = [
            b"",
            b"null",
            b"[]",
            b"{",
            b"\xff",
            b"NaN",
            b"1" * 5000,
            b"[" * 100_000,
            b'{"type":"other","data":{}}',
        ]
        data = [
            None,
            1,
            {},
            {"op": "1"},
            {"op": 0},
            {"op": 0, "t": 1},
            {"op": 0, "t": "DRAIN"},
            {"op": 7, "d": []},
        ]
        for t in (
            "REQUEST",
            "MESSAGE",
            "PERMIT",
            "RECONNECT",
            "DRAIN",
            "DESTROYING",
            "BROADCAST_EVAL",
            "UNKNOWN",
        ):
            for d in (
                None,
                1,
                [],
                {},
                {"event_id": 1},
                {"event_id": "1", "name": 1},
                {"deadline_ms": "1", "event_id": "1"},
            ):
                data.append({"op": 0, "t": t, "d": d})
                data.append({"op": 4, "t": t, "d": d})
        garbage += [json.dumps({"type": "__DDOO__.MESSAGE", "data": one}).encode() for one in data]
        self.cluster.handle("sync", lambda r: "lives")
        with self.assertLogs("discluster_bot", "WARNING"):
            for one in garbage:
                self.control.frame(one)
            self.assertEqual(await self.request("sync"), "lives")
