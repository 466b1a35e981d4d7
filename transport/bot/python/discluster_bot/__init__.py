"""Makes a Python bot a cluster of CONTROL: messages and requests between its processes, permits.

    import discluster_bot as discluster

    cluster = await discluster.join()             # StandaloneError: not started by CONTROL

    @cluster.handle("guilds")
    def guilds(request):
        return len(client.guilds)

    answers = await cluster.ask(discluster.all(), "guilds")
    total = sum(answer.value for answer in answers.results)

It works the same behind a gateway host and directly under CONTROL (cluster.protocol: sdk).
"""

from .cluster import VERSION as __version__
from .cluster import Cluster, Stop, join
from .errors import (
    AwayError,
    BusyError,
    DisclusterError,
    LostError,
    NoAnswerError,
    RefusedError,
    StandaloneError,
    StoppingError,
)
from .permit import Permit
from .shard import Shard
from .talk import MANAGER, Answers, Message, Request, Result, TargetError, Undelivered
from .targets import Targets, all, clusters, guild, shards

__all__ = [
    "MANAGER",
    "Answers",
    "AwayError",
    "BusyError",
    "Cluster",
    "DisclusterError",
    "LostError",
    "Message",
    "NoAnswerError",
    "Permit",
    "RefusedError",
    "Request",
    "Result",
    "Shard",
    "StandaloneError",
    "Stop",
    "StoppingError",
    "TargetError",
    "Targets",
    "Undelivered",
    "__version__",
    "all",
    "clusters",
    "guild",
    "join",
    "shards",
]
