'use strict';
const { performance } = require('node:perf_hooks');
const process = require('node:process');
const { ClusterError } = require('./errors.cjs');
const { FrameReader, decode, encode } = require('./frame.cjs');

const beatEvery = 5000; // ms, where HELLO has no interval (PROTOCOL B2)
const beatsLost = 2; // heartbeats without an answer, after which CONTROL is lost
// Bytes that wait to be written: beyond the first, requests and messages are refused; beyond the
// second, CONTROL is too slow and the connection ends.
const maxOffered = 4 << 20;
const maxQueued = 16 << 20;

/** One connection to our socket. on has the functions packet, beat, problem, silent and ended. */
class Link {
  #socket;
  #on;
  #corked = false;
  #timer;
  #due; // of the next heartbeat
  #asked; // the event id of the last one
  #askedAt;
  #unanswered = 0;
  every = beatEvery; // ms between heartbeats
  hellos = 0; // valid ones
  heard; // when the last answered heartbeat was sent, or HELLO came
  lapsed = false; // CONTROL's last answer had it
  connected = false; // CONNECTED was sent
  features = []; // of the last HELLO

  constructor(socket, on) {
    this.#socket = socket;
    this.#on = on;
    const reader = new FrameReader((frame) => this.#frame(frame));
    socket.on('data', (chunk) => {
      try {
        reader.push(chunk);
      } catch (error) {
        on.problem(`the connection of CONTROL ends: ${error.message}`);
        socket.destroy();
      }
    });
    socket.on('error', () => {}); // close follows
    socket.on('close', () => {
      clearTimeout(this.#timer);
      on.ended(this);
    });
  }

  #frame(frame) {
    let packet;
    try {
      packet = decode(frame);
    } catch (error) {
      this.#on.problem(`unreadable packet of CONTROL: ${error.message}`);
      return;
    }
    if (packet !== undefined) this.#on.packet(this, packet);
  }

  /** Sends a packet of the protocol. */
  send(packet) {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    const waiting = this.#socket.writableLength;
    if (waiting > maxQueued) {
      this.#on.problem(`CONTROL is too slow: ${waiting} bytes wait, the limit is ${maxQueued}`);
      this.#socket.destroy();
      return;
    }
    this.#write(encode(packet));
  }

  /** Sends a packet that may be refused, with an error. */
  offer(packet) {
    const frame = encode(packet);
    const waiting = this.#socket.writableLength;
    if (waiting > 0 && waiting + frame.length > maxOffered) {
      const text = `${waiting} bytes wait for CONTROL, the limit is ${maxOffered}: send it later`;
      throw new ClusterError('BUSY', text);
    }
    this.#write(frame);
  }

  /** Writes a frame, together with the others of this turn: one system call for all. */
  #write(frame) {
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(frame);
  }

  /** Sends heartbeats from now on. send makes one with an event id, which it returns. */
  beat(send) {
    const next = () => {
      this.#due = performance.now() + this.every;
      this.#timer = setTimeout(tick, this.every);
    };
    const tick = () => {
      // this process was suspended or busy, not CONTROL
      if (performance.now() - this.#due > this.every) this.#unanswered = 0;
      if (this.#unanswered === beatsLost) {
        this.#on.silent(this, `${beatsLost} heartbeats were not answered`);
        this.close();
        return;
      }
      this.#unanswered++;
      this.#askedAt = this.moment();
      this.#asked = send();
      next();
    };
    next();
  }

  /** Returns now, by both clocks. */
  moment() {
    return { steady: performance.now(), wall: Date.now() };
  }

  /** Takes the answer to a heartbeat. Returns when that was sent, if it was the last one. */
  answered({ event_id: event, lapsed }) {
    this.#unanswered = 0;
    this.lapsed = lapsed === true;
    if (event !== this.#asked) return undefined;
    this.heard = this.#askedAt;
    return this.#askedAt;
  }

  /** Stops the heartbeats, writes what waits, and closes. Returns when that is done. */
  close() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      socket.once('close', resolve);
      socket.end(() => socket.destroy());
    });
  }

  destroy() {
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }
}

module.exports = { Link };
