'use strict';
// What a bot that connects to Discord itself reports, and the permits that it needs (PROTOCOL B2).
const { performance } = require('node:perf_hooks');
const { uptime } = require('./clock.cjs');
const { ClusterError, invalid, wantFunction } = require('./errors.cjs');

const retryMin = 100; // ms before a postponed permit is requested again
const figuresEvery = 5000; // ms: CONTROL may have ten thousand shards
const sessionsEvery = 1000; // ms: the maximum age of a seq that CONTROL keeps
const states = ['idle', 'waiting_permit', 'connecting', 'identifying', 'resuming', 'ready',
  'disconnected', 'failed'];
const causes = ['start', 'crash', 'reidentify', 'operator'];

/** Leave to send one IDENTIFY. Exactly one of sent and unused must be called. */
class Permit {
  #core;
  #shards;
  #answer;
  #link;
  #until; // performance.now()
  #reported = false;

  constructor(core, shards, answer) {
    this.#core = core;
    this.#shards = shards;
    this.#answer = answer;
    this.#link = core.link;
    this.#until = answer.use_within_ms > 0 ? performance.now() + answer.use_within_ms : Infinity;
  }

  /** Whether it must not be used any more: ask again, without CONTROL there is no IDENTIFY. */
  get overdue() {
    const { use_before: wall = Infinity, use_before_up: up = Infinity } = this.#answer;
    return this.#core.stop !== undefined || this.#core.link !== this.#link ||
      performance.now() >= this.#until || Date.now() >= wall || (up > 0 && uptime() >= up);
  }

  sent() {
    this.#report(true);
  }

  unused() {
    this.#report(false);
  }

  /** Reports once. A CONTROL that returns gets the report of an IDENTIFY that it missed. */
  #report(sent) {
    if (this.#reported) return;
    this.#reported = true;
    const { event_id, shard_id } = this.#answer;
    const packet = { op: 0, t: 'PERMIT', d: { event_id, shard_id, sent } };
    if (this.#core.link) this.#core.send(packet);
    else if (sent) this.#shards.unreported.set(shard_id, packet);
  }
}

/** One gateway session of this cluster. */
class Shard {
  #core;
  #shards;
  status; // as it is reported
  current; // session, or undefined
  moved = false; // its seq is not reported
  figuresMoved = false;
  wasReady = false;
  reported; // the id of the session whose READY was reported,
  reportedGuilds; // and with which guilds
  reconnects = [];

  constructor(core, shards, id) {
    this.#core = core;
    this.#shards = shards;
    this.id = id;
    this.count = core.hello.total_shards;
    this.status = { shard_id: id, state: 'idle' };
  }

  async permit(cause = 'start', { signal } = {}) {
    if (!causes.includes(cause)) throw invalid('the cause of a permit', cause, causes.join(', '));
    for (;;) {
      const answer = await this.#shards.ask(this.id, cause, signal);
      if (answer.granted) return new Permit(this.#core, this.#shards, answer);
      await this.#shards.wait(Math.max(retryMin, Number(answer.retry_after_ms) || 0), signal);
    }
  }

  get session() {
    return this.current && structuredClone(this.current);
  }

  setSession(session) {
    const begins = this.current?.session_id !== session.session_id;
    const { session_id, seq, resume_gateway_url, at = Date.now(), ...rest } = session;
    const place = { shard: this.id, shard_count: this.count };
    const { intents } = this.#core.options;
    const known = { ...place, session_id, seq, resume_gateway_url, at, intents };
    this.current = { ...known, ...rest, ...place };
    this.moved = true;
    if (begins) this.#shards.reportSessions();
    else this.#shards.sessionsSoon();
  }

  dropSession() {
    if (!this.current) return;
    this.current = undefined;
    this.moved = false;
    this.#shards.sendSessions([], [this.id]);
  }

  state(state, closeCode) {
    if (!states.includes(state)) throw invalid('the state of a shard', state, states.join(', '));
    if (this.status.state === state && this.status.close_code === closeCode) return;
    this.status = { ...this.status, state, close_code: closeCode };
    this.figuresMoved = false;
    this.#shards.sendStatus(this);
    if (state === 'ready' && !this.wasReady) {
      this.wasReady = true;
      this.#shards.wasReady();
    }
  }

  figures({ latency, guilds, events } = {}) {
    const latencyMs = latency > 0 ? Math.ceil(latency) : undefined;
    this.status = { ...this.status, latency_ms: latencyMs, guilds, events };
    this.figuresMoved = true;
    this.#shards.figuresSoon();
  }

  onReconnect(fn) {
    this.reconnects.push(wantFunction('the listener of reconnects', fn));
  }
}

class Shards {
  #core;
  #asks = new Map(); // open requests for permits, by event id: {packet, resolve}
  #waits = new Set(); // reject functions of those who wait for a permit
  #figures;
  #moves;
  all = new Map();
  unreported = new Map(); // reports of permits, by shard, that CONTROL has not received

  constructor(core) {
    this.#core = core;
  }

