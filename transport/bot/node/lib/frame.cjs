'use strict';
// Frames (PROTOCOL A1): JSON in UTF-8 and one byte 0x0C, which JSON escapes within strings.
const { ClusterError } = require('./errors.cjs');

const maxFrame = 8 << 20; // bytes, without the separator (PROTOCOL B2)
const separator = 0x0c;
const type = '__DDOO__.MESSAGE';

/** Returns the bytes of a packet. One that is no JSON, or over 8 MiB, is an error. */
function encode(packet) {
  let text;
  try {
    text = JSON.stringify({ type, data: packet });
  } catch (error) {
    // a cycle, a bigint, or whatever code of a value throws
    const why = String(error?.message ?? error).split('\n')[0];
    throw new ClusterError('INVALID', `the data is no JSON (${why})`);
  }
  const frame = Buffer.from(`${text}\f`);
  const size = frame.length - 1;
  if (size > maxFrame) {
    throw new ClusterError('LIMIT', `the frame has ${size} bytes: want at most ${maxFrame}`);
  }
  return frame;
}

/** Returns the packet of a frame; undefined where a stock peer ignores it. */
function decode(frame) {
  const whole = JSON.parse(frame.toString());
  const packet = whole?.type === type ? whole.data : undefined;
  return typeof packet === 'object' && packet !== null ? packet : undefined;
}

/** Splits a stream into frames, however its bytes arrive. */
class FrameReader {
  #take;
  #pieces = []; // of a frame that has not ended
  #size = 0;

  /** take gets every frame without its separator; empty ones are skipped. */
  constructor(take) {
    this.#take = take;
  }

  /** Reads on. A frame over 8 MiB is an error, and final. */
  push(chunk) {
    let from = 0;
    for (let at; (at = chunk.indexOf(separator, from)) >= 0; from = at + 1) {
      this.#add(chunk.subarray(from, at));
      const frame = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces);
      this.#pieces = [];
      this.#size = 0;
      if (frame.length > 0) this.#take(frame);
    }
    if (from < chunk.length) this.#add(chunk.subarray(from));
  }

  #add(piece) {
    this.#size += piece.length;
    if (this.#size > maxFrame) {
      throw new ClusterError('LIMIT', `a frame has over ${maxFrame} bytes, the limit`);
    }
    this.#pieces.push(piece);
  }
}

module.exports = { FrameReader, decode, encode, maxFrame };
