'use strict';
const process = require('node:process');
const { version } = require('../package.json');
const clock = require('./clock.cjs');
const { ClusterError } = require('./errors.cjs');
const { Link } = require('./link.cjs');
const { listen } = require('./listen.cjs');

const shortGrace = 1000; // ms for handlers when CONTROL is lost: MASTER's grace must not end first
const closing = 2000; // ms for shards to close their connections after a deadline

/**
 * The conversation with CONTROL: which connection is in use, who we are, and how we stop. parts
 * are objects with the packets that they handle, and with what they repeat to a CONTROL that
 * returns.
 */
class Core {
  #events = 0;
  #links = new Set();
  #server;
  #begun; // resolves begun
  #leaseUntil;
  #ends = []; // cancel timers
  #cancelLost = () => {};
  #cancelLease = () => {};
  #onLost = 'autonomous';
  #lostAfter = 0;
  #answers = []; // to the orders to stop, sent when it is done
  #ready = false;
  #serving = false;

  parts = [];
  drains = []; // functions of the bot
  closers = []; // functions that close its shards
  hello; // the first one
  link; // the one with the last HELLO; undefined: CONTROL is away
  stop; // once we are stopping: {deadline, final, error}
  over = false; // nothing is sent any more
  begun = new Promise((resolve) => { this.#begun = resolve; });

  constructor(env, options) {
    this.env = env;
    this.options = options;
  }

  /** Listens for CONTROL. */
  async open() {
    this.#server = await listen(this.env.socket, (socket) => {
      const link = new Link(socket, {
        packet: (from, packet) => this.#packet(from, packet),
        problem: (text) => this.warn(text),
        silent: (from, why) => this.#lost(from, from.heard, why),
        ended: (from) => this.#ended(from),
      });
      this.#links.add(link);
    });
    const term = () => this.halt(this.options.grace, false);
    process.once('SIGTERM', term);
    this.#ends.push(() => process.off('SIGTERM', term));
  }

  warn(text) {
    this.options.log(this.redact(text));
  }

  /** Removes the token from a text: it may be part of a library's error. */
  redact(text) {
    return this.token ? text.replaceAll(this.token, '[redacted]') : text;
  }

  get token() {
    return this.env.token || this.hello?.token || '';
  }

  get lapsed() {
    return this.link === undefined || this.link.lapsed;
  }

  /** Returns an event id that no other request of ours has. */
  event() {
    return `n${++this.#events}`;
  }

  /** Sends a packet to CONTROL, if it is there. */
  send(packet) {
    if (!this.over) this.link?.send(packet);
  }

  /** Sends a packet for other clusters. An error is one that was not sent. */
  offer(packet) {
    if (this.over) throw new ClusterError('STOPPING', 'the cluster has ended');
    if (!this.link) throw new ClusterError('AWAY', 'CONTROL is away');
    this.link.offer(packet);
  }

  /** Reports that every shard was READY once. */
  ready() {
    this.#ready = true;
    this.#reportConnected();
  }

  get isReady() {
    return this.#ready;
  }

