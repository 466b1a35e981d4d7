// Without CONTROL: what ends the cluster, and what the next CONTROL gets.
import assert from 'node:assert/strict';
import test from 'node:test';
import control from './control.cjs';

const { Control, instance, joined } = control;
const wake = () => new Promise(setImmediate);

test('heartbeats have an id each, and their answers a lease', async (t) => {
  const { cluster, control, exited } = await joined(t, {}, { heartbeat_interval: 10 });
  const first = await control.next(7);
  assert.equal(first.d.id, instance);
  control.send({ op: 7, d: { id: '1', event_id: first.d.event_id, lapsed: true } });
  const second = await control.next(7);
  assert.notEqual(second.d.event_id, first.d.event_id);
  assert.ok(cluster.lapsed);
  const answer = { id: '1', event_id: second.d.event_id, lease_ms: 30 };
  control.send({ op: 7, d: answer });
  assert.equal(await exited, 1, 'the lease ran out');
});

test('two heartbeats without an answer end the connection', async (t) => {
  const { control, log } = await joined(t, {}, { heartbeat_interval: 5 });
  await control.closed;
  assert.match(log[0], /^CONTROL is away, .*: 2 heartbeats were not answered/);
});

test('a CONTROL that returns learns everything', async (t) => {
  const permits = { permits: true, sessions: true, intents: 1 };
  const { cluster, control: first, env } = await joined(t, permits);
  const session = { session_id: 's', resume_gateway_url: 'wss://x', seq: 7, guilds: ['1'] };
  cluster.shard(2).setSession(session);
  const waiting = cluster.shard(3).permit('reidentify');
  const { d: ask } = await first.next('PERMIT');
  const using = cluster.shard(2).permit();
  const { d: granted } = await first.next('PERMIT');
  first.send({ op: 0, t: 'PERMIT', d: { ...granted, cause: undefined, granted: true } });
  const permit = await using;
  assert.equal(permit.overdue, false);
  for (const id of [2, 3]) cluster.shard(id).state('ready');
  await first.next('CONNECTED');
  first.socket.destroy();
  while (!permit.overdue) await wake(); // the CONTROL that granted it is gone
  permit.sent();

  const second = await Control.dial(env);
  second.hello({ event_id: '2' });
  const identify = await second.next(1);
  assert.equal(identify.d.state, 'serving');
  assert.deepEqual(identify.d.shards, [2, 3]);
  assert.equal(identify.d.shard_count, 4);
  assert.equal(identify.d.sessions[0].session_id, 's');
  assert.equal(identify.d.sessions[0].shard, 2);
  const { d: all } = await second.next('SESSIONS');
  assert.deepEqual(all, { gone: [3] });
  const shards = [await second.next('SHARD'), await second.next('SHARD')];
  const ready = (id) => ({ shard_id: id, state: 'ready' });
  assert.deepEqual(shards.map(({ d }) => d), [2, 3].map(ready));
  await second.next('CONNECTED');
  const { event_id, shard_id } = granted;
  assert.deepEqual((await second.next('PERMIT')).d, { event_id, shard_id, sent: true });
  assert.deepEqual((await second.next('PERMIT')).d, ask);
  const refused = { event_id: ask.event_id, shard_id: 3, granted: false, retry_after_ms: 1 };
  second.send({ op: 0, t: 'PERMIT', d: { ...refused, reason: 'not now' } });
  const { d: again } = await second.next('PERMIT');
  assert.equal(again.cause, 'reidentify');
  second.send({ op: 0, t: 'PERMIT', d: { ...again, granted: true, use_within_ms: 1000 } });
  (await waiting).unused();
  assert.equal((await second.next('PERMIT')).d.sent, false);
  second.socket.destroy();
});

test('without CONTROL for too long the cluster ends, if it must', async (t) => {
  const { cluster, control, exited, log } = await joined(t, {}, {
    on_lost: 'exit', lost_after_ms: 10,
  });
  const order = new Promise((resolve) => cluster.onDrain(resolve));
  control.socket.destroy();
  assert.equal((await order).error.code, 'LOST');
  assert.equal(await exited, 1);
  assert.match(log[1], /^the cluster ends: CONTROL was away for 10 ms/);
});

test('a frame over the limit ends the connection, not the cluster', async (t) => {
  const { control, env, log } = await joined(t);
  control.socket.write(Buffer.alloc((8 << 20) + 1, 'x'));
  await control.closed;
  assert.match(log[0], /^the connection of CONTROL ends: a frame has over 8388608 bytes/);
  const next = await Control.dial(env);
  next.hello();
  await next.next(1);
  next.socket.write('nonsense\f');
  next.hello();
  await next.next(1);
  assert.ok(log.some((text) => text.startsWith('unreadable packet of CONTROL')), log.join('\n'));
  next.socket.destroy();
});

test('only the connection with the last HELLO counts, and the one before ends', async (t) => {
  const { control: first, env, exited } = await joined(t);
  const silent = await Control.dial(env);
  silent.send({ op: 0, t: 'DESTROYING', d: { event_id: '1' } });
  const second = await Control.dial(env);
  second.hello();
  await second.next(1);
  await first.closed;
  silent.hello({ id: '7' });
  await silent.next(6); // so DESTROYING was read, too
  assert.equal(await Promise.race([exited, wake().then(() => 'runs')]), 'runs');
  silent.socket.destroy();
  second.socket.destroy();
});

test('a CONTROL that returns in time keeps the cluster', async (t) => {
  const lost = { on_lost: 'exit', lost_after_ms: 200 };
  const { control: first, env, exited, log } = await joined(t, {}, lost);
  first.socket.destroy();
  while (log.length === 0) await wake();
  const second = await Control.dial(env);
  second.hello({ ...lost, heartbeat_interval: 100 });
  await second.next(1);
  for (let beats = 0; beats < 3; beats++) {
    const { d } = await second.next(7);
    second.send({ op: 7, d });
  }
  assert.equal(await Promise.race([exited, wake().then(() => 'runs')]), 'runs');
  second.socket.destroy();
});
