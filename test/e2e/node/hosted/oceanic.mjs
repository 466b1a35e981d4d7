// An oceanic.js bot as its author writes one, with the shards that CONTROL names. It prints "guild
// PID ID" for each guild and "message PID SHARD CONTENT" for each message.
import process from 'node:process';
import { Client, Intents } from 'oceanic.js';

const client = new Client({
	auth: `Bot ${process.env.DISCORD_TOKEN}`,
	gateway: {
		shardIDs: JSON.parse(process.env.SHARDS),
		maxShards: Number(process.env.SHARD_COUNT),
		concurrency: 'auto',
		intents: Intents.GUILDS | Intents.GUILD_MESSAGES | Intents.MESSAGE_CONTENT,
	},
});
client.on('error', (error) => process.stderr.write(`error ${error.stack}\n`));
client.on('messageCreate', ({ guild, content }) => process.stdout.write(`message ${process.pid} ${guild.shard.id} ${content}\n`));
client.on('ready', () => client.guilds.forEach(({ id }) => process.stdout.write(`guild ${process.pid} ${id}\n`)));
await client.connect();
