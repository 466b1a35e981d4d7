import assert from 'node:assert/strict';
import test from 'node:test';
import { all, clusters, guild } from '../index.mjs';
import control from './control.cjs';

const { joined } = control;

/** Has CONTROL ask the cluster, and returns its answer. */
async function asked(control, d, event = 'r1') {
  control.send({ op: 0, t: 'REQUEST', d: { event_id: event, from: 0, timeout_ms: 5000, ...d } });
  const { op, d: answer } = await control.next('REQUEST');
  assert.equal(answer.event_id, event);
  return { op, result: answer.result };
}

test('an ask returns an answer or an error for each cluster', async (t) => {
  const { cluster, control } = await joined(t);
  const asking = cluster.ask(all(), 'guilds', { least: 5 }, { timeout: 2000 });
  const { d } = await control.next('REQUEST');
  const { event_id: event, ...rest } = d;
  assert.deepEqual(rest, {
    name: 'guilds', data: { least: 5 }, shards: [0, 1], from: 1, timeout_ms: 2000,
  });
  const errors = [{ cluster: 0, error: 'it died, and is about to be started again' }];
  const answer = { event_id: event, result: ['14386345745245722785410322068662124546'] };
  control.send({ op: 0, t: 'REQUEST', d: { ...answer, clusters: [1], errors } });
  assert.deepEqual(await asking, {
    results: [{ cluster: 1, value: '14386345745245722785410322068662124546' }], errors,
  });
});

test('without data null is sent, and a guild is addressed by its shard', async (t) => {
  const { cluster, control } = await joined(t);
  const asking = cluster.ask(guild('25165824'), 'x');
  const { d } = await control.next('REQUEST');
  assert.equal(d.data, null);
  assert.deepEqual(d.shard_ids, [2]);
  assert.equal(d.shards, undefined);
  assert.equal(d.timeout_ms, 10_000);
  control.send({ op: 0, t: 'REQUEST', d: { event_id: d.event_id, result: [], clusters: [] } });
  assert.deepEqual(await asking, { results: [], errors: [] });
});

test('answers find their requests in any order', async (t) => {
  const { cluster, control } = await joined(t);
  const asks = Array.from({ length: 50 }, (_, i) => cluster.ask(clusters(0), 'n', i));
  const packets = [];
  for (const _ of asks) packets.push(await control.next('REQUEST'));
  for (const { d } of packets.reverse()) {
    const answer = { event_id: d.event_id, result: [d.data], clusters: [0] };
    control.send({ op: 0, t: 'REQUEST', d: answer });
  }
  const values = (await Promise.all(asks)).map(({ results }) => results[0].value);
  assert.deepEqual(values, asks.map((_, i) => i));
});

test('CONTROL may refuse, stay silent or go away', async (t) => {
  const { cluster, control } = await joined(t);
  const refused = cluster.ask(all(), 'x');
  const { d } = await control.next('REQUEST');
  const result = { name: 'Error', message: 'not so fast' };
  control.send({ op: 4, t: 'REQUEST', d: { event_id: d.event_id, result } });
  const message = 'ask "x": CONTROL refused it: not so fast';
  await assert.rejects(refused, { code: 'REFUSED', message });

  const late = assert.rejects(cluster.ask(all(), 'x', 1, { timeout: 1 }), {
    code: 'NO_ANSWER', message: 'ask "x": CONTROL did not answer within 2001 ms',
  });
  await late;

  const lost = cluster.ask(all(), 'x');
  await control.next('REQUEST');
  await control.next('REQUEST');
  control.socket.destroy();
  await assert.rejects(lost, { code: 'AWAY', message: /went away before it answered/ });
  const away = { code: 'AWAY', message: 'ask "x": CONTROL is away' };
  await assert.rejects(cluster.ask(all(), 'x'), away);
  assert.throws(() => cluster.tell(all(), 1), { code: 'AWAY', message: 'tell: CONTROL is away' });
});

test('1,024 requests may be open, not more', async (t) => {
  const { cluster } = await joined(t);
  const open = Array.from({ length: 1024 }, () => cluster.ask(all(), 'x'));
  const busy = { code: 'BUSY', message: /1024 requests are open/ };
  await assert.rejects(cluster.ask(all(), 'x'), busy);
  const ends = Promise.all(open.map((ask) => assert.rejects(ask, { code: 'STOPPING' })));
  await cluster.close();
  await ends;
});

test('a wrong ask is an error that names the rule', async (t) => {
  const { cluster } = await joined(t);
  for (const [ask, message] of [
    [() => cluster.ask(all(), ''), /the name of a handler is "": want a text that is not empty/],
    [() => cluster.ask(all(), 'x', 1, { timeout: 0 }), /timeout is 0: want 1 to 300000/],
    [() => cluster.ask([0], 'x'), /the targets is \[0\]: want all\(\)/],
    [() => cluster.ask(all(), 'x', 1n), /ask "x": the data is no JSON/],
  ]) await assert.rejects(ask, { code: 'INVALID', message });
  await assert.rejects(cluster.ask(all(), 'x', 'x'.repeat(9 << 20)), { code: 'LIMIT' });
});