  #packet(link, packet) {
    const { op, t, d } = packet;
    if (typeof d !== 'object' || d === null || this.over) return;
    if (op === 2) {
      this.#greeted(link, d);
      return;
    }
    // on a connection without HELLO, or that another one has replaced, only HELLO counts
    if (link !== this.link) return;
    if (op === 7) {
      this.#beaten(link, d);
    } else if (op === 0 && t === 'DRAIN') {
      this.#answers.push((sessions) => ({ op: 0, t, d: { event_id: d.event_id, sessions } }));
      this.halt(Number(d.deadline_ms) || 0, false);
    } else if (op === 0 && t === 'DESTROYING') {
      this.#answers.push(() => ({ op: 0, t, d: { event_id: d.event_id } }));
      this.halt(this.options.grace, true);
    } else {
      this.parts.some((part) => part.packet(op, t, d));
    }
  }

  /** The first HELLO assigns our shards, one on another connection brings CONTROL back. */
  #greeted(link, d) {
    if (d.id !== this.env.manager) {
      this.warn(`HELLO of another manager, ${d.id}: want ${this.env.manager}`);
      link.send({ op: 6, d: { id: this.env.instance } });
      return;
    }
    if (!this.hello) {
      const { shards, total_shards: total } = d;
      if (!Array.isArray(shards) || !shards.every(Number.isSafeInteger) || !(total > 0)) {
        this.warn(`HELLO with shards ${JSON.stringify(shards)} of ${total}: want a list of ids`);
        return;
      }
      this.hello = d;
    }
    link.hellos++;
    link.heard = link.moment();
    link.features = Array.isArray(d.features) ? d.features : [];
    if (d.heartbeat_interval > 0) link.every = d.heartbeat_interval;
    if (d.on_lost) {
      this.#onLost = d.on_lost;
      this.#lostAfter = d.lost_after_ms ?? 0;
    }
    if (d.lease_ms > 0) this.#lease(clock.after(d.lease_ms));
    if (link === this.link) link.send(this.#identify(d.event_id));
    else this.#adopted(link, d);
    if (!this.options.sessions || d.sessions !== undefined || link.hellos > 1) {
      this.#serving = true;
      this.#begun(Array.isArray(d.sessions) ? d.sessions : []);
    }
  }

  /** Returns our answer to a HELLO. */
  #identify(event) {
    const { intents, permits, sessions } = this.options;
    const features = ['heartbeat', 'drain'];
    if (permits) features.push('permits', 'shards');
    if (sessions) features.push('sessions');
    const d = {
      id: this.env.instance,
      event_id: event,
      protocol: 1,
      features,
      sdk: `discluster-node/${version}`,
      pid: process.pid,
      intents,
      state: 'idle',
      shards: this.hello.shards,
      shard_count: this.hello.total_shards,
    };
    if (this.#serving) d.state = 'serving';
    if (this.stop) d.state = 'draining';
    const all = this.sessions();
    if (sessions && all.length > 0) d.sessions = all;
    return { op: 1, d };
  }

  /** Returns all sessions. */
  sessions() {
    return this.parts.flatMap((part) => part.sessions?.() ?? []);
  }

  /** Makes link the connection of CONTROL, which may be another than before. */
  #adopted(link, d) {
    const old = this.link;
    this.link = link;
    old?.close();
    this.#cancelLost();
    link.beat(() => {
      const event = this.event();
      link.send({ op: 7, d: { id: this.env.instance, event_id: event } });
      return event;
    });
    link.send(this.#identify(d.event_id));
    if (this.#serving) this.parts.forEach((part) => part.state?.());
    this.#reportConnected();
    this.parts.forEach((part) => part.again?.());
  }

  /** Reports readiness once to each CONTROL: one that adopts us cannot know. */
  #reportConnected() {
    if (!this.#ready || !this.link || this.link.connected) return;
    this.link.connected = true;
    this.send({ op: 0, t: 'CONNECTED', d: { event_id: this.env.instance } });
  }

  #beaten(link, d) {
    const asked = link.answered(d);
    if (asked === undefined || !(d.lease_ms > 0)) return;
    // from when we sent it: CONTROL cannot have meant a later moment
    this.#lease({ steady: asked.steady + d.lease_ms, wall: asked.wall + d.lease_ms });
  }

  #ended(link) {
    this.#links.delete(link);
    if (!this.over) this.#lost(link, link.moment(), 'it closed the connection');
    this.parts.forEach((part) => part.lost?.(link));
  }

  /** Starts a time without CONTROL, which was last known alive at since. */
  #lost(link, since, why) {
    if (link !== this.link) return;
    this.link = undefined;
    this.parts.forEach((part) => part.lost?.(link));
    if (this.stop) return;
    this.warn(`CONTROL is away, this cluster serves alone: ${why}`);
    if (this.#onLost !== 'exit') return;
    const until = { steady: since.steady + this.#lostAfter, wall: since.wall + this.#lostAfter };
    this.#cancelLost();
    this.#cancelLost = clock.at(until, () => {
      const text = `CONTROL was away for ${this.#lostAfter} ms, and cluster.on_lost is exit`;
      this.halt(shortGrace, false, new ClusterError('LOST', text));
    });
  }

  /** Lets the cluster serve until a moment. A lease is only ever prolonged. */
  #lease(until) {
    if (this.#leaseUntil && clock.left(until) <= clock.left(this.#leaseUntil)) return;
    this.#leaseUntil = until;
    this.#cancelLease();
    this.#cancelLease = clock.at(until, () => {
      this.halt(shortGrace, false, new ClusterError('LOST', 'the lease of this machine ran out'));
    });
  }

  /** Starts the stop, unless it has begun. The process exits with 1 for an error, else with 0. */
  halt(within, final, error) {
    if (this.stop || this.over) return;
    this.stop = { deadline: clock.after(within), final, error };
    if (error) this.warn(`the cluster ends: ${error.message}`);
    this.parts.forEach((part) => part.stopping?.());
    this.#end().catch((reason) => this.warn(`the end failed: ${reason?.stack ?? reason}`))
      .finally(() => this.options.exit(error ? 1 : 0));
  }

  async #end() {
    const { deadline, final, error } = this.stop;
    const order = { deadline: new Date(Date.now() + clock.left(deadline)), final, error };
    const handlers = this.drains.map(async (drain) => drain(order));
    handlers.push(...this.parts.map((part) => part.idle?.()));
    await this.#within(deadline, handlers, 'a drain function failed');
    const closed = this.closers.map(async (close) => close(order));
    await this.#within(clock.after(closing), closed, 'a shard was not closed');
    for (const answer of this.#answers) this.send(answer(this.sessions()));
    await this.leave();
  }

  /** Waits for all of it, or for the deadline. */
  async #within(deadline, work, failed) {
    let cancel;
    const late = new Promise((resolve) => { cancel = clock.at(deadline, resolve); });
    const done = Promise.allSettled(work).then((all) => {
      for (const { reason, status } of all) {
        if (status === 'rejected') this.warn(`${failed}: ${reason?.stack ?? reason}`);
      }
    });
    await Promise.race([late, done]);
    cancel();
  }

  /** Reports that this bot cannot start, and why, and ends the process with 1. */
  async fail(error, code) {
    const { name = 'Error', message = String(error) } = error ?? {};
    const d = { event_id: this.env.instance, error: { name, message: this.redact(message), code } };
    this.send({ op: 4, d });
    await this.leave();
    this.options.exit(1);
  }

  /** Writes what waits, closes the connections and removes the socket. */
  async leave() {
    if (this.over) return;
    this.over = true;
    this.#ends.forEach((end) => end());
    this.#cancelLost();
    this.#cancelLease();
    this.parts.forEach((part) => part.leave?.());
    const links = [...this.#links];
    const closed = Promise.all(links.map((link) => link.close()));
    this.#server?.close();
    await this.#within(clock.after(closing), [closed], 'a connection was not closed');
    links.forEach((link) => link.destroy());
    this.link = undefined;
  }
}

module.exports = { Core };
