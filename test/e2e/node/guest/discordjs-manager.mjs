// The manager of discordjs.mjs, as the sharding guide writes one.
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { ShardingManager } from 'discord.js';

const manager = new ShardingManager(fileURLToPath(new URL('discordjs.mjs', import.meta.url)), { totalShards: 2, token: process.env.DISCORD_TOKEN });
process.once('SIGTERM', () => {
	manager.respawn = false;
	for (const shard of manager.shards.values()) shard.kill();
	process.exit();
});
await manager.spawn({ delay: 100 });
