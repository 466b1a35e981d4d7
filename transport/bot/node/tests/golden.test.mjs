// The frames that real peers exchanged (../../ipc/testdata, outside this package): what we write
// is theirs byte for byte, except for the fields of PROTOCOL B2, and what they write is understood.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import frame from '../lib/frame.cjs';
import { all, clusters, join, shards } from '../index.mjs';
import control from './control.cjs';

const { FrameReader, decode, encode } = frame;
const { Control, environment, joined } = control;
const data = new URL('../../../ipc/testdata/', import.meta.url);

/** Returns the recorded frames of a file: {dir, raw}. */
const recorded = (name) => fs.readFileSync(new URL(name, data), 'utf8').trim().split('\n')
  .map((line) => JSON.parse(line)).filter(({ raw }) => raw);

/** Returns the frames of the traced manager, which writes its own packets and reads ours. */
const traced = () => [...fs.readFileSync(new URL('official-strace.txt', data), 'utf8')
  .matchAll(/^(write|read|recvfrom|sendto)\([^"]*"(.*)\\f"/gm)]
  .map(([, call, text]) => {
    const dir = call === 'write' || call === 'sendto' ? 'M>I' : 'I>M';
    return { dir, raw: JSON.parse(`"${text}"`) };
  });

const files = fs.readdirSync(data).filter((name) => /\.(jsonl|log)$/.test(name));
const recordings = [...files.flatMap(recorded), ...traced()];
const ids = ({ raw }) => JSON.parse(raw).data.d;

test('every recorded frame is read, and written again byte for byte', () => {
  assert.ok(recordings.length > 100, `${recordings.length} frames`);
  const stock = recordings.filter(({ raw }) => raw === JSON.stringify(JSON.parse(raw)));
  assert.ok(stock.length > 100, `${stock.length} frames of node`);
  const frames = [];
  const reader = new FrameReader((bytes) => frames.push(bytes));
  reader.push(Buffer.from(stock.map(({ raw }) => `${raw}\f`).join('')));
  frames.forEach((bytes, i) => {
    assert.equal(bytes.toString(), stock[i].raw);
    assert.equal(encode(decode(bytes)).toString(), `${stock[i].raw}\f`);
  });
  assert.equal(frames.length, stock.length);
});

test('the traced conversation is ours', async (t) => {
  const [hello, identify, connected, destroying, echo] = traced();
  const env = {
    ...environment(),
    SHARDING_MANAGER_IPC: ids(hello).id,
    SHARDING_INSTANCE_IPC: ids(identify).id,
  };
  const all = await joined(t, { env }, ids(hello));
  const { cluster, control: manager, exited, identify: ours } = all;
  // beside what is ours, IDENTIFY begins as theirs
  assert.ok(ours.frame.toString().startsWith(identify.raw.slice(0, -'}}}'.length)), ours.frame);
  cluster.ready();
  assert.equal((await manager.next('CONNECTED')).frame.toString(), connected.raw);
  manager.socket.write(`${destroying.raw}\f`);
  assert.equal((await manager.next('DESTROYING')).frame.toString(), echo.raw);
  assert.equal(await exited, 0);
});

test('what stock instances are asked is understood, and refused as they refuse', async (t) => {
  const { cluster, control: manager } = await joined(t);
  const heard = [];
  cluster.onMessage((message, { from }) => heard.push([message, from]));
  const requests = recorded('official-2x2-ops.wire.jsonl').filter(({ dir, raw }) => {
    const { op, t: name, d } = JSON.parse(raw).data;
    return dir === 'M>I' && op !== 2 && (name === 'MESSAGE' || d.script || d.storage || d.nonce);
  });
  const kinds = new Set();
  for (const { raw } of requests) {
    const { op, t: name, d } = JSON.parse(raw).data;
    kinds.add(name ?? op);
    manager.socket.write(`${raw}\f`);
    if (name === 'MESSAGE') continue;
    const answer = await manager.next(name ?? op);
    assert.equal(answer.d.event_id, d.event_id);
    if (op === 3) {
      assert.deepEqual(answer.d, { event_id: d.event_id, success: false });
    } else {
      assert.equal(answer.op, 4);
      assert.match(answer.d.result.message, /this cluster (runs no scripts|lists no members)/);
    }
  }
  assert.deepEqual(heard[0], ['hello from manager', 1111111111]);
  assert.deepEqual([...kinds].sort(), [3, 'BROADCAST_EVAL', 'GUILD_MEMBERS_REQUEST', 'MESSAGE']);
});

test('a message has the bytes of a stock one', async (t) => {
  const stock = recorded('official-2x2-ops.wire.jsonl').find(({ dir, raw }) => {
    return dir === 'I>M' && JSON.parse(raw).data.t === 'MESSAGE';
  });
  const { message, shards, from } = ids(stock);
  const env = { ...environment(), CLUSTER_ID: String(from), CLUSTER_COUNT: '9' };
  const { cluster, control: manager } = await joined(t, { env });
  const id = cluster.tell(clusters(...shards), message);
  const ours = (await manager.next('MESSAGE')).frame.toString();
  assert.equal(ours, stock.raw.replace(ids(stock).event_id, id));
});

test('the conversation of an SDK is written and understood', async (t) => {
  // the heartbeats, which a timer sends, are tested with it; so our first event id is their second
  const lines = recorded('sdk.wire.jsonl').filter(({ raw }) => JSON.parse(raw).data.op !== 7);
  const env = environment();
  let exit;
  const exited = new Promise((resolve) => { exit = resolve; });
  const joining = join({ env, permits: true, sessions: true, intents: 513, exit });
  const manager = await Control.dial(env);
  const write = () => {
    const { dir, raw } = lines.shift();
    assert.equal(dir, 'M>I', raw);
    manager.socket.write(`${raw.replace(/"e(\d+)"/, (_, n) => `"n${n - 1}"`)}\f`);
  };
  const read = async () => {
    const { dir, raw } = lines.shift();
    assert.equal(dir, 'I>M', raw);
    const { op, t: name } = JSON.parse(raw).data;
    const { frame: bytes } = await manager.next(name ?? op);
    const ours = bytes.toString().replace(/"n(\d+)"/, (_, n) => `"e${Number(n) + 1}"`);
    assert.equal(ours.replace(/discluster-node/, 'sdk').replace(/"pid":\d+/, '"pid":4242'), raw);
  };

  write();
  await read();
  write(); // with the session of shard 2
  const cluster = await joining;
  const { session_id: kept, seq } = cluster.shard(2).session;
  assert.deepEqual([kept, seq], ['5f3c', 1701]);
  const permit = cluster.shard(3).permit();
  await read();
  write(); // refused
  await read();
  write();
  (await permit).sent();
  await read();
  cluster.shard(2).state('disconnected', 4000);
  cluster.shard(2).state('ready');
  cluster.shard(3).state('ready');
  for (let n = 0; n < 4; n++) await read();
  cluster.shard(3).setSession({
    session_id: 'a7', seq: 1, resume_gateway_url: 'wss://gateway-us-east1-c.discord.gg',
    at: 1700000000000, user_id: '813847887657123840', application_id: '813847887657123841',
    guilds: ['41771983423143938'],
  });
  await read();
  cluster.shard(3).dropSession();
  await read();
  let reconnects = 0;
  cluster.shard(2).onReconnect(() => reconnects++);
  write();

  const requests = [];
  const value = ['14386345434600144177235209336163139585', null, 1.5, '\u2028 \f'];
  cluster.handle('gilden «é»', (...request) => { requests.push(request); return value; });
  const data = { least: 5, id: '41771983423143937' };
  const asking = cluster.ask(all(), 'gilden «é»', data, { timeout: 2500 });
  await read();
  write();
  await read();
  write();
  assert.deepEqual(await asking, {
    results: [{ cluster: 1, value }],
    errors: [{ cluster: 0, error: 'it died, and is about to be started again' }],
  });
  assert.equal(reconnects, 1);
  assert.deepEqual(requests.map(([got, { from, name }]) => [got, from, name]), [
    [data, 1, 'gilden «é»'],
  ]);
  const unserved = cluster.ask(shards(9), 'owner');
  await read();
  write();
  const error = 'there is none: the fleet has 4 shards, 2 a cluster';
  assert.deepEqual(await unserved, { results: [], errors: [{ cluster: 4, shard: 9, error }] });
  write(); // a request without a handler
  await read();

  const messages = [];
  cluster.onMessage((message, { from }) => messages.push([message, from]));
  const undelivered = new Promise((resolve) => cluster.onUndelivered(resolve));
  const id = cluster.tell(all(), { hi: ['🚀'] });
  await read();
  write();
  assert.deepEqual(await undelivered, { id, errors: [{ cluster: 0, error: 'it is starting' }] });
  write();
  write(); // DRAIN
  await read();
  assert.deepEqual(messages, [[{ hi: ['🚀'] }, 0]]);
  assert.deepEqual(lines, []);
  assert.equal(await exited, 0);
});
