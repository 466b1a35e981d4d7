"""discord.py as a cluster: shards, permits, their states, and a clean end.

    class Bot(discluster_bot.discordpy.Clustered, discord.AutoShardedClient):
        ...

    cluster = await discluster_bot.join(permits=True)
    bot = Bot(cluster=cluster, intents=intents)
    async with bot:
        await bot.start(cluster.token)

Behind a gateway host the same program runs unchanged: its permits are granted at once.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any, Dict, Optional, Set

from .cluster import Cluster, Stop
from .errors import StoppingError

# A Client waits for its hook with its connection open and unread, which it takes for dead after
# 60 s. The shard's next attempt continues the request for the permit.
PERMIT_WITHIN = 50.0

FIGURES_EVERY = 5.0  # seconds

# The close codes of errors before any shard was READY, by the names of their classes: forks of
# discord.py have classes of their own.
FATAL = {"LoginFailure": 4004, "PrivilegedIntentsRequired": 4014}

# What Client dispatches, with and without a shard's id, and the state that it means.
STATES = {"connect": "ready", "resumed": "ready", "disconnect": "disconnected"}


class Clustered:
    """A mixin for discord.AutoShardedClient, discord.ext.commands.AutoShardedBot, and those of forks
    with the same hooks. It comes first in the list of bases."""

    def __init__(self, *args: Any, cluster: Cluster, **options: Any) -> None:
        if not cluster.announced("permits"):
            raise ValueError("join(permits=False): want True, for a client that asks for permits")
        self.cluster = cluster
        self._identified: Set[int] = set()
        self._refused = False  # a permit, because the cluster stops
        options.setdefault("shard_ids", cluster.shards)
        options.setdefault("shard_count", cluster.shard_count)
        super().__init__(*args, **options)
        cluster.on_close(self._close_shards)
        for id in cluster.shards:
            cluster.shard(id).on_reconnect(functools.partial(self._reconnect_shard, id))

    async def before_identify_hook(self, shard_id: Optional[int], *, initial: bool = False) -> None:
        """Waits for a permit, and reports it as sent once the IDENTIFY is written."""
        shard = self.cluster.shard(shard_id or 0)
        cause = "reidentify" if shard.id in self._identified else "start"
        shard.state("waiting_permit")
        while True:
            try:
                permit = await asyncio.wait_for(shard.permit(cause), PERMIT_WITHIN)
            except StoppingError:  # discord.py would try any other error again
                self._refused = True
                raise asyncio.CancelledError from None
            if not permit.overdue:
                break
            permit.unused()
        self._identified.add(shard.id)
        shard.state("identifying")
        # The caller writes IDENTIFY before it waits for anything else.
        asyncio.get_running_loop().call_soon(permit.sent)

    def dispatch(self, event: str, /, *args: Any, **others: Any) -> None:
        """Reports the states of the shards."""
        kind = event[len("shard_") :] if event.startswith("shard_") else ""
        if kind in STATES and args and args[0] in self.cluster.shards:
            self.cluster.shard(args[0]).state(STATES[kind])
        super().dispatch(event, *args, **others)  # type: ignore[misc]

    async def start(self, token: Optional[str] = None, **options: Any) -> None:
        """Runs the bot as discord.py does; without a token, with the cluster's. CONTROL gets the
        cause of a failure, and does not restart a bot that can never start."""
        figures = self.cluster.spawn(self._report_figures(), "figures of the shards")
        try:
            await super().start(token or self.cluster.token, **options)  # type: ignore[misc]
        except asyncio.CancelledError:
            if not self._refused:
                raise
        except Exception as why:
            if not self.cluster.stopping:
                self.cluster.fail(why, _close_code(why))
            raise
        finally:
            figures.cancel()

    async def _report_figures(self) -> None:
        client: Any = self
        while True:
            await asyncio.sleep(FIGURES_EVERY)
            guilds: Dict[int, int] = {}
            for guild in client.guilds:
                guilds[guild.shard_id] = guilds.get(guild.shard_id, 0) + 1
            for id, latency in client.latencies:
                self.cluster.shard(id).figures(latency, guilds.get(id, 0))

    async def _close_shards(self, stop: Stop) -> None:
        # With 1000: the next process of discord.py cannot resume these sessions.
        client: Any = self
        await client.close()

    async def _reconnect_shard(self, id: int) -> None:
        client: Any = self
        if client.get_shard(id) is not None:
            await client._get_websocket(shard_id=id).close(4000)


def _close_code(why: Exception) -> int:
    for cls in type(why).__mro__:
        if cls.__name__ in FATAL:
            return FATAL[cls.__name__]
        if cls.__name__ == "ConnectionClosed":
            code = getattr(why, "code", 0)
            return code if isinstance(code, int) else 0
    return 0
