"""discord.py's AutoShardedClient, as its guide writes bots; see ../node/clients/lines.mjs for what it says.

SHARDS ("[0,1]") and SHARD_COUNT, as CONTROL gives them, name its shards; without them it has as many as Discord recommends.
"""

import json
import os
import signal
import sys

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

API = os.environ["DISCORD_API"]
Route.BASE = f"{API}/api/v10"
# Where it connects while it knows no resume_gateway_url: this version never asks /gateway where its shard count is given.
DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(API.replace("http", "ws", 1))


def say(*words):
    print(*words, flush=True)


class Client(discord.AutoShardedClient):
    done = False

    async def setup_hook(self):
        self.loop.add_signal_handler(signal.SIGTERM, lambda: self.loop.create_task(self.close()))
        self.tree = discord.app_commands.CommandTree(self)

    async def on_shard_connect(self, shard):
        say("identified", shard)

    async def on_shard_resumed(self, shard):
        say("resumed", shard)

    async def on_error(self, event, *args):
        say("error", event, *(" ".join(str(sys.exc_info()[1]).split()),))

    async def on_message(self, message):
        if message.author.id == self.user.id:
            say("own", message.content)
        else:
            say("message", message.guild.shard_id, message.content)

    async def on_presence_update(self, before, after):
        if after.id == self.user.id:
            say("presence", after.guild.id, after.status)

    async def on_voice_state_update(self, member, before, after):
        say("voice", member.guild.id, after.channel.id)

    async def on_ready(self):
        if self.done:
            return
        self.done = True
        for guild in self.guilds:
            say("guild", guild.id, len(guild.channels), len(guild.roles), len(guild.members))
        say("ready")
        if not self.guilds:
            return
        guild = self.guilds[0]

        @self.tree.command(description="pings")
        async def ping(interaction):
            await interaction.response.send_message("pong")

        everywhere = await self.tree.sync()
        self.tree.copy_global_to(guild=guild)
        say("commands", len(everywhere), len(await self.tree.sync(guild=guild)))
        say("sent", (await discord.utils.get(guild.channels, name="text-0").send("hello")).content)
        await self.change_presence(status=discord.Status.dnd, activity=discord.Game("a rehearsal"))
        await guild.change_voice_state(channel=discord.utils.get(guild.channels, name="voice"), self_mute=True)
        say("members", len([member async for member in everyone(guild)]))
        say("done")


async def everyone(guild):
    for member in await guild.chunk():
        yield member


intents = discord.Intents(
    guilds=True, members=True, presences=True, voice_states=True, guild_messages=True, message_content=True
)
shards = {}
if "SHARDS" in os.environ:
    shards = {"shard_ids": json.loads(os.environ["SHARDS"]), "shard_count": int(os.environ["SHARD_COUNT"])}
client = Client(intents=intents, chunk_guilds_at_startup=False, **shards)
client.run(os.environ["DISCORD_TOKEN"], log_level=40)
