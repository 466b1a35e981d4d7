// A bot on @discordjs/ws, with its own identify throttler: it connects all shards that Discord recommends, says so, and goes on until SIGTERM.
//
//	DISCORD_API=http://127.0.0.1:1234 DISCORD_TOKEN=… node foreign.mjs [zlib-stream]
//
// Lines: "ready 3", "resumed 3", "all ready", "closed 3 1000".
import process from 'node:process';
import { REST } from '@discordjs/rest';
import { CompressionMethod, WebSocketManager, WebSocketShardEvents } from '@discordjs/ws';

const say = (...words) => process.stdout.write(`${words.join(' ')}\n`);

const rest = new REST({ version: '10', api: `${process.env.DISCORD_API}/api` }).setToken(process.env.DISCORD_TOKEN);
const manager = new WebSocketManager({
	token: process.env.DISCORD_TOKEN,
	intents: 1 | (1 << 9), // GUILDS, GUILD_MESSAGES
	compression: process.argv[2] === 'zlib-stream' ? CompressionMethod.ZlibNative : null,
	rest,
});
manager
	.on(WebSocketShardEvents.Ready, (_, shard) => say('ready', shard))
	.on(WebSocketShardEvents.Resumed, (shard) => say('resumed', shard))
	.on(WebSocketShardEvents.Closed, (code, shard) => say('closed', shard, code))
	.on(WebSocketShardEvents.Error, (error, shard) => process.stderr.write(`shard ${shard}: ${error.stack}\n`));

process.once('SIGTERM', async () => {
	await manager.destroy();
	process.exit(0);
});
await manager.connect();
say('all ready');
