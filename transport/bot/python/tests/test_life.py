from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any, Dict, List
from unittest import mock

import discluster_bot as discluster
from tests.control import INSTANCE, MANAGER, PATIENCE, Case

SESSION: Dict[str, Any] = {
    "shard": 2,
    "shard_count": 4,
    "session_id": "s2",
    "seq": 7,
    "resume_gateway_url": "wss://x",
    "at": 1,
}


class Life(Case):
    async def test_heartbeats(self) -> None:
        await self.joined({"heartbeat_interval": 20})
        for lapsed in (True, False):
            beat = await self.control.next()
            self.assertEqual((beat["op"], beat["d"]["id"]), (7, INSTANCE))
            self.control.send(
                7, None, {"id": MANAGER, "event_id": beat["d"]["event_id"], "lapsed": lapsed}
            )
            while self.cluster.lapsed != lapsed:
                await asyncio.sleep(0)
        with self.assertLogs("discluster_bot", "WARNING") as log:
            with self.assertRaises(asyncio.IncompleteReadError):
                while True:  # they are not answered
                    self.assertEqual((await self.control.next())["op"], 7)
        self.assertIn("2 heartbeats not answered", log.output[0])
        self.assertFalse(self.cluster.connected)
        self.assertTrue(self.cluster.lapsed)

    async def test_next_control_gets_the_whole_state(self) -> None:
        await self.joined({"sessions": [SESSION]}, permits=True, sessions=True)
        c = self.cluster
        self.assertEqual(c.shard(2).session, SESSION)
        self.assertIsNone(c.shard(3).session)
        for id in c.shards:
            c.shard(id).state("ready")
            self.assertEqual((await self.control.d("SHARD"))["state"], "ready")
        self.assertEqual(await self.control.d("CONNECTED"), {"event_id": INSTANCE})
        used = asyncio.ensure_future(c.shard(2).permit())
        ask = await self.control.d("PERMIT")
        self.control.send(0, "PERMIT", {**ask, "granted": True})
        permit = await used
        self.assertFalse(permit.overdue)
        first, self.control = self.control, await self.connect()
        waits = asyncio.ensure_future(c.shard(3).permit("reidentify"))
        open_ask = await first.d("PERMIT")
        first.close()
        while c.connected:
            await asyncio.sleep(0)
        permit.sent()  # while CONTROL is away
        self.assertTrue(permit.overdue)

        self.control.hello(event_id="9")
        identify = (await self.control.next())["d"]
        self.assertEqual((identify["event_id"], identify["state"]), ("9", "serving"))
        self.assertEqual(
            (identify["sessions"], identify["shards"], identify["shard_count"]),
            ([SESSION], [2, 3], 4),
        )
        self.assertEqual(await self.control.d("SESSIONS"), {"gone": [3]})
        self.assertEqual(await self.control.d("SHARD"), {"shard_id": 2, "state": "ready"})
        self.assertEqual(await self.control.d("SHARD"), {"shard_id": 3, "state": "ready"})
        self.assertEqual(await self.control.d("CONNECTED"), {"event_id": INSTANCE})
        self.assertEqual(
            await self.control.d("PERMIT"),
            {"event_id": ask["event_id"], "shard_id": 2, "sent": True},
        )
        self.assertEqual(await self.control.d("PERMIT"), open_ask)
        # Only the connection with the last HELLO counts.
        self.control.send(
            0, "PERMIT", {"event_id": open_ask["event_id"], "shard_id": 3, "granted": True}
        )
        await waits

    async def test_probe(self) -> None:
        await self.joined()
        self.cluster.ready()
        self.cluster.ready()
        await self.control.d("CONNECTED")
        self.control.hello(event_id="5")
        packet = await self.control.next()
        self.assertEqual(
            (packet["op"], packet["d"]["event_id"], packet["d"]["state"]), (1, "5", "serving")
        )

    async def test_stranger_without_hello(self) -> None:
        await self.joined()
        stranger = await self.connect()
        stranger.send(0, "DESTROYING", {"event_id": "1"})
        stranger.hello(id="3")
        self.assertEqual((await stranger.next())["op"], 6)
        self.assertFalse(self.cluster.stopping)

    async def test_frame_over_the_limit_ends_the_connection(self) -> None:
        await self.joined()
        with self.assertLogs("discluster_bot", "ERROR") as log:
            self.control.write(b"x" * ((8 << 20) + 1))
            await self.control.end()
        self.assertIn("a frame of more than 8388608 bytes", log.output[0])

    async def test_sessions_start_at_the_second_hello(self) -> None:
        joining = asyncio.ensure_future(discluster.join(permits=True, sessions=True, intents=1))
        control = await self.connect()
        control.hello()
        await control.next()
        self.assertFalse(joining.done())
        other = {**SESSION, "shard": 3, "intents": 2}
        with self.assertLogs("discluster_bot", "WARNING") as log:
            control.hello(sessions=[SESSION, other, 7, {**SESSION, "shard": 3, "shard_count": 5}])
            cluster = await joining
        self.addAsyncCleanup(cluster.close)
        self.assertEqual(len(log.output), 2)
        self.assertEqual([cluster.shard(id).session for id in cluster.shards], [SESSION, None])

    async def test_second_hello_starts_the_shards_in_any_case(self) -> None:
        joining = asyncio.ensure_future(discluster.join(permits=True, sessions=True))
        control = await self.connect()
        control.hello()
        control.hello()
        self.addAsyncCleanup((await asyncio.wait_for(joining, PATIENCE)).close)

    async def test_failure(self) -> None:
        await self.joined()
        self.cluster.fail(ValueError("the-token is refused"), 4004)
        packet = await self.control.next()
        error = {"name": "ValueError", "message": "[redacted] is refused", "code": 4004}
        self.assertEqual(packet, {"op": 4, "d": {"event_id": INSTANCE, "error": error}})
        await self.control.end()

    async def lost(self, text: str) -> None:
        stops: List[discluster.Stop] = []
        self.cluster.on_drain(stops.append)
        with self.assertRaisesRegex(discluster.LostError, text):
            await asyncio.wait_for(self.cluster.stopped(), PATIENCE)
        self.assertEqual(stops, [(1.0, False)])

    async def test_alone_too_long(self) -> None:
        await self.joined({"on_lost": "exit", "lost_after_ms": 20})
        self.control.close()
        await self.lost("CONTROL is lost for 0.02 s")

    async def test_alone_as_long_as_it_takes(self) -> None:
        await self.joined({"on_lost": "autonomous", "lost_after_ms": 1})
        self.control.close()
        while self.cluster.connected:
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)
        self.assertFalse(self.cluster.stopping)

    async def test_lease(self) -> None:
        await self.joined()
        link = self.cluster.control.link
        assert link is not None
        self.cluster.control._beat(link)
        beat = await self.control.next()
        leased = {"id": MANAGER, "event_id": beat["d"]["event_id"], "lease_ms": 20}
        self.control.send(7, None, leased)
        await self.lost("the lease ran out")


