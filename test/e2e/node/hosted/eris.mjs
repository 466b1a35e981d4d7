// An eris bot as its author writes one, with the shards that CONTROL names. It prints "guild PID
// ID" for each guild and "message PID SHARD CONTENT" for each message.
import process from 'node:process';
import { Client } from 'eris';

const shards = JSON.parse(process.env.SHARDS);
const client = new Client(`Bot ${process.env.DISCORD_TOKEN}`, {
	firstShardID: shards[0],
	lastShardID: shards.at(-1),
	maxShards: Number(process.env.SHARD_COUNT),
	intents: ['guilds', 'guildMessages', 'messageContent'],
});
client.on('error', (error) => process.stderr.write(`error ${error.stack}\n`));
client.on('messageCreate', ({ channel, content }) => process.stdout.write(`message ${process.pid} ${channel.guild.shard.id} ${content}\n`));
client.on('ready', () => client.guilds.forEach(({ id }) => process.stdout.write(`guild ${process.pid} ${id}\n`)));
await client.connect();
