// eris; see lines.mjs for what it says. Its REST goes to https://discord.com, whatever its options: an agent of its own, which is one of them, brings it to DISCORD_API, an address of https.
import { Agent } from 'node:https';
import process from 'node:process';
import { connect } from 'node:tls';
import { Client, Constants } from 'eris';
import { api, end, say, token } from './lines.mjs';

const { hostname, port } = new URL(api);

class Redirected extends Agent {
	createConnection(options) {
		return connect({ ...options, host: hostname, port, servername: options.servername ?? options.host });
	}
}

const client = new Client(`Bot ${token}`, {
	intents: ['guilds', 'guildMembers', 'guildPresences', 'guildMessages', 'guildVoiceStates', 'messageContent'],
	maxShards: 'auto',
	rest: { agent: new Redirected() },
});
client.on('shardPreReady', (shard) => say('identified', shard));
client.on('shardResume', (shard) => say('resumed', shard));
client.on('error', (error, shard) => say('error', shard, error));
client.on('warn', (warning, shard) => say('warning', shard, warning));
client.on('messageCreate', (message) => {
	if (message.author.id === client.user.id) say('own', message.content);
	else say('message', message.channel.guild.shard.id, message.content);
});
client.on('voiceChannelJoin', (member, channel) => say('voice', channel.guild.id, channel.id));
client.on('presenceUpdate', (member) => {
	if (member.id === client.user.id) say('presence', member.guild.id, member.status);
});
client.once('ready', async () => {
	for (const guild of client.guilds.values()) say('guild', guild.id, guild.channels.size, guild.roles.size, guild.members.size);
	say('ready');
	const [guild] = client.guilds.values();
	const channel = (name) => guild.channels.find((c) => c.name === name);
	const commands = [{ name: 'ping', description: 'pings', type: Constants.ApplicationCommandTypes.CHAT_INPUT }];
	say('commands', (await client.bulkEditCommands(commands)).length, (await client.bulkEditGuildCommands(guild.id, commands)).length);
	const sent = await channel('text-0').createMessage('hello');
	say('sent', sent.content);
	client.editStatus('dnd', [{ name: 'a rehearsal', type: 0 }]);
	guild.shard.sendWS(Constants.GatewayOPCodes.VOICE_STATE_UPDATE, { guild_id: guild.id, channel_id: channel('voice').id, self_mute: true, self_deaf: false });
	say('members', (await guild.fetchMembers()).length);
	say('done');
});
end(() => client.disconnect({ reconnect: false }));
await client.connect();
