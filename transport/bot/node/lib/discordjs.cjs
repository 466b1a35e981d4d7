'use strict';
// discord.js 14 without a gateway host: permits before its identifies, and sessions that CONTROL
// keeps. It uses the two hooks of Client's options that discord.js has for this.
const { setTimeout: sleep } = require('node:timers/promises');
const { ClusterError, invalid } = require('./errors.cjs');
const { restore } = require('./restore.cjs');

const fatal = [4004, 4010, 4011, 4012, 4013, 4014]; // close codes (PROTOCOL B5)
const ended = 1000; // a close that ends the session
const kept = 4000; // one that keeps it
const reconnect = { identify: 0, resume: 1 }; // WebSocketShardDestroyRecovery of @discordjs/ws
const heldMax = 100_000; // events of a shard that wait until the client is ready for them
const guildsFor = 16_000; // ms after a guild in which the next one comes: discord.js waits 15 s
// Events that discord.js handles before all its shards are READY. It queues the others, and handles
// those later, between events that came after them.
const early = ['READY', 'RESUMED', 'GUILD_CREATE', 'GUILD_DELETE', 'GUILD_MEMBERS_CHUNK',
  'GUILD_MEMBER_ADD', 'GUILD_MEMBER_REMOVE'];
const resumeEvery = 60_000; // ms, while another machine may serve the shard (PROTOCOL B2)

/** Returns the options of Client that make it use the cluster's shards, permits and sessions. */
function discordjs(cluster) {
  cluster.shards.forEach((id) => cluster.shard(id)); // an error without permits
  return {
    shards: cluster.shards,
    shardCount: cluster.shardCount,
    ws: {
      buildIdentifyThrottler: () => new Throttler(cluster),
      buildStrategy: (manager) => new Strategy(cluster, manager),
    },
  };
}

/** Asks CONTROL for a permit before each identify. */
class Throttler {
  #cluster;
  #identified = new Set();

  constructor(cluster) {
    this.#cluster = cluster;
  }

  /** Returns when shard id may identify. discord.js then does so at once. */
  async waitForIdentify(id, signal) {
    const shard = this.#cluster.shard(id);
    shard.state('waiting_permit');
    for (;;) {
      const permit = await this.#permit(shard, signal);
      if (signal.aborted || permit.overdue) {
        permit.unused();
        continue;
      }
      this.#identified.add(id);
      shard.state('identifying');
      setImmediate(() => permit.sent()); // it is written in the microtasks that follow
      return;
    }
  }

  async #permit(shard, signal) {
    try {
      const cause = this.#identified.has(shard.id) ? 'reidentify' : 'start';
      return await shard.permit(cause, { signal });
    } catch (error) {
      if (signal.aborted || error.code !== 'STOPPING') throw error;
      // discord.js identifies after any error that is no abort
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    }
  }
}

/** What this package knows of a shard of the client. */
class Hook {
  constructor(shard) {
    this.shard = shard;
    this.offered = shard.session; // a session that was not tried so far
  }

  offered;
  session; // as it is reported
  guilds = new Set();
  connecting = true; // no HELLO of Discord so far
  resumedAt = -Infinity;
  events = 0;
  resumes = false; // the session of another process: its caches are not filled so far
  restoring; // an object for each time that they are filled
  expected; // guilds of READY that have not come
  complete = false; // all have come, or too late
  timer; // until too late
  held = []; // events that wait
}

/** The strategy of @discordjs/ws for one process, with its sessions and events passing here. */
class Strategy {
  #cluster;
  #manager;
  #plain; // discord.js' own
  #hooks = new Map();
  #started = false; // every shard was complete once

