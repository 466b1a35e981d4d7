// A discord.js bot on the library of transport/bot/node, the same with and without a gateway host:
// without one, CONTROL permits its identifies and keeps its sessions.
//
// It prints "ready PID USER GUILDS" when its client is, with the number of channels of each guild,
// and "message PID SHARD CONTENT" for each message. Ten times a second it asks all clusters for the
// number of their guilds, and prints "guilds CLUSTER NUMBER …" or "guilds CLUSTER error TEXT".
import process from 'node:process';
import { Client, Events, GatewayIntentBits } from 'discord.js';
import { all, discordjs, join } from '../../../transport/bot/node/index.mjs';

const { Guilds, GuildMessages, MessageContent } = GatewayIntentBits;
const intents = [Guilds, GuildMessages, MessageContent];
const print = (...words) => process.stdout.write(`${words.join(' ')}\n`);
const cluster = await join({ permits: true, sessions: true, intents });
const client = new Client({
	intents,
	rest: { api: `${process.env.DISCORD_API}/api` },
	...discordjs(cluster),
});
client.once(Events.ClientReady, () => {
	const guilds = client.guilds.cache.map(({ available, channels, members, name }) => {
		return `${name} ${available} ${channels.cache.size} ${members.me?.id === client.user.id}`;
	});
	print('ready', process.pid, client.user.tag, guilds.sort().join(', '));
});
client.on(Events.MessageCreate, ({ content, guild }) => {
	print('message', process.pid, guild.shardId, content);
});
cluster.handle('guilds', () => client.guilds.cache.size);
setInterval(async () => {
	try {
		const { errors, results } = await cluster.ask(all(), 'guilds');
		for (const { cluster: id, error } of errors) print('guilds', id, 'error', error);
		print('guilds', ...results.flatMap(({ cluster: id, value }) => [id, value]));
	} catch (error) {
		print('guilds', error.code);
	}
}, 100);
await client.login();
