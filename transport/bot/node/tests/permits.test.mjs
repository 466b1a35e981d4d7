// Permits, sessions and states: what a bot that connects to Discord itself uses.
import assert from 'node:assert/strict';
import test from 'node:test';
import control from './control.cjs';

const { joined } = control;
const hooks = { permits: true, sessions: true, intents: 1 };

/** Answers the next request for a permit. */
async function answers(control, answer) {
  const { d } = await control.next('PERMIT');
  const { event_id, shard_id } = d;
  control.send({ op: 0, t: 'PERMIT', d: { event_id, shard_id, ...answer } });
  return d;
}

test('a permit is asked for, and its use reported once', async (t) => {
  const { cluster, control } = await joined(t, hooks);
  const asking = cluster.shard(2).permit('reidentify');
  const ask = await answers(control, { granted: true, use_within_ms: 60_000 });
  assert.equal(ask.cause, 'reidentify');
  const permit = await asking;
  assert.equal(permit.overdue, false);
  permit.sent();
  permit.unused();
  const { event_id } = ask;
  assert.deepEqual((await control.next('PERMIT')).d, { event_id, shard_id: 2, sent: true });
  control.hello({ event_id: '9' });
  await control.next(1);
  assert.deepEqual(control.packets, []);
});

test('a permit is overdue by each of its limits', async (t) => {
  const { cluster, control } = await joined(t, hooks);
  const soon = Date.now() + 60_000;
  for (const [limit, overdue] of [
    [{}, false],
    [{ use_within_ms: 60_000, use_before: soon }, false],
    [{ use_within_ms: 0.001 }, true],
    [{ use_within_ms: 60_000, use_before: soon - 120_000 }, true],
    [{ use_within_ms: 60_000, use_before: soon, use_before_up: 1 }, true],
    [{ use_within_ms: 60_000, use_before: soon, use_before_up: 1e15 }, false],
  ]) {
    const asking = cluster.shard(2).permit();
    await answers(control, { granted: true, ...limit });
    const permit = await asking;
    assert.equal(permit.overdue, overdue, JSON.stringify(limit));
    permit.unused();
    assert.equal((await control.next('PERMIT')).d.sent, false);
  }
});

test('who stops waiting gives its permit back', async (t) => {
  const { cluster, control } = await joined(t, hooks);
  const controller = new AbortController();
  const asking = cluster.shard(3).permit('start', { signal: controller.signal });
  const { d } = await control.next('PERMIT');
  controller.abort();
  await assert.rejects(asking, { name: 'AbortError' });
  const { event_id } = d;
  control.send({ op: 0, t: 'PERMIT', d: { event_id, shard_id: 3, granted: true } });
  assert.deepEqual((await control.next('PERMIT')).d, { event_id, shard_id: 3, sent: false });
});

test('sessions are offered, reported and dropped', async (t) => {
  const resumable = { session_id: 'a', seq: 5, resume_gateway_url: 'wss://x' };
  const offered = { shard: 2, shard_count: 4, ...resumable };
  const wrong = [
    { ...offered, shard: 3, shard_count: 8 },
    { ...offered, shard: 3, intents: 513 },
    { ...offered, shard: 9 },
  ];
  const { cluster, control } = await joined(t, hooks, { sessions: [offered, ...wrong] });
  assert.deepEqual(cluster.shard(2).session, offered);
  assert.equal(cluster.shard(3).session, undefined);

  const guilds = ['1', '2'];
  const session = { session_id: 'b', resume_gateway_url: 'wss://y', user_id: '7', guilds };
  cluster.shard(3).setSession({ ...session, seq: 1, at: 1000 });
  const first = { ...session, seq: 1, at: 1000, intents: 1, shard: 3, shard_count: 4 };
  assert.deepEqual((await control.next('SESSIONS')).d, { sessions: [first] });
  cluster.shard(3).setSession({ ...session, seq: 2, at: 2000 });
  cluster.shard(3).setSession({ ...session, seq: 3, at: 3000 });
  const { guilds: _, user_id: __, ...later } = { ...first, seq: 3, at: 3000 };
  assert.deepEqual((await control.next('SESSIONS')).d, { sessions: [later] });
  cluster.shard(3).dropSession();
  assert.deepEqual((await control.next('SESSIONS')).d, { gone: [3] });
});

test('states are reported at once, and readiness when all were ready', async (t) => {
  const { cluster, control } = await joined(t, hooks);
  cluster.shard(2).state('identifying');
  cluster.shard(2).state('identifying');
  cluster.shard(2).state('ready');
  cluster.shard(2).state('disconnected', 1006);
  cluster.shard(3).state('ready');
  const seen = [];
  for (let n = 0; n < 4; n++) seen.push((await control.next('SHARD')).d);
  assert.deepEqual(seen, [
    { shard_id: 2, state: 'identifying' },
    { shard_id: 2, state: 'ready' },
    { shard_id: 2, state: 'disconnected', close_code: 1006 },
    { shard_id: 3, state: 'ready' },
  ]);
  await control.next('CONNECTED');
  const reconnect = new Promise((resolve) => cluster.shard(3).onReconnect(resolve));
  control.send({ op: 0, t: 'RECONNECT', d: { event_id: '1', shard_id: 3 } });
  await reconnect;
  assert.throws(() => cluster.shard(2).state('well'), { message: /a shard is "well": want idle,/ });
  assert.throws(() => cluster.shard(7), { message: 'the id of a shard is 7: want one of 2,3' });
});

test('shards need their feature', async (t) => {
  const { cluster } = await joined(t);
  const message = 'shard 2: call join({ permits: true }) to use it';
  assert.throws(() => cluster.shard(2), { code: 'INVALID', message });
});
