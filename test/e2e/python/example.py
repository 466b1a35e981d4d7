"""transport/bot/python/example.py at the simulated Discord, with its package from the same folder."""

import os
import runpy
import sys

import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.join(HERE, "..", "..", "..", "transport", "bot", "python")

if not os.environ.get("DISCORD_GATEWAY"):  # else a gateway host redirects the bot
    API = os.environ["DISCORD_API"]
    Route.BASE = f"{API}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(API.replace("http", "ws", 1))
sys.path.insert(0, PACKAGE)
runpy.run_path(os.path.join(PACKAGE, "example.py"), run_name="__main__")
