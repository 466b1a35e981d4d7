'use strict';
const { invalid } = require('./errors.cjs');

/** The addressees of a request or a message. */
class Targets {
  constructor(kind, ids) {
    this.kind = kind;
    this.ids = ids;
    Object.freeze(this);
  }
}

const whole = (thing, least) => (id) => {
  if (!Number.isSafeInteger(id) || id < least) {
    throw invalid(thing, id, `a whole number of at least ${least}`);
  }
  return id;
};

/** Addresses every cluster of the fleet, the sender included. */
const all = () => new Targets('all', []);

/** Addresses clusters by their ids. */
const clusters = (...ids) => new Targets('clusters', ids.map(whole('an id of clusters()', 0)));

/** Addresses the clusters that serve these shards, each once. */
const shards = (...ids) => new Targets('shards', ids.map(whole('an id of shards()', 0)));

/** Addresses the cluster that serves a guild. */
const guild = (id) => new Targets('guild', [guildId(id)]);

/** Returns the shard of a guild among shardCount (PROTOCOL B5). */
function shardOf(id, shardCount) {
  const count = whole('the shard count of shardOf()', 1)(shardCount);
  return Number((guildId(id) >> 22n) % BigInt(count));
}

/** Reads a guild's id. A number is refused: beyond 2^53 it has lost digits. */
function guildId(id) {
  const value = typeof id === 'string' && /^\d{1,20}$/.test(id) ? BigInt(id) : id;
  if (typeof value !== 'bigint' || value < 0n || value >= 1n << 64n) {
    throw invalid('the id of a guild', id, 'a decimal string or a bigint of at most 64 bits');
  }
  return value;
}

/** Returns the fields of a packet that address targets, in a fleet of these sizes. */
function address(to, clusterCount, shardCount) {
  if (!(to instanceof Targets)) {
    throw invalid('the targets', to, 'all(), clusters(), shards() or guild()');
  }
  switch (to.kind) {
    case 'all':
      return { shards: Array.from({ length: clusterCount }, (_, id) => id) };
    case 'clusters': // upstream's name: in messages and requests it means clusters
      return { shards: to.ids };
    case 'shards':
      return { shard_ids: to.ids };
    default:
      return { shard_ids: [shardOf(to.ids[0], shardCount)] };
  }
}

module.exports = { address, all, clusters, guild, shardOf, shards };
