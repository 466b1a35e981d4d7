// What every client here says and does, so that one test reads them all. A client is a bot on a library as it is, with two shards or as many as Discord recommends:
//
//	DISCORD_API=http://127.0.0.1:1234 DISCORD_TOKEN=… node clients/discordjs.mjs
//
// It says "identified 0" and "resumed 0" of a shard, "guild ID CHANNELS ROLES MEMBERS" of each guild it has once it is ready, "ready", and "message 0 7" for a message of a user, by the
// shard that has the guild. Then it registers commands ("commands GLOBAL GUILD"), writes a message ("sent hello") that it hears ("own hello"), sets its
// presence ("presence GUILD dnd"), joins a voice channel ("voice GUILD CHANNEL") and asks for all members ("members 120") of its first guild, and says "done". Whatever its library complains of is a line "error …" or "warning …".
import process from 'node:process';

export const { DISCORD_API: api, DISCORD_TOKEN: token } = process.env;

export const say = (...words) => process.stdout.write(`${words.map((word) => word?.stack ?? word).join(' ')}\n`);

export const counted = (...counts) => counts.map(Number);

// end has SIGTERM end the bot, by what its library has for it.
export const end = (destroy) => process.once('SIGTERM', async () => {
	await destroy();
	process.exit(0);
});
