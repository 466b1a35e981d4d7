import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import control from './control.cjs';

const { Control, environment, joined } = control;

test('a drain waits for the work in progress, then answers and exits with 0', async (t) => {
  const hooks = { permits: true, sessions: true, intents: 1 };
  const { cluster, control, env, exited } = await joined(t, hooks);
  cluster.shard(2).setSession({ session_id: 's', resume_gateway_url: 'wss://x', seq: 7 });
  let finish;
  cluster.handle('work', () => new Promise((resolve) => { finish = resolve; }));
  control.send({ op: 0, t: 'REQUEST', d: { event_id: 'r', name: 'work', from: 0, data: 1 } });
  const order = new Promise((resolve) => cluster.onDrain(resolve));
  const begun = Date.now();
  control.send({ op: 0, t: 'DRAIN', d: { event_id: 'd', deadline_ms: 60_000 } });
  const { deadline, error, final } = await order;
  assert.ok(Math.abs(deadline - begun - 60_000) < 10_000, deadline);
  assert.deepEqual({ error, final }, { error: undefined, final: false });
  assert.ok(cluster.stopping);
  await assert.rejects(cluster.shard(2).permit(), { code: 'STOPPING' });
  finish('done');
  assert.equal((await control.next('REQUEST')).d.result, 'done');
  const { d } = await control.next('DRAIN');
  assert.equal(d.event_id, 'd');
  assert.deepEqual(d.sessions.map(({ shard, seq }) => [shard, seq]), [[2, 7]]);
  assert.equal(await exited, 0);
  await control.closed;
  assert.ok(!fs.existsSync(env.DISCLUSTER_SOCKET));
});

test('a drain ends at its deadline', async (t) => {
  const { cluster, control, exited, log } = await joined(t);
  cluster.onDrain(() => new Promise(() => {}));
  control.send({ op: 0, t: 'DRAIN', d: { event_id: 'd', deadline_ms: 5 } });
  assert.equal((await control.next('DRAIN')).d.event_id, 'd');
  assert.equal(await exited, 0);
  assert.deepEqual(log, []);
});

test('a drain function that fails is logged', async (t) => {
  const { cluster, control, exited, log } = await joined(t);
  cluster.onDrain(() => { throw new Error('database'); });
  control.send({ op: 0, t: 'DESTROYING', d: { event_id: 'd' } });
  await control.next('DESTROYING');
  assert.equal(await exited, 0);
  assert.match(log[0], /^a drain function failed: Error: database/);
});

test('a bot that cannot start reports why, without its token', async (t) => {
  const { cluster, control, env, exited } = await joined(t);
  const error = new TypeError('401: a.secret.token');
  cluster.fail(error, 4004);
  const { d } = await control.next(4);
  assert.deepEqual(d, {
    event_id: env.SHARDING_INSTANCE_IPC,
    error: { name: 'TypeError', message: '401: [redacted]', code: 4004 },
  });
  assert.equal(await exited, 1);
});

test('SIGTERM is a drain', async (t) => {
  const env = { ...process.env, ...environment() };
  const child = fork(fileURLToPath(new URL('bot.cjs', import.meta.url)), [], { env, silent: true });
  t.after(() => child.kill('SIGKILL'));
  let printed = '';
  child.stdout.on('data', (text) => { printed += text; });
  const control = await Control.dial(env);
  control.hello();
  await control.next('CONNECTED');
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'close'), [0, null]);
  assert.equal(printed, 'drained, final: false\n');
});
