'use strict';
const process = require('node:process');
const { Core } = require('./core.cjs');
const { readEnvironment } = require('./environment.cjs');
const { ClusterError, invalid, wantFunction } = require('./errors.cjs');
const { Requests } = require('./requests.cjs');
const { Shards } = require('./shards.cjs');
const { all, shardOf } = require('./targets.cjs');

const helloTimeout = 30_000; // ms (PROTOCOL A3, 6)
const grace = 5000; // ms for drain functions after a SIGTERM or DESTROYING

/** This process as a member of the fleet. join makes one. */
class Cluster {
  #core;
  #requests;
  #shards;

  constructor(core, requests, shards) {
    this.#core = core;
    this.#requests = requests;
    this.#shards = shards;
  }

  get id() { return this.#core.env.id; }
  get count() { return this.#core.env.count; }
  get shards() { return [...this.#core.hello.shards]; }
  get shardCount() { return this.#core.hello.total_shards; }
  get maxConcurrency() { return this.#core.env.maxConcurrency; }
  get token() { return this.#core.token; }
  get lapsed() { return this.#core.lapsed; }
  get stopping() { return this.#core.stop !== undefined || this.#core.over; }

  shardOf(guildId) { return shardOf(guildId, this.shardCount); }

  ask(targets, name, data, options) { return this.#requests.ask(targets, name, data, options); }
  handle(name, fn) { this.#requests.handle(name, fn); }
  tell(targets, message) { return this.#requests.tell(targets, message); }
  onMessage(fn) { this.#requests.onMessage(fn); }
  onUndelivered(fn) { this.#requests.onUndelivered(fn); }
  stats(options) { return this.ask(all(), 'discluster.stats', null, options); }

  ready() { this.#core.ready(); }
  onDrain(fn) { this.#core.drains.push(wantFunction('the drain function', fn)); }
  fail(error, closeCode) { return this.#core.fail(error, closeCode); }
  close() { return this.#core.leave(); }

  shard(id) {
    const shard = this.#shards.all.get(id);
    if (!shard) throw invalid('the id of a shard', id, `one of ${this.shards}`);
    if (!this.#core.options.permits) {
      throw new ClusterError('INVALID', `shard ${id}: call join({ permits: true }) to use it`);
    }
    return shard;
  }

  /** Closes the shards at the end, after the drain functions: for this package's hooks. */
  onClose(fn) { this.#core.closers.push(fn); }

  /** Whether a stop ends the sessions: for this package's hooks. */
  get final() { return this.#core.stop?.final === true; }

  /** The declared intents: for this package's hooks. */
  get intents() { return this.#core.options.intents; }

  /** Whether join announced sessions: for this package's hooks. */
  get keepsSessions() { return this.#core.options.sessions; }
}

/** Waits for CONTROL's HELLO. See index.d.ts. */
async function join(given = {}) {
  const options = read(given);
  const env = readEnvironment(options.env);
  const core = new Core(env, options);
  const shards = new Shards(core);
  const requests = new Requests(core, () => shards.stats());
  core.parts.push(shards, requests);
  core.begun = core.begun.then((offered) => shards.begin(offered));
  await core.open();
  let timer;
  const late = new Promise((_, reject) => {
    const text = `join: no HELLO of CONTROL within ${options.timeout} ms at ${env.socket}`;
    timer = setTimeout(() => {
      if (!core.hello) reject(new ClusterError('NO_ANSWER', text));
    }, options.timeout);
  });
  try {
    await Promise.race([core.begun, late]);
  } catch (error) {
    await core.leave();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return new Cluster(core, requests, shards);
}

/** Checks the options of join, and fills in the others. */
function read(given) {
  const usual = {
    permits: false,
    sessions: false,
    intents: undefined,
    grace,
    timeout: helloTimeout,
    env: process.env,
    log: (text) => process.stderr.write(`discluster: ${text}\n`),
    exit: (code) => process.exit(code),
  };
  for (const name of Object.keys(given)) {
    if (!(name in usual)) throw invalid('an option of join', name, Object.keys(usual).join(', '));
  }
  const options = { ...usual };
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) options[name] = value;
  }
  for (const name of ['grace', 'timeout']) {
    if (!(options[name] >= 0 && options[name] <= 300_000)) {
      throw invalid(`join: ${name}`, options[name], '0 to 300000 milliseconds');
    }
  }
  if (options.sessions && !options.permits) {
    throw invalid('join: permits', options.permits, 'true, as sessions is');
  }
  const { intents } = options;
  if (Array.isArray(intents)) options.intents = intents.reduce((bits, bit) => bits | bit, 0);
  const bad = intents !== undefined && !Number.isSafeInteger(options.intents);
  if (bad || (options.sessions && intents === undefined)) {
    throw invalid('join: intents', intents, 'those of the client, as a number or a list of bits');
  }
  return options;
}

module.exports = { join };
