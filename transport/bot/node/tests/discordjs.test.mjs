// The hooks of discord.js against a manager and shards in place of @discordjs/ws: test/e2e of the
// repository runs the real ones.
import assert from 'node:assert/strict';
import test from 'node:test';
import { discordjs } from '../index.mjs';
import control from './control.cjs';

const { joined } = control;
const hooks = { permits: true, sessions: true, intents: 1 };
const turn = () => new Promise(setImmediate);

/** Discord.js' own strategy. */
class Plain {
  static last; // the one that was made last
  shards = new Map();
  ends = []; // how shards were ended

  constructor(manager) {
    this.manager = manager;
    Plain.last = this;
  }

  spawn(ids) {
    for (const id of ids) this.shards.set(id, { destroy: (how) => this.#end(id, how) });
  }

  connect() {}

  async destroy(how) {
    for (const id of this.shards.keys()) await this.#end(id, { ...how });
  }

  async #end(id, how) {
    this.ends.push([id, how.code]);
    if (how.recover !== 1) await this.manager.options.updateSessionInfo(id, null);
  }
}

/** A WebSocketManager with discord.js' options. */
class Manager {
  seen = []; // what the client gets, as "SHARD EVENT"

  constructor(options) {
    this.options = { buildStrategy: (manager) => new Plain(manager), intents: 1, ...options };
    this.strategy = this.options.buildStrategy(this);
  }

