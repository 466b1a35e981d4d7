import assert from 'node:assert/strict';
import test from 'node:test';
import frame from '../lib/frame.cjs';

const { FrameReader, decode, encode, maxFrame } = frame;

/** Returns the packets that a reader finds in chunks. */
function read(...chunks) {
  const packets = [];
  const reader = new FrameReader((bytes) => packets.push(decode(bytes)));
  for (const chunk of chunks) reader.push(chunk);
  return packets;
}

const packets = [
  { op: 0, t: 'MESSAGE', d: { event_id: '14386345745245722785410322068662124546' } },
  { op: 0, t: 'MESSAGE', d: { message: 'ёлка ☃ 🎄' } },
  { op: 0, t: 'MESSAGE', d: { message: 'a form feed \f is no end, nor is \n\u0000' } },
  { op: 7, d: { event_id: 'n1', big: '18446744073709551616' } },
];
const bytes = Buffer.concat(packets.map(encode));

test('packets come whole, however their bytes are cut', () => {
  for (let size = 1; size <= bytes.length; size++) {
    const chunks = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    assert.deepEqual(read(...chunks), packets, `chunks of ${size} bytes`);
  }
});

test('a frame is one line of JSON and one form feed', () => {
  const text = encode({ op: 1, d: { id: '7' } }).toString();
  assert.equal(text, '{"type":"__DDOO__.MESSAGE","data":{"op":1,"d":{"id":"7"}}}\f');
});

test('what a stock peer ignores is ignored', () => {
  const ignored = ['null', '7', '{"type":"other","data":{"op":2}}', '{"type":"__DDOO__.MESSAGE"}',
    '{"type":"__DDOO__.MESSAGE","data":null}'];
  for (const text of ignored) assert.equal(decode(Buffer.from(text)), undefined, text);
  assert.deepEqual(read(Buffer.from('\f\f')), [], 'empty frames');
  assert.throws(() => decode(Buffer.from('{')), SyntaxError);
});

test('a frame of 8 MiB passes, one byte more does not, in both directions', () => {
  const bare = encode({ op: 0, d: { x: '' } }).length - 1;
  const largest = { op: 0, d: { x: 'x'.repeat(maxFrame - bare) } };
  assert.deepEqual(read(encode(largest), encode(largest)), [largest, largest]);
  const over = { op: 0, d: { x: 'x'.repeat(maxFrame - bare + 1) } };
  const rule = { code: 'LIMIT', message: 'the frame has 8388609 bytes: want at most 8388608' };
  assert.throws(() => encode(over), rule);
  const more = Buffer.alloc(maxFrame + 1, 'x');
  assert.throws(() => read(more), { code: 'LIMIT', message: /over 8388608 bytes/ });
  assert.throws(() => read(more.subarray(0, 9), more.subarray(9)), { code: 'LIMIT' });
});

test('data that is no JSON is an error with the reason', () => {
  const cycle = {};
  cycle.cycle = cycle;
  for (const d of [cycle, { id: 1n }]) {
    assert.throws(() => encode({ op: 0, d }), { code: 'INVALID', message: /^the data is no JSON/ });
  }
});
