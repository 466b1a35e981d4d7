"""The errors of this package. Each names the thing, its value and the rule that it breaks."""

from __future__ import annotations


class DisclusterError(Exception):
    """The base of every error of this package, except that a wrong argument is a ValueError."""


class StandaloneError(DisclusterError):
    """CONTROL did not start this process. It may run as it would without CONTROL."""


class AwayError(DisclusterError):
    """CONTROL is not connected, so that nothing can be sent to other clusters."""


class BusyError(DisclusterError):
    """Too much is under way at the moment: open requests, or bytes that CONTROL has not read."""


class RefusedError(DisclusterError):
    """CONTROL refused a request as a whole."""


class NoAnswerError(DisclusterError):
    """CONTROL did not answer a request in time."""


class StoppingError(DisclusterError):
    """The cluster is stopping: nothing new is started."""


class LostError(DisclusterError):
    """CONTROL was away for longer than this cluster may be alone."""


def text_of(why: BaseException) -> str:
    """Returns what an exception says. Its own code may fail."""
    try:
        return str(why)
    except Exception:
        return "it has no text"
