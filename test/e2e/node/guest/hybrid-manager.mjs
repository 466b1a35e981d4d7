// The manager of hybrid.mjs, as the page of discord-hybrid-sharding writes one.
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { ClusterManager } from 'discord-hybrid-sharding';

const manager = new ClusterManager(fileURLToPath(new URL('hybrid.mjs', import.meta.url)), {
	totalShards: 4, totalClusters: 2, mode: 'process', token: process.env.DISCORD_TOKEN, respawn: false,
});
process.once('SIGTERM', () => {
	for (const cluster of manager.clusters.values()) cluster.kill({ force: true });
	process.exit();
});
await manager.spawn({ delay: 100, timeout: -1 });
