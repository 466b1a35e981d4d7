// A bot on @discordjs/ws and @discordjs/rest as their guide writes one, with the shards that
// CONTROL names. It prints "guild PID ID" for each guild and "message PID SHARD CONTENT" for each
// message.
import process from 'node:process';
import { REST } from '@discordjs/rest';
import { WebSocketManager, WebSocketShardEvents } from '@discordjs/ws';
import { GatewayDispatchEvents, GatewayIntentBits } from 'discord-api-types/v10';

const token = process.env.DISCORD_TOKEN;
const manager = new WebSocketManager({
	token,
	shardIds: JSON.parse(process.env.SHARDS),
	shardCount: Number(process.env.SHARD_COUNT),
	intents: GatewayIntentBits.Guilds | GatewayIntentBits.GuildMessages | GatewayIntentBits.MessageContent,
	rest: new REST({ version: '10' }).setToken(token),
});
manager.on(WebSocketShardEvents.Error, (error) => process.stderr.write(`error ${error.stack}\n`));
manager.on(WebSocketShardEvents.Dispatch, ({ t, d }, shard) => {
	if (t === GatewayDispatchEvents.GuildCreate) process.stdout.write(`guild ${process.pid} ${d.id}\n`);
	if (t === GatewayDispatchEvents.MessageCreate) process.stdout.write(`message ${process.pid} ${shard} ${d.content}\n`);
});
await manager.connect();
