// discord.js' Client, as its guide writes bots; see lines.mjs for what it says.
import process from 'node:process';
import { ActivityType, Client, Events, GatewayDispatchEvents, GatewayIntentBits, GatewayOpcodes } from 'discord.js';
import { api, counted, end, say, token } from './lines.mjs';

const client = new Client({
	intents: [
		GatewayIntentBits.Guilds,
		GatewayIntentBits.GuildMembers,
		GatewayIntentBits.GuildPresences,
		GatewayIntentBits.GuildMessages,
		GatewayIntentBits.GuildVoiceStates,
		GatewayIntentBits.MessageContent,
	],
	rest: { api: `${api}/api` },
	shards: 'auto',
});
client.on(Events.ShardReady, (shard) => say('identified', shard));
client.on(Events.ShardResume, (shard, replayed) => say('resumed', shard, replayed));
client.on(Events.Error, (error) => say('error', error));
client.on(Events.ShardError, (error) => say('error', error));
client.on(Events.Warn, (warning) => say('warning', warning));
client.on(Events.MessageCreate, (message) => {
	if (message.author.id === client.user.id) say('own', message.content);
	else say('message', message.guild.shardId, message.content);
});
client.on(Events.VoiceStateUpdate, (_, state) => say('voice', state.guild.id, state.channelId));
client.on(Events.PresenceUpdate, (_, { userId, guild, status }) => {
	if (userId === client.user.id) say('presence', guild.id, status);
});
client.once(Events.ClientReady, async () => {
	for (const guild of client.guilds.cache.values()) {
		say('guild', guild.id, ...counted(guild.channels.cache.size, guild.roles.cache.size, guild.members.cache.size));
	}
	say('ready');
	const [guild] = client.guilds.cache.values();
	const commands = [{ name: 'ping', description: 'pings' }];
	say('commands', (await client.application.commands.set(commands)).size, (await guild.commands.set(commands)).size);
	const channel = guild.channels.cache.find((c) => c.name === 'text-0');
	const sent = await channel.send('hello');
	say('sent', sent.content);
	client.user.setPresence({ status: 'dnd', activities: [{ name: 'a rehearsal', type: ActivityType.Playing }] });
	guild.shard.send({ op: GatewayOpcodes.VoiceStateUpdate, d: { guild_id: guild.id, channel_id: guild.channels.cache.find((c) => c.name === 'voice').id, self_mute: true, self_deaf: false } });
	say('members', (await guild.members.fetch()).size);
	say('done');
});
end(() => client.destroy());
await client.login(token);
