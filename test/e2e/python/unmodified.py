"""A discord.py bot as its guide writes one, with the shards that CONTROL names. It prints "message PID SHARD CONTENT" for each message."""

import json
import os

import discord

intents = discord.Intents(guilds=True, guild_messages=True, message_content=True)
client = discord.AutoShardedClient(
    intents=intents, shard_ids=json.loads(os.environ["SHARDS"]), shard_count=int(os.environ["SHARD_COUNT"])
)


@client.event
async def on_message(message):
    print("message", os.getpid(), message.guild.shard_id, message.content, flush=True)


client.run(os.environ["DISCORD_TOKEN"], log_level=40)
