import assert from 'node:assert/strict';
import test from 'node:test';
import { clusters, guild, shardOf, shards, all } from '../index.mjs';
import targets from '../lib/targets.cjs';

test('targets become the fields of a packet', () => {
  const address = (to) => targets.address(to, 3, 8);
  assert.deepEqual(address(all()), { shards: [0, 1, 2] });
  assert.deepEqual(address(clusters(2, 0)), { shards: [2, 0] });
  assert.deepEqual(address(clusters()), { shards: [] });
  assert.deepEqual(address(shards(7)), { shard_ids: [7] });
  assert.deepEqual(address(guild('1143203456032768000')), { shard_ids: [3] });
  const wrong = { code: 'INVALID', message: /^the targets is \[1\]: want all/ };
  assert.throws(() => address([1]), wrong);
});

test('the shard of a guild is computed beyond 2^53', () => {
  assert.equal(shardOf('25165824', 4), 2);
  assert.equal(shardOf(25165824n, 4), 2);
  assert.equal(shardOf('18446744073709551615', 1000), 103);
});

test('a wrong id is an error that names it', () => {
  for (const [call, message] of [
    [() => guild(1143203456032768000), /a guild is 1143203456032768000: want a decimal string/],
    [() => guild('12x'), /the id of a guild is "12x"/],
    [() => guild('18446744073709551616'), /of at most 64 bits/],
    [() => clusters(-1), /an id of clusters\(\) is -1: want a whole number of at least 0/],
    [() => shards('1'), /an id of shards\(\) is "1"/],
    [() => shardOf('1', 0), /the shard count of shardOf\(\) is 0/],
  ]) assert.throws(call, { name: 'ClusterError', code: 'INVALID', message });
});
