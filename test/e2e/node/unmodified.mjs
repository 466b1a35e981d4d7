// A discord.js bot as its guide writes one. It prints "message PID SHARD CONTENT" for each message.
import process from 'node:process';
import { Client, Events, GatewayIntentBits } from 'discord.js';

const { Guilds, GuildMessages, MessageContent } = GatewayIntentBits;
const client = new Client({ intents: [Guilds, GuildMessages, MessageContent] });
client.on(Events.MessageCreate, ({ guild, content }) => process.stdout.write(`message ${process.pid} ${guild.shardId} ${content}\n`));
await client.login();
