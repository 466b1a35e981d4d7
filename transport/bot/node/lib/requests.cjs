'use strict';
// REQUEST and MESSAGE (PROTOCOL B2, A4): what clusters send each other through CONTROL.
const { ClusterError, during, invalid, show, wantFunction } = require('./errors.cjs');
const { address } = require('./targets.cjs');

const timeoutUsual = 10_000; // ms
const timeoutMax = 300_000; // CONTROL waits no longer
const slack = 2000; // that CONTROL's own answer may take beyond a request's deadline
const openMax = 1024; // unanswered requests, ours and those that we handle
const ownNames = 'discluster.'; // begins the names of this package's handlers

/** Returns what a handler threw as a text: an Error of another class with its name. */
function failure(error) {
  try {
    const named = error instanceof Error && error.name !== 'Error';
    return named ? String(error) : String(error?.message ?? error);
  } catch {
    return 'its handler threw a value that is no text'; // an object without a prototype
  }
}

/** Returns the text of an error of CONTROL, {name, message}. */
const refusal = (result) => String(result?.message ?? 'it gave no reason');

/** What a handler gets beside the data. */
class RequestInfo {
  #controller; // made when it is used: most handlers do not
  #reason;

  constructor(name, from) {
    this.name = name;
    this.from = from;
  }

  get signal() {
    this.#controller ??= new AbortController();
    if (this.#reason) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  /** Has the signal aborted. */
  static abort(info, reason) {
    info.#reason = reason;
    info.#controller?.abort(reason);
  }
}

class Requests {
  #core;
  #stats;
  #open = new Map(); // by event id: {link, resolve, reject, timer}
  #handlers = new Map();
  #handling = new Map(); // timers until too late, by RequestInfo
  #idle = []; // resolve when no request is handled
  #listeners = [];
  #undelivered = [];

  /** stats returns the state of our shards. */
  constructor(core, stats) {
    this.#core = core;
    this.#stats = stats;
  }

  /** Calls a handler by its name in clusters, and waits for all of them. */
  async ask(to, name, data, { timeout = timeoutUsual } = {}) {
    if (typeof name !== 'string' || name === '') {
      throw invalid('the name of a handler', name, 'a text that is not empty');
    }
    if (!Number.isFinite(timeout) || timeout < 1 || timeout > timeoutMax) {
      throw invalid('timeout', timeout, `1 to ${timeoutMax} milliseconds`);
    }
    if (this.#open.size >= openMax) {
      const text = `ask ${show(name)}: ${openMax} requests are open, the limit: wait for an answer`;
      throw new ClusterError('BUSY', text);
    }
    const core = this.#core;
    const within = Math.round(timeout);
    const event = core.event();
    const d = { event_id: event, name, data: data === undefined ? null : data };
    Object.assign(d, address(to, core.env.count, core.hello.total_shards));
    Object.assign(d, { from: core.env.id, timeout_ms: within });
    try {
      core.offer({ op: 0, t: 'REQUEST', d });
    } catch (error) {
      throw during(`ask ${show(name)}`, error);
    }
    return new Promise((resolve, reject) => {
      const fail = (code, text) => {
        this.#close(event);
        reject(new ClusterError(code, `ask ${show(name)}: ${text}`));
      };
      const late = `CONTROL did not answer within ${within + slack} ms`;
      const timer = setTimeout(() => fail('NO_ANSWER', late), within + slack);
      this.#open.set(event, { link: core.link, resolve, fail, timer });
    });
  }

  #close(event) {
    clearTimeout(this.#open.get(event)?.timer);
    this.#open.delete(event);
  }

  /** Answers requests of this name by a function. */
  handle(name, fn) {
    if (typeof name !== 'string' || name === '' || name.startsWith(ownNames)) {
      const rule = `a text that is not empty and does not begin with "${ownNames}"`;
      throw invalid('the name of a handler', name, rule);
    }
    this.#handlers.set(name, wantFunction(`the handler of ${show(name)}`, fn));
  }

  /** Sends a message, and returns its id. */
  tell(to, message) {
    const core = this.#core;
    const event = core.event();
    const d = { event_id: event, message: message === undefined ? null : message };
    Object.assign(d, address(to, core.env.count, core.hello.total_shards), { from: core.env.id });
    try {
      core.offer({ op: 0, t: 'MESSAGE', d });
    } catch (error) {
      throw during('tell', error);
    }
    return event;
  }

  onMessage(fn) {
    this.#listeners.push(wantFunction('the listener of messages', fn));
  }

  onUndelivered(fn) {
    this.#undelivered.push(wantFunction('the listener of undelivered messages', fn));
  }

  /** Handles a packet of another cluster, or an answer of CONTROL. */
  packet(op, t, d) {
    if (t === 'REQUEST') {
      if (typeof d.name === 'string') this.#asked(d);
      else this.#answered(op, d);
    } else if (t === 'MESSAGE') {
      if (op === 0) this.#heard(d);
      else this.#missed(d);
    } else {
      this.#refuse(op, t, d);
    }
    return true;
  }

  #answered(op, d) {
    const open = this.#open.get(d.event_id);
    if (!open) return;
    if (op === 4) {
      open.fail('REFUSED', `CONTROL refused it: ${refusal(d.result)}`);
      return;
    }
    this.#close(d.event_id);
    const values = Array.isArray(d.result) ? d.result : [];
    const from = Array.isArray(d.clusters) ? d.clusters : [];
    const results = from.map((cluster, i) => ({ cluster, value: values[i] }));
    open.resolve({ results, errors: Array.isArray(d.errors) ? d.errors : [] });
  }

  #asked(d) {
    const { event_id: event, name } = d;
    const handler = name === `${ownNames}stats` ? this.#stats : this.#handlers.get(name);
    if (!handler) {
      this.#answerError(event, `no handler has the name ${JSON.stringify(name)}`);
    } else if (this.#handling.size >= openMax) {
      this.#answerError(event, `${openMax} requests are being handled, the limit`);
    } else {
      this.#run(event, handler, d);
    }
  }