  constructor(cluster, manager) {
    this.#cluster = cluster;
    this.#manager = manager;
    const { options } = manager;
    if (cluster.keepsSessions && options.intents !== cluster.intents) {
      throw invalid('intents of the client', options.intents, `${cluster.intents}, as of join`);
    }
    // its class is that of a manager without ours: this package does not depend on @discordjs/ws
    const { buildStrategy, ...rest } = options;
    const Plain = new manager.constructor(rest).strategy.constructor;
    this.#plain = new Plain(this.#relay());
    for (const id of cluster.shards) {
      const hook = new Hook(cluster.shard(id));
      this.#hooks.set(id, hook);
      hook.shard.onReconnect(() => this.#destroy(id, kept, reconnect.resume, 'CONTROL orders it'));
    }
    const { retrieveSessionInfo: retrieve, updateSessionInfo: update } = options;
    options.retrieveSessionInfo = (id) => this.#retrieve(id, retrieve, update);
    options.updateSessionInfo = (id, info) => this.#update(id, info, update);
    cluster.onClose(({ final }) => this.destroy({ code: final ? ended : kept }));
  }

  spawn(ids) {
    const others = ids.filter((id) => !this.#hooks.has(id));
    if (others.length > 0) {
      throw invalid('the shards of the client', others, `some of ${this.#cluster.shards}`);
    }
    return this.#plain.spawn(ids);
  }

  connect() {
    for (const { shard } of this.#hooks.values()) shard.state('connecting');
    return this.#plain.connect();
  }

  /** Ends all shards. While the cluster drains, with a close that keeps the sessions. */
  destroy(options = {}) {
    const code = this.#cluster.stopping && !this.#cluster.final ? kept : options.code;
    return this.#plain.destroy({ ...options, code });
  }

  send(id, payload) {
    return this.#plain.send(id, payload);
  }

  fetchStatus() {
    return this.#plain.fetchStatus();
  }

  #destroy(id, code, recover, reason) {
    return this.#plain.shards.get(id)?.destroy({ code, recover, reason });
  }

  /** Returns the manager, except that what its shards emit passes through here. */
  #relay() {
    return new Proxy(this.#manager, {
      get: (manager, key) => {
        if (key === 'emit') return (event, payload) => this.#event(event, payload);
        const value = manager[key];
        return typeof value === 'function' ? value.bind(manager) : value;
      },
    });
  }

