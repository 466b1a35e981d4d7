"""The addressees of requests and messages."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Tuple, Union


class Targets(NamedTuple):
    """Addressees. Make one by all, clusters, shards or guild."""

    cluster_ids: Optional[Tuple[int, ...]] = None
    shard_ids: Optional[Tuple[int, ...]] = None
    guild_id: Optional[int] = None

    def address(self, cluster_count: int, shard_count: int) -> Tuple[str, List[int]]:
        """Returns the field of a packet and its value (PROTOCOL B2)."""
        if self.guild_id is not None:
            return "shard_ids", [shard_of(self.guild_id, shard_count)]
        if self.shard_ids is not None:
            return "shard_ids", list(self.shard_ids)
        if self.cluster_ids is not None:
            return "shards", list(self.cluster_ids)
        return "shards", list(range(cluster_count))


def all() -> Targets:
    """Addresses every cluster of the fleet, the sender included."""
    return Targets()


def clusters(*ids: int) -> Targets:
    """Addresses clusters by their ids."""
    return Targets(cluster_ids=_ids("clusters", ids))


def shards(*ids: int) -> Targets:
    """Addresses the clusters of these shards, each once."""
    return Targets(shard_ids=_ids("shards", ids))


def guild(id: Union[int, str]) -> Targets:
    """Addresses the cluster of a guild."""
    return Targets(guild_id=guild_id(id))


def _ids(name: str, ids: Tuple[int, ...]) -> Tuple[int, ...]:
    for id in ids:
        if type(id) is not int or id < 0:
            raise ValueError(f"{name}({id!r}): want whole numbers of at least 0")
    return ids


def guild_id(id: Union[int, str]) -> int:
    """Reads a guild's id, as a number or as a text."""
    if isinstance(id, str) and id.isascii() and id.isdigit() and len(id) <= 20:
        id = int(id)
    if type(id) is not int or not 0 <= id < 1 << 64:
        raise ValueError(f"guild {id!r}: want the id of a guild: a number of at most 64 bits")
    return id


def shard_of(guild: int, shard_count: int) -> int:
    """Returns the shard of a guild (PROTOCOL B5)."""
    return (guild >> 22) % shard_count