  /** Runs a handler, whose failure costs its own answer alone. */
  #run(event, handler, { name, data, from, timeout_ms: given }) {
    const within = given > 0 ? given : timeoutUsual;
    const info = new RequestInfo(name, from);
    const end = (answer) => {
      if (!this.#handling.has(info)) return; // it was answered before
      clearTimeout(this.#handling.get(info));
      this.#handling.delete(info);
      answer();
      if (this.#handling.size === 0) this.#idle.splice(0).forEach((resolve) => resolve());
    };
    this.#handling.set(info, setTimeout(() => {
      const text = `handler ${JSON.stringify(name)} did not answer within ${within} ms`;
      end(() => this.#answerError(event, text));
      RequestInfo.abort(info, new ClusterError('NO_ANSWER', text));
    }, within));
    const call = async () => handler(data ?? null, info);
    call().then(
      (value) => end(() => this.#answer(event, value)),
      (error) => end(() => this.#answerError(event, failure(error))),
    );
  }

  #answer(event, value) {
    const no = typeof value === 'function' || typeof value === 'symbol';
    try {
      if (no) throw new ClusterError('INVALID', `the data is no JSON (it is a ${typeof value})`);
      const result = value === undefined ? null : value;
      this.#core.offer({ op: 0, t: 'REQUEST', d: { event_id: event, result } });
    } catch (error) {
      if (error.code === 'AWAY' || error.code === 'STOPPING') return;
      this.#answerError(event, `its answer cannot be sent: ${error.message}`);
    }
  }

  #answerError(event, text) {
    const message = this.#core.redact(text);
    const result = { name: 'Error', message };
    try {
      this.#core.offer({ op: 4, t: 'REQUEST', d: { event_id: event, result } });
    } catch (error) {
      if (error.code === 'AWAY' || error.code === 'STOPPING') return;
      this.#core.warn(`an answer to another cluster is lost: ${error.message}`);
    }
  }

  #heard({ message, from }) {
    for (const listener of this.#listeners) {
      this.#call(listener, 'a listener of messages', message ?? null, { from });
    }
  }

  #missed({ event_id: id, errors, result }) {
    const failed = Array.isArray(errors) ? errors : [{ error: refusal(result) }];
    if (this.#undelivered.length === 0) {
      const { cluster = 'CONTROL', error } = failed[0] ?? {};
      this.#core.warn(`message ${id} did not reach ${failed.length}, first ${cluster}: ${error}`);
    }
    for (const listener of this.#undelivered) {
      this.#call(listener, 'a listener of undelivered messages', { id, errors: failed });
    }
  }

  /** Calls a function of the bot, whose failure is logged. */
  #call(fn, what, ...args) {
    const call = async () => fn(...args);
    call().catch((error) => this.#core.warn(`${what} failed: ${error?.stack ?? error}`));
  }

  /** Answers what only a stock bot does as upstream answers a failed one (PROTOCOL A4). */
  #refuse(op, t, d) {
    const { event_id: event } = d;
    const error = (message) => {
      return { op: 4, t, d: { event_id: event, result: { name: 'Error', message } } };
    };
    let answer;
    if (op === 3 && d.op !== undefined) {
      answer = { op, d: { event_id: event, success: false } };
    } else if (op === 0 && t === 'BROADCAST_EVAL' && d.script !== undefined) {
      answer = error('this cluster runs no scripts');
    } else if (op === 0 && t === 'GUILD_MEMBERS_REQUEST' && d.members === undefined) {
      answer = error('this cluster lists no members');
    }
    if (answer && event) this.#core.send(answer);
  }

  /** Ends the requests that were sent on a connection: no answer comes. */
  lost(link) {
    for (const open of [...this.#open.values()]) {
      if (open.link === link) open.fail('AWAY', 'CONTROL went away before it answered');
    }
  }

  /** Returns a promise that resolves when no request is handled. */
  idle() {
    if (this.#handling.size === 0) return undefined;
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  leave() {
    const reason = new ClusterError('STOPPING', 'the cluster has ended');
    for (const open of [...this.#open.values()]) open.fail('STOPPING', reason.message);
    for (const [info, timer] of this.#handling) {
      clearTimeout(timer);
      RequestInfo.abort(info, reason);
    }
    this.#handling.clear();
  }
}

module.exports = { Requests };
