"""Frames: a JSON text and one form feed each (PROTOCOL A1)."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from .errors import text_of

MAX_FRAME = 8 << 20  # bytes, without the separator (PROTOCOL B2)
SEPARATOR = b"\x0c"
TYPE = "__DDOO__.MESSAGE"

DISPATCH, IDENTIFY, HELLO, CACHE_OPERATE, ERROR, INVALID_SESSION, HEARTBEAT = 0, 1, 2, 3, 4, 6, 7

Data = Dict[str, Any]


class FrameError(ValueError):
    """A frame that cannot be read or written."""


class Packet(NamedTuple):
    op: int
    t: Optional[str]
    d: Any  # None: it has none


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_no_constant)
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ascii_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def _json(value: Any) -> bytes:
    try:
        return _encoder.encode(value).encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can escape
        return _ascii_encoder.encode(value).encode()


def encode(op: int, t: Optional[str], d: Any) -> bytes:
    """Returns a frame with its separator. A value that is not JSON, or a frame over the limit, is a
    FrameError."""
    packet: Data = {"op": op}
    if t is not None:
        packet["t"] = t
    if d is not None:
        packet["d"] = d
    try:
        frame = _json({"type": TYPE, "data": packet})
    except Exception as why:  # a value may have code of its own
        raise FrameError(f"not JSON: {text_of(why)}") from None
    if len(frame) > MAX_FRAME:
        raise FrameError(f"a frame of {len(frame)} bytes: want at most {MAX_FRAME}")
    return frame + SEPARATOR


def decode(frame: bytes) -> Packet:
    """Reads a frame without its separator. Anything but a packet is a FrameError."""
    try:
        value = _decoder.decode(frame.decode())
    except (ValueError, RecursionError) as why:
        raise FrameError(f"not JSON: {why}") from None
    if not isinstance(value, dict) or value.get("type") != TYPE:
        raise FrameError(f"a frame without type {TYPE}")
    packet = value.get("data")
    if not isinstance(packet, dict):
        raise FrameError("data is missing or not an object")
    op, t = packet.get("op"), packet.get("t")
    if type(op) is not int:
        raise FrameError(f"op {op!r:.40}: want a whole number")
    if t is not None and not isinstance(t, str):
        raise FrameError(f"t {t!r:.40}: want a text")
    return Packet(op, t, packet.get("d"))


class Framer:
    """Splits a stream into frames, however its bytes arrive."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yields each frame that chunk completes, without its separator; empty ones are skipped. A
        frame over the limit is a FrameError, which is final."""
        pieces: List[bytes] = chunk.split(SEPARATOR)
        last = pieces.pop()
        for piece in pieces:
            if self._rest:
                self._rest += piece
                piece = bytes(self._rest)
                self._rest.clear()
            _limit(len(piece))
            if piece:
                yield piece
        self._rest += last
        _limit(len(self._rest))


def _limit(size: int) -> None:
    if size > MAX_FRAME:
        raise FrameError(f"a frame of more than {MAX_FRAME} bytes")


# Fields of a packet that CONTROL sent. A missing or a wrong one is a FrameError.


def fields(packet: Packet) -> Data:
    if not isinstance(packet.d, dict):
        raise FrameError("d is missing or not an object")
    return packet.d


def text(d: Data, key: str) -> str:
    value = d.get(key)
    if not isinstance(value, str):
        raise FrameError(f"{key} {value!r:.40}: want a text")
    return value


def whole(d: Data, key: str, least: int = 0, default: Optional[int] = None) -> int:
    value = d.get(key, default)
    if type(value) is not int or value < least:
        raise FrameError(f"{key} {value!r:.40}: want a whole number of at least {least}")
    return value


def listed(d: Data, key: str, kind: type, default: Optional[List[Any]] = None) -> List[Any]:
    value = d.get(key, default)
    if not isinstance(value, list) or not all(type(one) is kind for one in value):
        raise FrameError(f"{key} {value!r:.40}: want a list of {kind.__name__}")
    return value