  /** Returns the session that a shard should resume, at first the one that CONTROL kept. */
  async #retrieve(id, retrieve, update) {
    const hook = this.#hooks.get(id);
    const own = await retrieve(id);
    if (!hook.connecting) return own;
    await this.#turn(hook, own ?? hook.offered);
    if (own || !hook.offered) return own;
    const { session_id: sessionId, seq: sequence, resume_gateway_url: resumeURL } = hook.offered;
    const info = { sessionId, sequence, resumeURL, shardId: id, shardCount: hook.shard.count };
    await update(id, info);
    hook.session = hook.offered;
    hook.guilds = new Set(hook.offered.guilds);
    hook.resumes = true;
    return info;
  }

  /** Waits until a session may be resumed: another machine may serve the shard, too. */
  async #turn(hook, session) {
    const rest = () => hook.resumedAt + resumeEvery - Date.now();
    while (session && this.#cluster.lapsed && rest() > 0) await sleep(Math.min(rest(), 1000));
    if (session) hook.resumedAt = Date.now();
  }

  async #update(id, info, update) {
    await update(id, info);
    if (info || this.#cluster.stopping) return;
    const hook = this.#hooks.get(id);
    if (hook.resumes) hook.held = []; // of guilds that the client does not know
    hook.resumes = false;
    hook.offered = hook.session = hook.restoring = undefined;
    hook.shard.dropSession();
  }

  /** Passes on what a shard emits. */
  #event(event, payload) {
    const hook = this.#hooks.get(payload.shardId);
    switch (event) {
      case 'hello':
        hook.connecting = false;
        if (hook.session) hook.shard.state('resuming');
        break;
      case 'ready':
        this.#began(hook, payload.data);
        break;
      case 'resumed':
        hook.shard.state('ready');
        if (hook.resumes && !hook.restoring) this.#restore(hook);
        break;
      case 'closed':
        hook.connecting = true;
        this.#closed(hook, payload.code);
        break;
      case 'heartbeat':
        hook.shard.figures({
          latency: payload.latency,
          guilds: hook.guilds.size,
          events: hook.events,
        });
        break;
      default:
    }
    return this.#holds(hook, event, payload) || this.#pass(hook, event, payload);
  }

  /** Keeps an event for which the client is not ready, and reports whether it does. */
  #holds(hook, event, payload) {
    const dispatch = event === 'dispatch';
    const must = hook.resumes ? dispatch || event === 'resumed'
      : dispatch && !this.#started && !early.includes(payload.data.t);
    if (!must) return false;
    hook.held.push([event, payload]);
    if (hook.held.length > heldMax) this.#giveUp(hook, `${heldMax} events wait, the limit`);
    return true;
  }

  /** Gives an event to the client, and reports it as handled. */
  #pass(hook, event, payload) {
    const result = this.#manager.emit(event, payload);
    if (event === 'dispatch') this.#handled(hook, payload.data);
    return result;
  }

  #handled(hook, { t, s, d }) {
    hook.events++;
    const before = hook.guilds.size;
    if (t === 'GUILD_CREATE') hook.guilds.add(d.id);
    if (t === 'GUILD_DELETE' && !d.unavailable) hook.guilds.delete(d.id);
    const changed = hook.guilds.size !== before;
    if (t === 'READY' || t === 'GUILD_CREATE' || t === 'GUILD_DELETE') this.#came(hook, d.id);
    if (!hook.session) return;
    const { guilds, seq } = hook.session;
    hook.session = {
      ...hook.session,
      at: undefined, // now
      seq: hook.held.length === 0 ? s ?? seq : seq, // what waits is not handled
      guilds: changed ? [...hook.guilds] : guilds,
    };
    if (this.#cluster.keepsSessions) hook.shard.setSession(hook.session);
  }

  /** Handles a guild of READY that has come, or READY itself. */
  #came(hook, id) {
    if (this.#started || !hook.expected) return;
    hook.expected.delete(id);
    clearTimeout(hook.timer);
    const complete = () => {
      hook.complete = true;
      this.#start();
    };
    if (hook.expected.size === 0) complete();
    else hook.timer = setTimeout(complete, guildsFor).unref();
  }

  /** Passes on what waits once every shard is complete: the client is ready for it. */
  #start() {
    if (![...this.#hooks.values()].every(({ complete }) => complete)) return;
    this.#started = true;
    for (const hook of this.#hooks.values()) this.#release(hook);
  }

  #release(hook) {
    const waited = hook.held;
    hook.held = [];
    for (const [event, payload] of waited) {
      if (!this.#holds(hook, event, payload)) this.#pass(hook, event, payload);
    }
  }

  #began(hook, ready) {
    if (hook.resumes) hook.held = [];
    hook.resumes = hook.complete = false;
    hook.offered = hook.restoring = undefined;
    hook.guilds = new Set(ready.guilds.map(({ id }) => id));
    hook.expected = new Set(hook.guilds);
    hook.session = {
      session_id: ready.session_id,
      resume_gateway_url: ready.resume_gateway_url,
      seq: 1,
      user_id: ready.user.id,
      application_id: ready.application.id,
      guilds: [...hook.guilds],
    };
    hook.shard.state('ready');
    if (this.#cluster.keepsSessions) hook.shard.setSession(hook.session);
  }

  #closed(hook, code) {
    if (!fatal.includes(code)) {
      hook.shard.state('disconnected', code);
      return;
    }
    hook.shard.state('failed', code);
    const error = new ClusterError('REFUSED', `Discord closed shard ${hook.shard.id} with ${code}`);
    this.#cluster.fail(error, code);
  }

  /**
   * Fills the caches of a client whose shard resumed the session of another process: RESUME brings
   * no READY and no guilds. Its events wait for that.
   */
  async #restore(hook) {
    const current = hook.restoring = {};
    const shardId = hook.shard.id;
    const valid = () => hook.restoring === current;
    try {
      await restore(this.#manager.options.rest, hook.session, (t, d) => {
        if (!valid()) return;
        if (t === 'READY') hook.guilds = new Set(d.guilds.map(({ id }) => id));
        if (t === 'GUILD_DELETE') hook.guilds.delete(d.id);
        if (t === 'READY') this.#manager.emit('ready', { data: d, shardId });
        this.#manager.emit('dispatch', { data: { op: 0, t, s: null, d }, shardId });
      }, valid);
    } catch (error) {
      if (valid()) this.#giveUp(hook, error.message);
      return;
    }
    if (!valid()) return;
    hook.offered = hook.restoring = undefined;
    hook.resumes = false;
    hook.complete = true;
    hook.session = { ...hook.session, guilds: [...hook.guilds] };
    this.#release(hook);
    this.#start();
  }

  /** Ends a session whose caches cannot be filled; the shard identifies, with a permit. */
  #giveUp(hook, why) {
    hook.restoring = undefined;
    const { id } = hook.shard;
    this.#manager.emit('debug', { message: `cannot restore the guilds: ${why}`, shardId: id });
    void this.#destroy(id, ended, reconnect.identify, 'the guilds cannot be restored');
  }
}

module.exports = { discordjs };
