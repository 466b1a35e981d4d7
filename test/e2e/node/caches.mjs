// Many discord.js clients, one after the other: what each of them has in its caches in the end. See ../caches_long_test.go.
//
//	DISCORD_API=http://127.0.0.1:1234 DISCORD_TOKEN=… node caches.mjs
//
// It reads {"client": "name", "shard": [0, 4], "members": true, "presences": false} by the line, and says {"client": "name", "ready": true}, then, at the event "END", {"client": "name", "state": {…}}.
// What goes wrong is {"error": "…"}.
import process from 'node:process';
import { createInterface } from 'node:readline';
import { BitField, Client, Events, GatewayIntentBits, Guild, GuildEmoji, GuildMember, ThreadChannel, User } from 'discord.js';

const { DISCORD_API: api, DISCORD_TOKEN: token } = process.env;
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

// What a new session is not given, and what leads back to where we came from.
const left = {
	bans: 'asked for by REST', invites: 'asked for by REST', commands: 'asked for by REST', autoModerationRules: 'asked for by REST',
	presences: 'not kept', messages: 'not kept', shardId: 'two shards are compared', _roles: 'with deleted ones: see below',
	guild: 'above', thread: 'above', threads: 'among the channels', member: 'of a thread: among the members',
};

const sorted = (entries) => Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
const ids = (manager) => [...manager.cache.keys()].sort();
const all = (map, keep = () => true) => sorted([...map].filter(([, item]) => keep(item)).map(([key, item]) => [key, plain(item)]));

// plain returns a structure as JSON.
function plain(value) {
	if (value instanceof BitField) return String(value.bitfield);
	if (value === null || typeof value !== 'object') return value;
	if (Array.isArray(value)) return value.map(plain);
	if (value.cache instanceof Map) return all(value.cache);
	const own = Object.entries(value).filter(([key, of]) => !(key in left) && of !== undefined).map(([key, of]) => [key, of instanceof User && !(value instanceof GuildMember) ? of.id : plain(of)]);
	if (value instanceof Guild) return guild(value, own);
	if (value instanceof GuildMember || value instanceof GuildEmoji) own.push(['roles', ids(value.roles)]); // deleted ones stay in what they came from
	if (value instanceof ThreadChannel) own.push(['members', all(value.members.cache, ({ id }) => id === value.client.user.id)]); // others come by op 8 or REST
	return sorted(own);
}

function guild(value, own) {
	const { available, channels, client, id, members, scheduledEvents, stageInstances, voiceStates } = value;
	if (!available) return { id, available }; // what it had is kept until it comes back, and replaced then
	const has = (channel) => channel === null || channels.cache.has(channel);
	return sorted(Object.entries({
		...Object.fromEntries(own),
		// Discord gives a session the threads that are active; those of a deleted channel stay here.
		channels: all(channels.cache, (c) => !(c instanceof ThreadChannel) || (!c.archived && has(c.parentId))),
		members: all(members.cache, (m) => m.id === client.user.id || voiceStates.cache.get(m.id)?.channelId), // others are asked for by op 8
		voiceStates: all(voiceStates.cache, (v) => v.channelId), // who has left stays here
		stageInstances: all(stageInstances.cache, (s) => has(s.channelId)), // those of a deleted channel stay here
		scheduledEvents: all(scheduledEvents.cache, (e) => e.status < 3 && has(e.channelId)), // those that are over, or of a deleted channel, stay here
	}));
}

const { GuildMembers, GuildPresences, ...open } = GatewayIntentBits;
const openIntents = Object.values(open).filter((bit) => typeof bit === 'number');

function start({ client: name, shard: [id, count], members, presences }) {
	const intents = [...openIntents, ...(members ? [GuildMembers] : []), ...(presences ? [GuildPresences] : [])];
	const client = new Client({ intents, shards: [id], shardCount: count, rest: { api: `${api}/api` } });
	client.once(Events.ClientReady, () => say({ client: name, ready: true }));
	for (const event of [Events.Error, Events.ShardError, Events.Warn]) client.on(event, (what) => say({ client: name, error: String(what.stack ?? what) }));
	client.on('raw', ({ t }) => {
		if (t === 'END') setImmediate(end); // a RESUMED may come behind what was sent after it
	});
	function end() {
		const { user, application, guilds } = client;
		say({ client: name, state: { user: plain(user), application: { id: application.id, flags: plain(application.flags) }, guilds: all(guilds.cache) } });
		client.destroy();
	}
	client.login(token).catch((error) => say({ client: name, error: error.stack }));
}

process.on('uncaughtException', (error) => say({ error: error.stack }));
createInterface({ input: process.stdin }).on('line', (line) => start(JSON.parse(line))).on('close', () => process.exit(0));
