// The frames that real peers exchanged (../../ipc/testdata, outside this package): what we write
// is theirs byte for byte, except for the fields of PROTOCOL B2, and what they write is understood.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import frame from '../lib/frame.cjs';
import control from './control.cjs';

const { FrameReader, decode, encode } = frame;
const { joined } = control;
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
const everything = [...files.flatMap(recorded), ...traced()];
const ids = ({ raw }) => JSON.parse(raw).data.d;

test('every recorded frame is read, and written again byte for byte', () => {
  assert.ok(everything.length > 100, `${everything.length} frames`);
  const stock = everything.filter(({ raw }) => raw === JSON.stringify(JSON.parse(raw)));
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
    ...control.environment(),
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
  const env = { ...control.environment(), CLUSTER_ID: String(from), CLUSTER_COUNT: '9' };
  const { cluster, control: manager } = await joined(t, { env });
  const { clusters } = await import('../index.mjs');
  const id = cluster.tell(clusters(...shards), message);
  const ours = (await manager.next('MESSAGE')).frame.toString();
  assert.equal(ours, stock.raw.replace(ids(stock).event_id, id));
});
