// oceanic.js; see lines.mjs for what it says. An argument is the compression it asks for: zlib-stream, zstd-stream.
import process from 'node:process';
import { ActivityTypes, ApplicationCommandTypes, Client, Intents } from 'oceanic.js';
import { api, end, say, token } from './lines.mjs';

const client = new Client({
	auth: `Bot ${token}`,
	rest: { baseURL: `${api}/api/v10` },
	gateway: {
		compress: process.argv[2] ?? false,
		concurrency: 'auto',
		intents: Intents.GUILDS | Intents.GUILD_MEMBERS | Intents.GUILD_PRESENCES | Intents.GUILD_MESSAGES | Intents.GUILD_VOICE_STATES | Intents.MESSAGE_CONTENT,
		maxShards: 'auto',
	},
});
client.on('shardPreReady', (shard) => say('identified', shard));
client.on('shardResume', (shard) => say('resumed', shard));
client.on('error', (error, shard) => say('error', shard, error));
client.on('warn', (warning, shard) => say('warning', shard, warning));
client.on('messageCreate', (message) => {
	if (message.author.id === client.user.id) say('own', message.content);
	else say('message', message.guild.shard.id, message.content);
});
client.on('voiceChannelJoin', (member, channel) => say('voice', member.guildID, channel.id));
client.on('presenceUpdate', (guild, member, presence) => {
	if (member.id === client.user.id) say('presence', guild.id, presence.status);
});
client.once('ready', async () => {
	for (const guild of client.guilds.values()) say('guild', guild.id, guild.channels.size, guild.roles.size, guild.members.size);
	say('ready');
	const guild = client.guilds.get(client.guilds.map(({ id }) => id)[0]);
	const channel = (name) => guild.channels.find((c) => c.name === name);
	const commands = [{ name: 'ping', description: 'pings', type: ApplicationCommandTypes.CHAT_INPUT }];
	const { application } = client;
	say('commands', (await application.bulkEditGlobalCommands(commands)).length, (await application.bulkEditGuildCommands(guild.id, commands)).length);
	const sent = await channel('text-0').createMessage({ content: 'hello' });
	say('sent', sent.content);
	await client.editStatus('dnd', [{ name: 'a rehearsal', type: ActivityTypes.GAME }]);
	guild.shard.updateVoiceState(guild.id, channel('voice').id, { selfMute: true });
	say('members', (await guild.fetchMembers()).length);
	say('done');
});
end(() => client.disconnect(false));
await client.connect();
