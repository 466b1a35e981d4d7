"""Discordoo's ids: decimal numbers of up to 128 bits, always texts (PROTOCOL A5)."""

from __future__ import annotations

import re
import time

_EPOCH = 1609459200000  # 2021-01-01T00:00:00Z in unix milliseconds
_INCREMENT_MAX = 4194301


def is_snowflake(text: str) -> bool:
    """Reports whether a text is a decimal number of at most 128 bits."""
    return re.fullmatch("[0-9]{1,39}", text) is not None and int(text) < 1 << 128


class Mint:
    """Makes the ids of one process."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._next = 0

    def new(self, shard: int) -> str:
        ms, increment = int(time.time() * 1000) - _EPOCH, self._next
        self._next = increment + 1 if increment < _INCREMENT_MAX else 0
        return snowflake(ms + _EPOCH, self._worker, shard, increment)


def snowflake(ms: int, worker: int, shard: int, increment: int) -> str:
    """Combines the parts; ms are unix milliseconds."""
    high = max(ms - _EPOCH, 0) & (1 << 42) - 1
    return str(high << 86 | (worker & 0xFFFFFFFF) << 54 | (shard & 0xFFFFFFFF) << 22 | increment)
