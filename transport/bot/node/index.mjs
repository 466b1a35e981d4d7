import bot from './index.cjs';

export const {
  ClusterError, all, clusters, discordjs, guild, join, shardOf, shards, version,
} = bot;
