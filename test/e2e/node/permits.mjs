// A discord.js bot without a gateway host: CONTROL permits its identifies and keeps its sessions.
// It prints "ready PID USER GUILDS" when its client is, with the number of channels of each guild,
// and "message PID SHARD CONTENT" for each message.
import process from 'node:process';
import { Client, Events, GatewayIntentBits } from 'discord.js';
import { discordjs, join } from '../../../transport/bot/node/index.mjs';

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
await client.login();
