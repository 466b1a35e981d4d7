// A discord.js bot as the page of discord-hybrid-sharding writes one.
import process from 'node:process';
import { Client, Events, GatewayIntentBits } from 'discord.js';
import { ClusterClient, getInfo } from 'discord-hybrid-sharding';
import { obey, sum } from './orders.mjs';

const { SHARD_LIST, TOTAL_SHARDS, CLUSTER } = getInfo();
const client = new Client({ shards: SHARD_LIST, shardCount: TOTAL_SHARDS, intents: [GatewayIntentBits.Guilds] });
client.cluster = new ClusterClient(client);
const { cluster } = client;

const commands = {
	stats: async () => {
		const [guilds, members] = await Promise.all([
			cluster.fetchClientValues('guilds.cache.size'),
			cluster.broadcastEval((c) => c.guilds.cache.reduce((n, { memberCount }) => n + memberCount, 0)),
		]);
		return { guilds: sum(guilds), members: sum(members) };
	},
	who: () => [cluster.id, cluster.count, cluster.shardList, cluster.mode, cluster.info],
	text: () => cluster.broadcastEval('this.cluster.id + 1'),
	context: () => cluster.broadcastEval(async (c, { n, text }) => n + c.cluster.id + text, { context: { n: 41, text: '<\u2028\ud800>', gone: undefined } }),
	ready: () => cluster.broadcastEval((c) => c.ws.shards.every(({ status }) => status === 0)),
	ids: () => cluster.broadcastEval('this.cluster.id'),
	one: () => cluster.broadcastEval('this.cluster.shardList', { cluster: 1 }),
	several: () => cluster.broadcastEval('this.cluster.id', { cluster: [1, 0] }),
	shard: () => cluster.broadcastEval('this.cluster.id', { shard: 3 }),
	guild: () => cluster.broadcastEval('this.cluster.id', { guildId: '8388609' }),
	unknown: () => cluster.broadcastEval('1', { cluster: 9 }),
	negative: () => cluster.broadcastEval('1', { cluster: -1 }),
	none: () => cluster.broadcastEval('1', { cluster: [] }),
	property: () => cluster.fetchClientValues('user.id', 1),
	through: () => cluster.fetchClientValues('nothing.at.all'),
	undefined: () => cluster.broadcastEval(() => undefined),
	values: () => cluster.broadcastEval(() => [Number.NaN, new Date(0), new Map(), undefined, '\u0000\ud800\n']),
	throws: () => cluster.broadcastEval((c) => { if (c.cluster.id === 1) throw new RangeError('bad'); }),
	timeout: () => cluster.broadcastEval(() => new Promise(() => {}), { timeout: 300, cluster: 1 }),
	same: () => Promise.all([cluster.broadcastEval('7'), cluster.broadcastEval('7')]),
	send: async () => { await cluster.send({ hello: 'manager' }); return true; },
	next: async () => { await cluster.spawnNextCluster(); return true; },
	maintain: async () => {
		cluster.triggerMaintenance('why', true);
		const all = () => cluster.broadcastEval('this.cluster.maintenance');
		for (let got = await all(); ; got = await all()) if (got.every((reason) => reason === 'why')) break;
		const ready = new Promise((resolve) => cluster.once('ready', resolve));
		cluster.triggerMaintenance(undefined, true);
		await ready;
		for (let got = await all(); ; got = await all()) if (got.every((reason) => reason === false)) return true;
	},
	request: () => cluster.request({ hello: 'manager' }),
	manager: () => cluster.evalOnManager('this.totalShards'),
	long: () => cluster.broadcastEval(() => 1, { context: 'x'.repeat(9 << 20) }),
	slow: () => cluster.broadcastEval(() => new Promise((resolve) => setTimeout(resolve, 20_000, 7).unref())),
	dies: () => cluster.broadcastEval((c) => { if (c.cluster.id === 1) process.exit(3); }),
	respawn: () => cluster.respawnAll({ clusterDelay: 100, respawnDelay: 100 }).then(() => undefined),
};

client.once(Events.ClientReady, () => {
	cluster.triggerReady();
	obey(CLUSTER, commands, client);
});
await client.login(process.env.DISCORD_TOKEN);