class Stopping(Case):
    async def stopped(self, order: Any, want: discluster.Stop) -> List[str]:
        """Has the cluster stopped by order, and returns what happened in turn."""
        order_of: List[str] = []
        self.stops: List[discluster.Stop] = []
        gate = asyncio.Event()

        @self.cluster.handle("waits")
        async def waits(request: discluster.Request) -> str:
            await gate.wait()
            order_of.append("request")
            return "done"

        @self.cluster.on_drain
        async def drain(stop: discluster.Stop) -> None:
            self.assertEqual(stop, want)
            await asyncio.sleep(0)
            gate.set()
            order_of.append("drain")

        @self.cluster.on_drain
        def breaks(stop: discluster.Stop) -> None:
            raise ValueError("costs only itself")

        @self.cluster.on_close
        async def close(stop: discluster.Stop) -> None:
            order_of.append("close")

        self.control.send(0, "REQUEST", {"event_id": "7", "name": "waits", "from": 0})
        await asyncio.sleep(0.01)
        with self.assertLogs("discluster_bot", "ERROR"):
            order()
            await asyncio.wait_for(self.cluster.stopped(), PATIENCE)
        self.assertEqual(await self.control.d("REQUEST"), {"event_id": "7", "result": "done"})
        self.assertFalse(os.path.exists(self.socket))
        with self.assertRaises(discluster.StoppingError):
            await self.cluster.ask(discluster.all(), "x")
        return order_of

    async def test_drain(self) -> None:
        await self.joined({"sessions": [SESSION]}, permits=True, sessions=True)

        def order() -> None:
            self.control.send(0, "DRAIN", {"event_id": "8", "deadline_ms": 3000})

        self.assertEqual(
            await self.stopped(order, discluster.Stop(3.0, False)), ["drain", "request", "close"]
        )
        self.assertEqual(await self.control.d("DRAIN"), {"event_id": "8", "sessions": [SESSION]})
        await self.control.end()

    async def test_large_answer_is_written_whole(self) -> None:
        await self.joined({"sessions": [SESSION]}, permits=True, sessions=True)
        guilds = [str(id) for id in range(600_000)]
        self.cluster.shard(2).set_session("s2", 8, "wss://x", guilds=guilds)
        await self.control.next()
        self.control.send(0, "DRAIN", {"event_id": "8", "deadline_ms": 1000})
        link = self.cluster.control.link
        assert link is not None
        reading = asyncio.ensure_future(self.control.d("DRAIN"))
        await asyncio.wait_for(self.cluster.stopped(), PATIENCE)
        self.assertTrue(link.closed.done())  # so that the program may end
        self.assertEqual((await reading)["sessions"][0]["guilds"], guilds)

    async def test_destroying(self) -> None:
        await self.joined(grace=2.0)

        def order() -> None:
            self.control.send(0, "DESTROYING", {"event_id": "8"})

        await self.stopped(order, discluster.Stop(2.0, True))
        self.assertEqual(await self.control.d("DESTROYING"), {"event_id": "8"})
        await self.control.end()

    async def test_sigterm(self) -> None:
        await self.joined()
        await self.stopped(
            lambda: os.kill(os.getpid(), signal.SIGTERM), discluster.Stop(5.0, False)
        )
        await self.control.end()
        self.assertIs(signal.getsignal(signal.SIGTERM), signal.SIG_DFL)

    async def test_deadline(self) -> None:
        await self.joined()
        self.cluster.on_drain(lambda stop: asyncio.sleep(60))
        with self.assertLogs("discluster_bot", "WARNING") as log:
            self.control.send(0, "DRAIN", {"event_id": "8", "deadline_ms": 10})
            self.assertEqual(await self.control.d("DRAIN"), {"event_id": "8", "sessions": []})
        self.assertIn("1 handlers have not ended within 0.01 s", log.output[0])

    async def test_permit_of_a_cluster_that_stops(self) -> None:
        await self.joined(permits=True)
        waits = asyncio.ensure_future(self.cluster.shard(2).permit())
        ask = await self.control.d("PERMIT")
        gate = asyncio.Event()
        self.cluster.on_drain(lambda stop: gate.wait())
        self.control.send(0, "DRAIN", {"event_id": "8", "deadline_ms": 3000})
        with self.assertRaises(discluster.StoppingError):
            await waits
        with self.assertRaises(discluster.StoppingError):
            await self.cluster.shard(2).permit()
        self.control.send(0, "PERMIT", {**ask, "granted": True})
        self.assertFalse((await self.control.d("PERMIT"))["sent"])
        gate.set()
        await self.control.d("DRAIN")

    async def test_program_that_runs_on_is_ended(self) -> None:
        await self.joined()
        program = f"""
import asyncio, discluster_bot
discluster_bot.cluster.CLOSING = 0.01
async def main():
    await discluster_bot.join()
    try:
        await asyncio.sleep(3600)
    finally:
        print("cleaned up")
asyncio.run(main())
"""
        os.environ["DISCLUSTER_SOCKET"] = self.socket = self.socket + "-2"
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        )
        control = await self.connect()
        control.hello()
        await control.next()
        control.send(0, "DRAIN", {"event_id": "8", "deadline_ms": 1000})
        await control.d("DRAIN")
        out, _ = await asyncio.wait_for(child.communicate(), PATIENCE)
        self.assertEqual((child.returncode, out), (0, b"cleaned up\n"))


