// @discordjs/ws and @discordjs/rest, without a cache; see lines.mjs for what it says. An argument is the compression it asks for: zlib-stream.
import process from 'node:process';
import { REST } from '@discordjs/rest';
import { CompressionMethod, WebSocketManager, WebSocketShardEvents } from '@discordjs/ws';
import { GatewayDispatchEvents, GatewayIntentBits, GatewayOpcodes, PresenceUpdateStatus, Routes } from 'discord-api-types/v10';
import { api, end, say, token } from './lines.mjs';

const rest = new REST({ version: '10', api: `${api}/api` }).setToken(token);
const manager = new WebSocketManager({
	token,
	intents:
		GatewayIntentBits.Guilds |
		GatewayIntentBits.GuildMembers |
		GatewayIntentBits.GuildPresences |
		GatewayIntentBits.GuildMessages |
		GatewayIntentBits.GuildVoiceStates |
		GatewayIntentBits.MessageContent,
	compression: process.argv[2] === 'zlib-stream' ? CompressionMethod.ZlibNative : null,
	rest,
});
const awaited = new Set(); // guilds
const guilds = [];
let me;
let members = 0;
let connected = false; // every shard
let acting = false;

manager
	.on(WebSocketShardEvents.Ready, ({ user, guilds: unavailable }, shard) => {
		me = user.id;
		for (const { id } of unavailable) if (!guilds.some((guild) => guild.id === id)) awaited.add(id);
		say('identified', shard);
	})
	.on(WebSocketShardEvents.Resumed, (shard) => say('resumed', shard))
	.on(WebSocketShardEvents.Error, (error, shard) => say('error', shard, error))
	.on(WebSocketShardEvents.Dispatch, ({ t, d }, shard) => {
		if (t === GatewayDispatchEvents.GuildCreate && awaited.delete(d.id)) {
			say('guild', d.id, d.channels.length, d.roles.length, d.members.length);
			guilds.push({ ...d, shard });
			begin();
		} else if (t === GatewayDispatchEvents.MessageCreate) {
			if (d.author.id === me) say('own', d.content);
			else say('message', shard, d.content);
		} else if (t === GatewayDispatchEvents.PresenceUpdate && d.user.id === me) say('presence', d.guild_id, d.status);
		else if (t === GatewayDispatchEvents.VoiceStateUpdate) say('voice', d.guild_id, d.channel_id);
		else if (t === GatewayDispatchEvents.GuildMembersChunk) {
			members += d.members.length;
			if (d.chunk_index === d.chunk_count - 1) {
				say('members', members);
				say('done');
			}
		}
	});

function begin() {
	if (!connected || awaited.size > 0 || acting) return;
	acting = true;
	act(guilds[0]).catch((error) => say('error', error));
}

async function act({ id, channels, shard }) {
	say('ready');
	const body = [{ name: 'ping', description: 'pings' }];
	const globally = await rest.put(Routes.applicationCommands(me), { body });
	const inGuild = await rest.put(Routes.applicationGuildCommands(me, id), { body });
	say('commands', globally.length, inGuild.length);
	const channel = (name) => channels.find((c) => c.name === name).id;
	const sent = await rest.post(Routes.channelMessages(channel('text-0')), { body: { content: 'hello' } });
	say('sent', sent.content);
	const activities = [{ name: 'a rehearsal', type: 0 }];
	for (const each of await manager.getShardIds()) {
		await manager.send(each, { op: GatewayOpcodes.PresenceUpdate, d: { since: null, activities, status: PresenceUpdateStatus.DoNotDisturb, afk: false } });
	}
	await manager.send(shard, { op: GatewayOpcodes.VoiceStateUpdate, d: { guild_id: id, channel_id: channel('voice'), self_mute: true, self_deaf: false } });
	await manager.send(shard, { op: GatewayOpcodes.RequestGuildMembers, d: { guild_id: id, query: '', limit: 0 } });
}

end(() => manager.destroy());
await manager.connect();
connected = true;
begin();