  /** Makes the shards of the first HELLO, with the sessions offered. */
  begin(offered) {
    const { hello, options } = this.#core;
    for (const id of hello.shards) this.all.set(id, new Shard(this.#core, this, id));
    for (const session of options.sessions ? offered : []) {
      const shard = this.all.get(session.shard);
      const intents = options.intents ?? session.intents;
      const fits = session.shard_count === hello.total_shards &&
        (session.intents ?? intents) === intents;
      if (shard && fits) shard.current = session;
    }
  }

  /** Asks for a permit once. */
  ask(shard, cause, signal) {
    const event = this.#core.event();
    const d = { event_id: event, shard_id: shard, cause };
    const packet = { op: 0, t: 'PERMIT', d };
    const answer = this.#wait(signal, (resolve) => {
      this.#asks.set(event, { packet, resolve });
      this.#core.send(packet);
    });
    return answer.finally(() => this.#asks.delete(event));
  }

  /** Waits a number of milliseconds. */
  wait(ms, signal) {
    let timer;
    const over = this.#wait(signal, (resolve) => { timer = setTimeout(resolve, ms); });
    return over.finally(() => clearTimeout(timer));
  }

  /** Waits for what begin starts, for the signal, or for the stop of the cluster. */
  #wait(signal, begin) {
    return new Promise((resolve, reject) => {
      const stopping = () => reject(new ClusterError('STOPPING', 'the cluster is stopping'));
      const aborted = () => done(() => reject(signal.reason));
      const done = (then) => {
        this.#waits.delete(stop);
        signal?.removeEventListener('abort', aborted);
        then();
      };
      const stop = () => done(stopping);
      if (this.#core.stop || this.#core.over) stopping();
      else if (signal?.aborted) reject(signal.reason);
      else {
        this.#waits.add(stop);
        signal?.addEventListener('abort', aborted);
        begin((value) => done(() => resolve(value)));
      }
    });
  }

  packet(op, t, d) {
    if (op !== 0) return false;
    if (t === 'RECONNECT') {
      const shard = this.all.get(d.shard_id);
      shard?.reconnects.forEach((reconnect) => reconnect());
      return true;
    }
    if (t !== 'PERMIT') return false;
    const ask = this.#asks.get(d.event_id);
    if (ask) ask.resolve(d);
    else if (d.granted) { // its requester is gone
      const { event_id, shard_id } = d;
      this.#core.send({ op, t, d: { event_id, shard_id, sent: false } });
    }
    return true;
  }

  sendStatus(shard) {
    if (this.#core.options.permits) this.#core.send({ op: 0, t: 'SHARD', d: shard.status });
  }

  wasReady() {
    if ([...this.all.values()].every((shard) => shard.wasReady)) this.#core.ready();
  }

  figuresSoon() {
    if (this.#core.over) return;
    this.#figures ??= setTimeout(() => {
      this.#figures = undefined;
      for (const shard of this.all.values()) {
        if (shard.figuresMoved) this.sendStatus(shard);
        shard.figuresMoved = false;
      }
    }, figuresEvery);
  }

  sessionsSoon() {
    if (this.#core.over) return;
    this.#moves ??= setTimeout(() => this.reportSessions(), sessionsEvery);
  }

  /** Sends every session that changed, READY's data with the first report of a session only. */
  reportSessions() {
    clearTimeout(this.#moves);
    this.#moves = undefined;
    const moved = [];
    for (const shard of this.all.values()) {
      if (!shard.moved) continue;
      shard.moved = false;
      const { user_id, application_id, guilds, ...rest } = shard.current;
      const known = shard.reported === rest.session_id && shard.reportedGuilds === guilds;
      moved.push(known ? rest : { ...rest, user_id, application_id, guilds });
      shard.reported = rest.session_id;
      shard.reportedGuilds = guilds;
    }
    this.sendSessions(moved, []);
  }

  sendSessions(sessions, gone) {
    if (!this.#core.options.sessions || sessions.length + gone.length === 0) return;
    const d = {};
    if (sessions.length > 0) d.sessions = sessions;
    if (gone.length > 0) d.gone = gone;
    this.#core.send({ op: 0, t: 'SESSIONS', d });
  }

  /** Returns the state of every shard, as stats() shows it. */
  stats() {
    const { isReady, options } = this.#core;
    const state = isReady ? 'ready' : 'idle'; // where the shards report nothing themselves
    return [...this.all.values()].map(({ status }) => {
      return options.permits ? status : { ...status, state };
    });
  }

  // What a CONTROL that returns must learn, and what ends with a stop: see Core.

  sessions() {
    return [...this.all.values()].flatMap(({ current }) => current ?? []);
  }

  state() {
    const shards = [...this.all.values()];
    this.sendSessions([], shards.filter(({ current }) => !current).map(({ id }) => id));
    shards.forEach((shard) => this.sendStatus(shard));
  }

  again() {
    for (const packet of this.unreported.values()) this.#core.send(packet);
    this.unreported.clear();
    for (const { packet } of this.#asks.values()) this.#core.send(packet);
  }

  stopping() {
    for (const stop of [...this.#waits]) stop();
  }

  leave() {
    this.stopping();
    clearTimeout(this.#figures);
    clearTimeout(this.#moves);
  }
}

module.exports = { Shards };
