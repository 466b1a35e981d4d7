"""A discord.py bot in several processes that know of each other.

    control run --cluster.protocol sdk -- python3 example.py
    control run -- python3 example.py                            (behind a gateway host)

Each process prints how many guilds the whole bot has, and which clusters did not answer.
"""

import asyncio
import os
import time

import discord

import discluster_bot as discluster
from discluster_bot import discordpy

EVERY = float(os.environ.get("EXAMPLE_EVERY", "10"))  # seconds between two reports
began = time.monotonic()


class Bot(discordpy.Clustered, discord.AutoShardedClient):
    async def report(self):
        """Asks all clusters, again and again, and prints what they answer."""
        while True:
            try:
                guilds = await self.cluster.ask(discluster.all(), "guilds", timeout=2)
            except discluster.DisclusterError as why:  # CONTROL itself is away, as at its upgrade
                print("guilds are unknown:", why, flush=True)
            else:
                print("guilds", sum(answer.value for answer in guilds.results), flush=True)
                for of in guilds.errors:
                    print(f"guilds of cluster {of.cluster} are unknown: {of.error}", flush=True)
            await asyncio.sleep(EVERY)

    async def on_ready(self):
        """Asks the owner of a guild, tells the others that this cluster is there."""
        for guild in self.guilds[:1]:
            name = await self.cluster.ask(
                discluster.guild(guild.id), "name of guild", str(guild.id)
            )
            print("guild", guild.id, "is", name.results[0].value, flush=True)
        self.cluster.tell(discluster.all(), {"ready": self.cluster.id})
        for cluster, shards in (await self.cluster.stats()).results:
            for shard in shards:
                print(
                    f"shard {shard['shard_id']} of cluster {cluster} is {shard['state']}",
                    flush=True,
                )


async def main():
    cluster = await discluster.join(permits=True)
    bot = Bot(cluster=cluster, intents=discord.Intents(guilds=True))

    @cluster.handle("guilds")
    def guilds(request):
        return len(bot.guilds)

    @cluster.handle("name of guild")
    async def name(request):
        guild = bot.get_guild(int(request.data))
        if guild is None:
            raise LookupError(f"guild {request.data} is not here")
        return guild.name

    @cluster.on_message
    def message(m):
        print(f"cluster {cluster.id} hears of cluster {m.sender}: {m.data}", flush=True)

    @cluster.on_drain
    def drain(stop):
        print(f"cluster {cluster.id} ends after {time.monotonic() - began:.0f} s", flush=True)

    async with bot:
        reports = asyncio.create_task(bot.report())
        await bot.start(cluster.token)
        reports.cancel()


asyncio.run(main())
