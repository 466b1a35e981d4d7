import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import test from 'node:test';
import { join } from '../index.mjs';
import control from './control.cjs';

const { Control, environment, instance, joined } = control;

test('the cluster knows its place', async (t) => {
  const { cluster, identify } = await joined(t);
  assert.deepEqual(identify.d.features, ['heartbeat', 'drain']);
  assert.equal(identify.d.id, instance);
  assert.equal(identify.d.event_id, '1');
  assert.equal(identify.d.protocol, 1);
  assert.match(identify.d.sdk, /^discluster-node\/\d+\.\d+\.\d+$/);
  const { count, id, maxConcurrency, shardCount, shards, token } = cluster;
  assert.deepEqual({ count, id, maxConcurrency, shardCount, shards, token }, {
    count: 2, id: 1, maxConcurrency: 1, shardCount: 4, shards: [2, 3], token: 'a.secret.token',
  });
  assert.equal(cluster.shardOf('25165824'), 2);
});

test('permits and sessions are announced if they are wanted', async (t) => {
  const { identify } = await joined(t, { permits: true, sessions: true, intents: [1, 512] });
  assert.deepEqual(identify.d.features, ['heartbeat', 'drain', 'permits', 'shards', 'sessions']);
  assert.equal(identify.d.intents, 513);
});

test('the socket is for its owner alone, and is removed', async (t) => {
  const { cluster, env } = await joined(t);
  assert.equal(fs.statSync(env.DISCLUSTER_SOCKET).mode & 0o777, 0o600);
  await cluster.close();
  assert.ok(!fs.existsSync(env.DISCLUSTER_SOCKET));
});

test('without CONTROL the error has how to start the bot', async () => {
  const message = /^join: DISCLUSTER_SOCKET is not set: .*`control run -- node bot\.mjs`/;
  await assert.rejects(join({ env: {} }), { code: 'STANDALONE', message });
});

test('every mistake in the environment is named', async () => {
  const env = { ...environment(), CLUSTER_ID: '-1', MAX_CONCURRENCY: '0' };
  delete env.SHARDING_MANAGER_IPC;
  await assert.rejects(join({ env }), (error) => {
    assert.equal(error.code, 'INVALID');
    assert.match(error.message, /CLUSTER_ID is "-1": want a whole number of at least 0/);
    assert.match(error.message, /MAX_CONCURRENCY is "0": want a whole number of at least 1/);
    assert.match(error.message, /SHARDING_MANAGER_IPC is not set/);
    return true;
  });
  const long = { ...environment(), DISCLUSTER_SOCKET: `/${'x'.repeat(200)}` };
  await assert.rejects(join({ env: long }), { message: /an absolute path of at most 10\d bytes/ });
});

test('a wrong option is named', async () => {
  const env = environment();
  await assert.rejects(join({ env, permit: true }), { message: /an option of join is "permit"/ });
  await assert.rejects(join({ env, grace: -1 }), { message: /join: grace is -1/ });
  await assert.rejects(join({ env, sessions: true }), { message: /join: permits is false/ });
  const hooks = { env, permits: true, sessions: true };
  await assert.rejects(join(hooks), { message: /join: intents is undefined: want those of the/ });
  await assert.rejects(join({ ...hooks, intents: '1' }), { message: /join: intents is "1"/ });
});

test('a socket with a listener is an error, and so is what is no socket', async () => {
  const env = environment();
  const server = net.createServer().listen(env.DISCLUSTER_SOCKET);
  await new Promise((resolve) => server.once('listening', resolve));
  await assert.rejects(join({ env }), { code: 'SOCKET', message: /another process listens there/ });
  server.close();
  fs.writeFileSync(env.DISCLUSTER_SOCKET, '');
  await assert.rejects(join({ env }), { code: 'SOCKET', message: /is no socket/ });
  fs.rmSync(env.DISCLUSTER_SOCKET);
});

test('no HELLO in time is an error', async () => {
  const env = environment();
  await assert.rejects(join({ env, timeout: 1 }), { code: 'NO_ANSWER', message: /no HELLO of/ });
  assert.ok(!fs.existsSync(env.DISCLUSTER_SOCKET));
});

test('a HELLO of another manager, or without shards, is refused', async (t) => {
  const { control: first, env, log } = await joined(t);
  const other = await Control.dial(env);
  other.hello({ id: '7' });
  assert.deepEqual((await other.next(6)).d, { id: instance });
  assert.match(log[0], /HELLO of another manager, 7/);
  first.hello({ event_id: '9' });
  assert.equal((await first.next(1)).d.event_id, '9', 'the first connection still counts');
  other.socket.destroy();
});
