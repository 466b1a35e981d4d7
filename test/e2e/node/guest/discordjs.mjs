// A discord.js bot as the sharding guide writes one, for discord.js' ShardingManager.
import process from 'node:process';
import { Client, Events, GatewayIntentBits } from 'discord.js';
import { obey, sum } from './orders.mjs';

const client = new Client({ intents: [GatewayIntentBits.Guilds] });
const { shard } = client;
client.on(Events.Error, () => {}); // a result that cannot be sent

const commands = {
	stats: async () => {
		const [guilds, members] = await Promise.all([
			shard.fetchClientValues('guilds.cache.size'),
			shard.broadcastEval((c) => c.guilds.cache.reduce((n, { memberCount }) => n + memberCount, 0)),
		]);
		return { guilds: sum(guilds), members: sum(members) };
	},
	who: () => [shard.ids, shard.count, shard.mode],
	ready: () => shard.broadcastEval((c) => c.ws.shards.every(({ status }) => status === 0)),
	ids: () => shard.broadcastEval((c) => c.shard.ids),
	context: () => shard.broadcastEval(async (c, { n, text }) => n + c.shard.ids[0] + text, { context: { n: 41, text: '<\u2028\ud800>', gone: undefined } }),
	one: () => shard.broadcastEval((c) => c.shard.ids[0], { shard: 1 }),
	own: () => shard.broadcastEval((c) => c.shard.ids[0], { shard: 0 }),
	property: () => shard.fetchClientValues('user.id', 1),
	nothing: () => shard.fetchClientValues('ws.nothing'),
	through: () => shard.fetchClientValues('nothing.at.all'),
	undefined: async () => [await shard.broadcastEval(() => undefined), (await shard.broadcastEval(() => undefined, { shard: 1 })) === undefined],
	values: () => shard.broadcastEval(() => [Number.NaN, -0, new Date(0), new Map(), undefined, () => 1, /x/, '\u0000\ud800\n']),
	throws: () => shard.broadcastEval((c) => { if (c.shard.ids[0] === 1) throw new RangeError('bad'); }),
	unknown: () => shard.broadcastEval(() => 1, { shard: 9 }),
	text: () => shard.broadcastEval('1'),
	large: async () => (await shard.broadcastEval((_c, { of }) => 'x'.repeat(of), { context: { of: 1 << 20 } })).map(({ length }) => length),
	send: () => shard.send({ hello: 'manager' }).then(() => true),
	same: () => Promise.all([shard.broadcastEval(() => 7), shard.broadcastEval(() => 7)]),
	long: () => shard.broadcastEval(() => 1, { context: 'x'.repeat(9 << 20) }),
	slow: () => shard.broadcastEval(() => new Promise((resolve) => setTimeout(resolve, 20_000, 7).unref())),
	dies: () => shard.broadcastEval((c) => { if (c.shard.ids[0] === 1) process.exit(3); }),
	empty: () => shard.fetchClientValues(''),
	respawn: () => shard.respawnAll({ shardDelay: 100, respawnDelay: 100, timeout: Infinity }),
};

client.once(Events.ClientReady, () => obey(shard.ids[0], commands, client));
await client.login();