test('handlers answer, and their failures cost their own answers', async (t) => {
  const { cluster, control } = await joined(t);
  cluster.handle('sum', ({ a, b }, { from, name }) => ({ sum: a + b, from, name }));
  cluster.handle('later', async (data) => data);
  cluster.handle('nothing', () => undefined);
  cluster.handle('throws', () => { throw new TypeError('no such guild, a.secret.token'); });
  cluster.handle('throws plainly', () => { throw new Error('gone'); });
  cluster.handle('throws a text', () => { throw 'text'; });
  cluster.handle('throws nothing', () => { throw Object.create(null); });
  cluster.handle('function', () => () => 1);
  cluster.handle('odd', () => ({ get a() { throw 7; } }));
  cluster.handle('large', () => 'x'.repeat(9 << 20));
  const value = (name, data) => asked(control, { name, data });
  assert.deepEqual(await value('sum', { a: 1, b: 2 }), {
    op: 0, result: { sum: 3, from: 0, name: 'sum' },
  });
  assert.deepEqual(await value('later', ['ёлка']), { op: 0, result: ['ёлка'] });
  assert.deepEqual(await value('nothing'), { op: 0, result: null });
  for (const [name, message] of [
    ['throws', 'TypeError: no such guild, [redacted]'],
    ['throws plainly', 'gone'],
    ['throws a text', 'text'],
    ['throws nothing', 'its handler threw a value that is no text'],
    ['unknown', 'no handler has the name "unknown"'],
    ['function', 'its answer cannot be sent: the data is no JSON (it is a function)'],
    ['odd', 'its answer cannot be sent: the data is no JSON (7)'],
    ['large', 'its answer cannot be sent: the frame has 9437275 bytes: want at most 8388608'],
  ]) {
    assert.deepEqual(await value(name), { op: 4, result: { name: 'Error', message } }, name);
  }
  assert.throws(() => cluster.handle('discluster.x', () => 1), { code: 'INVALID' });
  const wrong = { message: 'the handler of "x" is 1: want a function' };
  assert.throws(() => cluster.handle('x', 1), wrong);
});

test('a handler that is too slow is answered, and aborted', async (t) => {
  const { cluster, control } = await joined(t);
  let reason, finish;
  cluster.handle('hangs', (_, { signal }) => new Promise((resolve) => {
    signal.addEventListener('abort', () => { reason = signal.reason; });
    finish = resolve;
  }));
  const { op, result } = await asked(control, { name: 'hangs', timeout_ms: 5 });
  assert.equal(op, 4);
  assert.equal(result.message, 'handler "hangs" did not answer within 5 ms');
  assert.equal(reason.code, 'NO_ANSWER');
  finish('late');
  cluster.handle('next', () => 'next');
  assert.equal((await asked(control, { name: 'next' }, 'r2')).result, 'next', 'not the late one');
});

test('1,024 requests are handled at a time, not more', async (t) => {
  const { cluster, control } = await joined(t);
  cluster.handle('hangs', () => new Promise(() => {}));
  for (let n = 0; n < 1024; n++) {
    const d = { event_id: `h${n}`, name: 'hangs', from: 0, timeout_ms: 60_000 };
    control.send({ op: 0, t: 'REQUEST', d });
  }
  const { op, result } = await asked(control, { name: 'hangs' });
  assert.equal(op, 4);
  assert.equal(result.message, '1024 requests are being handled, the limit');
});

test('messages pass both ways', async (t) => {
  const { cluster, control, log } = await joined(t);
  const heard = [];
  cluster.onMessage((message, { from }) => heard.push([message, from]));
  cluster.onMessage(() => { throw new Error('listener'); });
  const message = { event_id: 'm', message: { a: 1 }, shards: [1], from: 0 };
  control.send({ op: 0, t: 'MESSAGE', d: message });
  const id = cluster.tell(clusters(0), 'reload');
  const { d } = await control.next('MESSAGE');
  assert.deepEqual(d, { event_id: id, message: 'reload', shards: [0], from: 1 });
  while (log.length === 0) await new Promise(setImmediate);
  assert.deepEqual(heard, [[{ a: 1 }, 0]]);
  assert.match(log[0], /^a listener of messages failed: Error: listener/);

  const errors = [{ cluster: 0, error: 'it does not run' }];
  const missed = { op: 4, t: 'MESSAGE', d: { event_id: id, errors } };
  control.send(missed);
  while (log.length < 2) await new Promise(setImmediate);
  assert.equal(log[1], `message ${id} did not reach 1, first 0: it does not run`);
  const undelivered = new Promise((resolve) => cluster.onUndelivered(resolve));
  control.send(missed);
  assert.deepEqual(await undelivered, { id, errors });
});

test('stats are the states of all shards', async (t) => {
  const { cluster, control } = await joined(t);
  const all = (state) => [{ shard_id: 2, state }, { shard_id: 3, state }];
  const stats = { name: 'discluster.stats', data: null };
  assert.deepEqual(await asked(control, stats), { op: 0, result: all('idle') });
  cluster.ready();
  await control.next('CONNECTED');
  assert.deepEqual(await asked(control, stats), { op: 0, result: all('ready') });
  const asking = cluster.stats({ timeout: 100 });
  const { d } = await control.next('REQUEST');
  assert.equal(d.name, 'discluster.stats');
  control.send({ op: 0, t: 'REQUEST', d: { event_id: d.event_id, result: [1], clusters: [0] } });
  assert.deepEqual((await asking).results, [{ cluster: 0, value: 1 }]);
});

test('what waits for CONTROL has a limit', async (t) => {
  const { cluster, control } = await joined(t);
  control.socket.pause();
  const large = 'x'.repeat(1 << 20);
  const fill = () => { for (let n = 0; n < 100; n++) cluster.tell(all(), large); };
  assert.throws(fill, { code: 'BUSY', message: /bytes wait for CONTROL, the limit is 4194304/ });
  control.socket.resume();
});