  emit(event, { shardId, data }) {
    this.seen.push(`${shardId} ${data?.t ?? event}${data?.d?.id ? ` ${data.d.id}` : ''}`);
    return true;
  }
}

/** REST with guilds, of which 9 is not the bot's any more. */
const rest = {
  asked: [],
  async get(route) {
    this.asked.push(route);
    if (route.startsWith('/guilds/9')) throw Object.assign(new Error('gone'), { status: 404 });
    if (route === '/users/@me/guilds') return [{ id: '8388608' }, { id: '12582912' }];
    const [, kind, id] = route.split('/');
    if (route.endsWith('/channels')) return [{ id: '3' }];
    if (route.endsWith('/threads/active')) return { threads: [] };
    return kind === 'guilds' ? { id, approximate_member_count: 5 } : { id: '7' };
  },
};

/** Returns a manager with our strategy, the one of discord.js in it, and what its shards emit. */
function client(cluster) {
  const sessions = new Map();
  const { ws } = discordjs(cluster);
  const manager = new Manager({
    rest,
    buildStrategy: ws.buildStrategy,
    retrieveSessionInfo: (id) => sessions.get(id) ?? null,
    updateSessionInfo: (id, info) => { sessions.set(id, info); },
  });
  const plain = Plain.last;
  manager.strategy.spawn([2, 3]);
  const emit = (shardId, event, more = {}) => plain.manager.emit(event, { shardId, ...more });
  const dispatch = (shardId, s, t, d = {}) => {
    emit(shardId, 'dispatch', { data: { op: 0, s, t, d } });
  };
  const throttler = ws.buildIdentifyThrottler(manager);
  return { dispatch, emit, manager, plain, sessions, throttler };
}

const ready = (id, guilds) => ({
  session_id: `s${id}`, resume_gateway_url: 'wss://x', user: { id: '7' }, application: { id: '8' },
  guilds: guilds.map((guild) => ({ id: guild, unavailable: true })),
});

test('an identify waits for its permit, and is reported when it is written', async (t) => {
  const { cluster, control } = await joined(t, hooks);
  const { throttler } = client(cluster);
  let written = false;
  const waiting = throttler.waitForIdentify(2, new AbortController().signal)
    .then(() => { written = true; });
  const { d } = await control.next('PERMIT');
  assert.deepEqual([d.shard_id, d.cause, written], [2, 'start', false]);
  control.send({ op: 0, t: 'PERMIT', d: { ...d, granted: true, use_within_ms: 0.001 } });
  assert.equal((await control.next('PERMIT')).d.sent, false, 'the permit was overdue');
  const { d: again } = await control.next('PERMIT');
  control.send({ op: 0, t: 'PERMIT', d: { ...again, granted: true, use_within_ms: 60_000 } });
  assert.equal((await control.next('PERMIT')).d.sent, true);
  assert.ok(written);
  await waiting;
  const controller = new AbortController();
  const next = throttler.waitForIdentify(2, controller.signal);
  assert.equal((await control.next('PERMIT')).d.cause, 'reidentify');
  controller.abort();
  await assert.rejects(next, { name: 'AbortError' });
});

test('a cluster that ends neither grants nor fails: discord.js would identify', async (t) => {
  const { cluster } = await joined(t, hooks);
  const { throttler } = client(cluster);
  const controller = new AbortController();
  let ended = false;
  const waiting = throttler.waitForIdentify(2, controller.signal).finally(() => { ended = true; });
  waiting.catch(() => {});
  await cluster.close();
  await turn();
  assert.equal(ended, false);
  controller.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
});

test('a resumed client gets its guilds before the events that it missed', async (t) => {
  const offered = {
    shard: 2, shard_count: 4, session_id: 'a', seq: 5, resume_gateway_url: 'wss://x', intents: 1,
    guilds: ['8388608', '9'],
  };
  const { cluster, control } = await joined(t, hooks, { sessions: [offered] });
  const { dispatch, emit, manager, sessions } = client(cluster);
  const info = { sessionId: 'a', sequence: 5, resumeURL: 'wss://x', shardId: 2, shardCount: 4 };
  assert.deepEqual(await manager.options.retrieveSessionInfo(2), info);
  assert.deepEqual(sessions.get(2), info);
  assert.equal(await manager.options.retrieveSessionInfo(3), null);
  emit(2, 'hello');
  dispatch(2, 6, 'MESSAGE_CREATE', { id: '100' });
  dispatch(2, 7, 'RESUMED');
  emit(2, 'resumed');
  emit(3, 'hello');
  emit(3, 'ready', { data: ready(3, ['12582912', '29360128']) });
  const { d } = await control.next('SESSIONS');
  assert.deepEqual(d.sessions.map(({ shard, seq }) => [shard, seq]), [[3, 1]], 'not of shard 2');
  dispatch(3, 1, 'READY', ready(3, ['12582912', '29360128']));
  dispatch(3, 2, 'MESSAGE_CREATE', { id: '200' });
  dispatch(3, 3, 'GUILD_CREATE', { id: '29360128' });
  assert.equal(cluster.shard(3).session.seq, 1, 'not reported: the message waits');
  while (!manager.seen.includes('2 resumed')) await turn();
  const of2 = manager.seen.filter((text) => text.startsWith('2'));
  assert.deepEqual(of2, [
    '2 hello', '2 ready', '2 READY', '2 GUILD_CREATE 8388608', '2 GUILD_DELETE 9', '2 RESUMED',
    '2 resumed',
  ]);
  manager.seen.length = 0;
  dispatch(3, 4, 'GUILD_CREATE', { id: '12582912' });
  assert.equal(cluster.shard(3).session.seq, 4);
  assert.deepEqual(manager.seen, [
    '3 GUILD_CREATE 12582912', '2 MESSAGE_CREATE 100', '3 MESSAGE_CREATE 200',
  ]);
  const last = {};
  while (last[2] === undefined) {
    for (const { shard, seq } of (await control.next('SESSIONS')).d.sessions) last[shard] = seq;
  }
  assert.equal(last[2], 6);
  dispatch(2, 8, 'MESSAGE_CREATE', { id: '101' });
  assert.equal(manager.seen.at(-1), '2 MESSAGE_CREATE 101', 'nothing waits any more');
});

test('guilds that CONTROL does not know are listed', async (t) => {
  const offered = { shard: 2, shard_count: 4, session_id: 'a', seq: 5, intents: 1 };
  const { cluster } = await joined(t, hooks, { sessions: [offered] });
  const { emit, manager } = client(cluster);
  await manager.options.retrieveSessionInfo(2);
  emit(2, 'resumed');
  while (!manager.seen.includes('2 resumed')) await turn();
  const guilds = manager.seen.filter((text) => text.includes('GUILD'));
  assert.deepEqual(guilds, ['2 GUILD_CREATE 8388608']);
});

test('a session whose guilds cannot be read is given up', async (t) => {
  const offered = { shard: 2, shard_count: 4, session_id: 'a', seq: 5, intents: 1, guilds: ['1'] };
  const { cluster, control } = await joined(t, hooks, { sessions: [offered] });
  const { dispatch, emit, manager, plain } = client(cluster);
  t.mock.method(rest, 'get', async () => { throw new Error('500'); });
  await manager.options.retrieveSessionInfo(2);
  dispatch(2, 6, 'MESSAGE_CREATE', { id: '100' });
  emit(2, 'resumed');
  assert.deepEqual((await control.next('SESSIONS')).d, { gone: [2] });
  assert.deepEqual(plain.ends, [[2, 1000]]);
  assert.equal(await manager.options.retrieveSessionInfo(2), null);
  for (const id of [2, 3]) {
    emit(id, 'ready', { data: ready(id, []) });
    dispatch(id, 1, 'READY', ready(id, []));
  }
  assert.ok(!manager.seen.includes('2 MESSAGE_CREATE 100'), 'its guild is unknown');
});

test('a drain closes the shards and keeps their sessions, an end for good ends them', async (t) => {
  for (const [name, code] of [['DRAIN', 4000], ['DESTROYING', 1000]]) {
    const { cluster, control, exited } = await joined(t, hooks);
    const { emit, plain } = client(cluster);
    emit(2, 'ready', { data: ready(2, []) });
    await control.next('SESSIONS');
    control.send({ op: 0, t: name, d: { event_id: 'd', deadline_ms: 1000 } });
    const { d } = await control.next(name);
    if (name === 'DRAIN') assert.equal(d.sessions.length, 1);
    assert.equal(await exited, 0);
    assert.deepEqual(plain.ends, [[2, code], [3, code]]);
  }
});

test('states and figures are reported, a fatal close ends the process', async (t) => {
  const { cluster, control, exited } = await joined(t, hooks);
  const { emit } = client(cluster);
  cluster.shard(2).state('connecting');
  emit(2, 'ready', { data: ready(2, []) });
  emit(2, 'closed', { code: 1006 });
  emit(2, 'closed', { code: 4014 });
  const seen = [];
  for (let n = 0; n < 4; n++) seen.push((await control.next('SHARD')).d);
  assert.deepEqual(seen.map(({ state, close_code: code }) => [state, code]), [
    ['connecting', undefined], ['ready', undefined], ['disconnected', 1006], ['failed', 4014],
  ]);
  assert.equal((await control.next(4)).d.error.code, 4014);
  assert.equal(await exited, 1);
});

test('what does not fit is an error', async (t) => {
  const { cluster } = await joined(t, hooks);
  const { buildStrategy } = discordjs(cluster).ws;
  const intents = { message: 'intents of the client is 513: want 1, as of join' };
  assert.throws(() => new Manager({ buildStrategy, intents: 513 }), intents);
  const { manager } = client(cluster);
  assert.throws(() => manager.strategy.spawn([0, 2]), { message: /\[0\]: want some of 2,3/ });
  const { cluster: bare } = await joined(t);
  assert.throws(() => discordjs(bare), { message: /call join\(\{ permits: true \}\)/ });
});