class Hooks(Case):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        await self.joined({"sessions": []}, permits=True, sessions=True, intents=3)
        self.shard = self.cluster.shard(2)

    async def ask(self, cause: str = "start") -> Any:
        self.asking = asyncio.ensure_future(self.shard.permit(cause))
        d = await self.control.d("PERMIT")
        self.assertEqual((d["shard_id"], d["cause"]), (2, cause))
        return d["event_id"]

    async def test_permit(self) -> None:
        event = await self.ask()
        self.control.send(
            0,
            "PERMIT",
            {"event_id": event, "shard_id": 2, "granted": True, "use_within_ms": 60_000},
        )
        permit = await self.asking
        self.assertFalse(permit.overdue)
        permit.sent()
        permit.unused()  # only the first counts
        self.assertEqual(
            await self.control.d("PERMIT"), {"event_id": event, "shard_id": 2, "sent": True}
        )
        await self.nothing_more()

    async def test_overdue(self) -> None:
        past = {"use_within_ms": 1}, {"use_before": 1}, {"use_before_up": 1}
        for more in past if sys.platform == "linux" else past[:2]:
            event = await self.ask()
            self.control.send(
                0, "PERMIT", {"event_id": event, "shard_id": 2, "granted": True, **more}
            )
            permit = await self.asking
            await asyncio.sleep(0.002)
            self.assertTrue(permit.overdue, more)
            permit.unused()
            self.assertFalse((await self.control.d("PERMIT"))["sent"])

    async def test_postponed(self) -> None:
        with mock.patch("discluster_bot.permit.RETRY_MIN", 0.001):
            event = await self.ask("crash")
            refusal = {
                "event_id": event,
                "shard_id": 2,
                "granted": False,
                "retry_after_ms": 1,
                "reason": "busy",
            }
            self.control.send(0, "PERMIT", refusal)
            again = await self.control.d("PERMIT")
        self.assertNotEqual(again["event_id"], event)
        self.control.send(0, "PERMIT", {**again, "granted": True})
        (await self.asking).unused()

    async def test_cancelled_request_keeps_its_place(self) -> None:
        event = await self.ask()
        self.asking.cancel()
        await asyncio.wait([self.asking])
        again = asyncio.ensure_future(self.shard.permit())
        await asyncio.sleep(0)
        self.control.send(0, "PERMIT", {"event_id": event, "shard_id": 2, "granted": True})
        (await again).sent()
        self.assertTrue((await self.control.d("PERMIT"))["sent"])
        event = await self.ask()
        self.asking.cancel()
        await asyncio.wait([self.asking])
        self.control.send(0, "PERMIT", {"event_id": event, "shard_id": 2, "granted": True})
        self.assertEqual(
            await self.control.d("PERMIT"), {"event_id": event, "shard_id": 2, "sent": False}
        )

    async def test_grant_that_meets_a_cancel(self) -> None:
        event = await self.ask()
        self.cluster.permits.granted(
            self.cluster.control.link, {"event_id": event, "shard_id": 2, "granted": True}  # type: ignore[arg-type]
        )
        self.asking.cancel()
        await asyncio.wait([self.asking])
        self.assertEqual(
            await self.control.d("PERMIT"), {"event_id": event, "shard_id": 2, "sent": False}
        )

    async def test_states(self) -> None:
        self.shard.state("disconnected", 4000)
        self.shard.state("disconnected", 4000)  # no news
        self.shard.state("ready")
        self.assertEqual(
            await self.control.d("SHARD"),
            {"shard_id": 2, "state": "disconnected", "close_code": 4000},
        )
        self.assertEqual(await self.control.d("SHARD"), {"shard_id": 2, "state": "ready"})
        with self.assertRaisesRegex(ValueError, "state 'up' of shard 2: want one of idle"):
            self.shard.state("up")
        with self.assertRaisesRegex(ValueError, r"shard 7: want one of this cluster's: \[2, 3\]"):
            self.cluster.shard(7)
        with self.assertRaisesRegex(ValueError, "cause 'x': want one of start"):
            await self.shard.permit("x")

    async def test_figures(self) -> None:
        with mock.patch("discluster_bot.shard.FIGURES_EVERY", 0.01):
            self.shard.figures(latency=0.0411, guilds=0, events=9)
            self.shard.figures(latency=float("inf"), guilds=3)
            self.assertEqual(
                await self.control.d("SHARD"), {"shard_id": 2, "state": "idle", "guilds": 3}
            )
            self.shard.figures(latency=0.0411)
            self.assertEqual(
                await self.control.d("SHARD"), {"shard_id": 2, "state": "idle", "latency_ms": 42}
            )
            self.shard.figures(guilds=9)
            self.shard.state("ready")  # which has the figures
            self.assertEqual((await self.control.d("SHARD"))["guilds"], 9)
            await asyncio.sleep(0.02)
            await self.nothing_more()

    async def test_reconnect(self) -> None:
        ordered = asyncio.Event()

        @self.shard.on_reconnect
        async def reconnect() -> None:
            ordered.set()

        self.control.send(0, "RECONNECT", {"event_id": "1", "shard_id": 2})
        await asyncio.wait_for(ordered.wait(), PATIENCE)
        with self.assertLogs("discluster_bot", "WARNING") as log:
            self.control.send(0, "RECONNECT", {"event_id": "1", "shard_id": 3})
            while not log.output:
                await asyncio.sleep(0)

    async def test_sessions(self) -> None:
        with mock.patch("discluster_bot.shard.SESSIONS_EVERY", 0.01), mock.patch(
            "time.time", lambda: 5.0
        ):
            self.shard.set_session("s", 1, "wss://x", user_id="9", guilds=["1", "2"])
            new = {
                "shard": 2,
                "shard_count": 4,
                "session_id": "s",
                "seq": 1,
                "resume_gateway_url": "wss://x",
                "at": 5000,
                "intents": 3,
            }
            self.assertEqual(
                await self.control.d("SESSIONS"),
                {"sessions": [{**new, "user_id": "9", "guilds": ["1", "2"]}]},
            )
            self.shard.set_session("s", 2, "wss://x")
            self.shard.set_session("s", 3, "wss://x")
            self.assertEqual(await self.control.d("SESSIONS"), {"sessions": [{**new, "seq": 3}]})
            self.assertEqual(
                self.shard.session, {**new, "seq": 3, "user_id": "9", "guilds": ["1", "2"]}
            )
        self.shard.session_gone()
        self.shard.session_gone()
        self.assertEqual(await self.control.d("SESSIONS"), {"gone": [2]})
        await self.nothing_more()
        self.assertIsNone(self.shard.session)
        for wrong, text in (
            (("", 1, "x"), "session_id of shard 2 is empty"),
            (("s" * 257, 1, "x"), "want a text of at most 256 bytes"),
            (("s", -1, "x"), "seq -1 of shard 2"),
        ):
            with self.assertRaisesRegex(ValueError, text):
                self.shard.set_session(*wrong)

    async def test_without_the_hooks(self) -> None:
        await self.cluster.close()
        await self.control.end()
        await self.joined()
        with self.assertRaisesRegex(ValueError, r"want join\(permits=True\)"):
            self.cluster.shard(2)
