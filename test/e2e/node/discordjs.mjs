// A discord.js bot that knows nothing of Discluster, and needs no change for it: Client itself reads SHARDS, SHARD_COUNT and DISCORD_TOKEN where its author says nothing else.
//
//	DISCORD_API=http://127.0.0.1:1234 node discordjs.mjs
//
// It says "Logged in as simulated" once every shard is ready. With SITE_PORT it answers HTTP at that port and its CLUSTER_ID, too: 200 while its shards are, else 503.
import { createServer } from 'node:http';
import process from 'node:process';
import { Client, Events, GatewayIntentBits, Status } from 'discord.js';

const { CLUSTER_ID, DISCORD_API, SITE_PORT } = process.env;
const client = new Client({
	intents: [GatewayIntentBits.Guilds],
	rest: { api: `${DISCORD_API}/api` },
});
client.once(Events.ClientReady, ({ user }) => process.stdout.write(`Logged in as ${user.tag}\n`));
process.once('SIGTERM', async () => {
	await client.destroy();
	process.exit(0);
});
if (SITE_PORT) {
	const well = () => client.isReady() && client.ws.shards.every(({ status }) => status === Status.Ready);
	createServer((_, answer) => answer.writeHead(well() ? 200 : 503).end()).listen(Number(SITE_PORT) + Number(CLUSTER_ID), '127.0.0.1');
}
await client.login();
