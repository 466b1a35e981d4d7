"""Many discord.py clients, one after the other: what each of them has in its caches in the end. See ../caches_long_test.go, and ../node/caches.mjs for what it reads and says."""

import asyncio
import datetime
import json
import os
import sys
import traceback

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

API = os.environ["DISCORD_API"]
Route.BASE = f"{API}/api/v10"
DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(API.replace("http", "ws", 1))


def say(**what):
    print(json.dumps(what, sort_keys=True), flush=True)


# What a new session is not given, and what leads back to where we came from.
LEFT = {
    "_state": "above",
    "guild": "above",
    "parent": "above",
    "_stored": "how it is kept",
    "activities": "presences are not kept",
    "_client_status": "presences are not kept",
    "_users": "of scheduled events: asked for by REST",
    "_members": "of threads: asked for by REST",
}


def slots(of):
    for cls in type(of).__mro__:
        names = cls.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            # _cs_ holds what was once computed
            if name not in LEFT and not name.startswith(("_cs_", "__")) and hasattr(of, name):
                yield name, getattr(of, name)


def plain(of):
    """Returns an object as JSON."""
    if of is None or isinstance(of, (bool, int, float, str)):
        return of
    if isinstance(of, datetime.datetime):
        return of.isoformat()
    if isinstance(of, dict):
        return {str(key): plain(value) for key, value in of.items()}
    if isinstance(of, discord.Guild):
        return guild(of)
    if isinstance(of, discord.Colour) or isinstance(of, tuple) and hasattr(of, "value"):  # an enum's
        return of.value
    if hasattr(type(of), "__slots__") and type(of).__module__.startswith("discord."):
        own = {name: plain(value) for name, value in slots(of)}
        if isinstance(of, (discord.Member, discord.Emoji)):
            # deleted roles stay in what they came from
            own["_roles"] = [role.id for role in of.roles]
        if isinstance(of, discord.VoiceState):
            own["channel"] = of.channel.id
        if isinstance(of, discord.StageChannel):
            del own["last_message_id"]  # MESSAGE_CREATE does not change it here
        return own
    return [plain(each) for each in of]


def guild(of):
    if of.unavailable:  # what it had is kept until it comes back, and replaced then
        return {"id": of.id, "unavailable": True}
    own = {name: value for name, value in slots(of)}
    own["afk_channel"] = of.afk_channel and of.afk_channel.id
    me = of._state.self_id
    # Others are asked for by op 8.
    own["_members"] = {id: m for id, m in of._members.items() if id == me or id in of._voice_states and of._voice_states[id].channel}
    # Those who were never seen to join stay when they leave.
    own["_voice_states"] = {id: v for id, v in of._voice_states.items() if v.channel}
    # Those of a deleted channel stay here.
    own["_threads"] = {id: t for id, t in of._threads.items() if t.parent_id in of._channels}
    own["_stage_instances"] = {id: s for id, s in of._stage_instances.items() if s.channel_id in of._channels}
    # Those that are over stay here.
    own["_scheduled_events"] = {id: e for id, e in of._scheduled_events.items() if e.status.value < 3}
    own = plain(own)
    # No USER_UPDATE reaches it, if it is another object than client.user.
    del own["_members"][str(me)]["_user"]
    if str(me) in own["_voice_states"]:
        # That of a leave stays, if the join was another process's.
        del own["_voice_states"][str(me)]["session_id"]
    for thread in own["_threads"].values():
        # No event counts them.
        del thread["message_count"], thread["member_count"]
    return own


class Client(discord.Client):
    name = ""

    async def on_connect(self):
        say(client=self.name, ready=True)

    async def on_error(self, event, *args):
        say(client=self.name, error=traceback.format_exc())

    async def on_socket_event_type(self, kind):
        if kind != "END":
            return
        state = self._connection
        say(
            client=self.name,
            state={
                "user": plain(self.user),
                "application": {"id": state.application_id, "flags": plain(state.application_flags)},
                "guilds": plain(state._guilds),
            },
        )
        await self.close()


async def run(client, shard, members, presences):
    intents = discord.Intents.all()
    intents.members, intents.presences = members, presences
    bot = Client(
        intents=intents, shard_id=shard[0], shard_count=shard[1], chunk_guilds_at_startup=False
    )
    bot.name = client
    try:
        await bot.start(os.environ["DISCORD_TOKEN"])
    except Exception:
        say(client=client, error=traceback.format_exc())


async def main():
    loop, commands, tasks = asyncio.get_running_loop(), asyncio.StreamReader(), set()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    async for line in commands:
        tasks.add(asyncio.create_task(run(**json.loads(line))))


asyncio.run(main())
