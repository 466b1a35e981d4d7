'use strict';
const { join } = require('./lib/cluster.cjs');
const { discordjs } = require('./lib/discordjs.cjs');
const { ClusterError } = require('./lib/errors.cjs');
const { all, clusters, guild, shardOf, shards } = require('./lib/targets.cjs');
const { version } = require('./package.json');

module.exports = { ClusterError, all, clusters, discordjs, guild, join, shardOf, shards, version };
