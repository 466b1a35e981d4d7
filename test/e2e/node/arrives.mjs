// A bot that tells BENCH_ORDERS, a unix socket, when all its shards are READY; with BENCH_BOOT as
// soon as its program begins. Without CONTROL it connects to the simulated Discord BENCH_DISCORD.
import { connect } from 'node:net';
import { Client, GatewayIntentBits } from 'discord.js';

const { BENCH_BOOT, BENCH_DISCORD, BENCH_ORDERS, CLUSTER_ID } = process.env;
const arrive = () => connect(BENCH_ORDERS).write(JSON.stringify(CLUSTER_ID ?? '0') + '\n');
const rest = CLUSTER_ID === undefined ? { api: `${BENCH_DISCORD}/api` } : undefined;
const client = new Client({ intents: [GatewayIntentBits.Guilds], rest });
if (BENCH_BOOT) {
  arrive();
} else {
  client.once('clientReady', arrive);
  await client.login(process.env.DISCORD_TOKEN);
}
