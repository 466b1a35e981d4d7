"""The environment of a process that CONTROL started (PROTOCOL B4)."""

from __future__ import annotations

import os
import sys
from typing import Callable, List, Mapping, NamedTuple

from .errors import DisclusterError, StandaloneError
from .snowflake import is_snowflake

SOCKET_MAX = 107 if sys.platform == "linux" else 103  # bytes in the path of a unix socket


class Environment(NamedTuple):
    socket: str  # where to listen
    manager: str
    instance: str
    cluster: int
    clusters: int  # of the whole fleet
    max_concurrency: int
    token: str  # empty where HELLO brings it


def read(variables: Mapping[str, str]) -> Environment:
    """Reads the environment. Every mistake is named at once."""
    if "DISCLUSTER_SOCKET" not in variables:
        raise StandaloneError(
            "DISCLUSTER_SOCKET is not set: CONTROL did not start this process; start the bot by "
            "`control run -- python3 bot.py`, or without a gateway host by "
            "`control run --cluster.protocol sdk -- python3 bot.py`"
        )
    wrong: List[str] = []

    def text(name: str, rule: str, good: Callable[[str], bool]) -> str:
        value = variables.get(name)
        if value is None:
            wrong.append(f"{name} is not set: want {rule}")
            return ""
        if not good(value):
            wrong.append(f"{name} is {value!r}: want {rule}")
            return ""
        return value

    def number(name: str, least: int) -> int:
        def good(value: str) -> bool:
            return value.isascii() and value.isdigit() and len(value) < 19 and int(value) >= least

        return int(text(name, f"a whole number of at least {least}", good) or least)

    def path(value: str) -> bool:
        return os.path.isabs(value) and len(os.fsencode(value)) <= SOCKET_MAX

    snowflake = "a snowflake: a decimal number of at most 128 bits"
    found = Environment(
        socket=text("DISCLUSTER_SOCKET", f"an absolute path of at most {SOCKET_MAX} bytes", path),
        manager=text("SHARDING_MANAGER_IPC", snowflake, is_snowflake),
        instance=text("SHARDING_INSTANCE_IPC", snowflake, is_snowflake),
        cluster=number("CLUSTER_ID", 0),
        clusters=number("CLUSTER_COUNT", 1),
        max_concurrency=number("MAX_CONCURRENCY", 1),
        token=variables.get("DISCORD_TOKEN", ""),
    )
    if wrong:
        raise DisclusterError("; ".join(wrong))
    return found
