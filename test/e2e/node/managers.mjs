// node managers.mjs NAME: eight processes of a bot under discord.js' ShardingManager ("discordjs")
// or discord-hybrid-sharding ("hybrid"), without Discord. The first asks all of them as often as an
// order says, and reports how long it took. Orders are lines of JSON on a unix socket,
// BENCH_ORDERS.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, ShardingManager } from 'discord.js';
import { ClusterClient, ClusterManager } from 'discord-hybrid-sharding';

const processes = 8;
const self = fileURLToPath(import.meta.url);
const nanoseconds = () => Number(process.hrtime.bigint());

function manage(name) {
  const hybrid = name === 'hybrid';
  const manager = hybrid
    ? new ClusterManager(self, { totalShards: processes, totalClusters: processes, mode: 'process', respawn: false })
    : new ShardingManager(self, { totalShards: processes, mode: 'process', respawn: false });
  process.once('SIGTERM', () => {
    for (const child of (manager.clusters ?? manager.shards).values()) child.kill();
    process.exit();
  });
  return hybrid ? manager.spawn({ delay: 0, timeout: -1 }) : manager.spawn({ amount: processes, delay: 0, timeout: -1 });
}

// all asks every process, once.
async function all(group) {
  const answers = await group.broadcastEval(() => 42);
  if (answers.length !== processes || answers.some((answer) => answer !== 42)) throw new Error(`answers ${answers}`);
}

async function ask(group, n) {
  const each = [];
  const began = nanoseconds();
  for (let i = 0; i < n; i++) {
    const at = nanoseconds();
    await all(group);
    each.push(nanoseconds() - at);
  }
  const took = nanoseconds() - began;
  each.sort((a, b) => a - b);
  return { took, p50: each[Math.floor(n / 2)], p99: each[Math.floor((n * 99) / 100)] };
}

async function obey(group) {
  for (;;) {
    try {
      await all(group);
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50)); // not every process is there
    }
  }
  const orders = connect(process.env.BENCH_ORDERS);
  orders.write('"0"\n');
  for await (const line of createInterface({ input: orders })) {
    const result = await ask(group, JSON.parse(line).n).catch((err) => ({ err: String(err) }));
    orders.write(JSON.stringify(result) + '\n');
  }
  process.exit();
}

if (process.env.CLUSTER_MANAGER) {
  const client = new Client({ intents: [] });
  client.cluster = new ClusterClient(client);
  if (client.cluster.id === 0) obey(client.cluster);
} else if (process.env.SHARDING_MANAGER) {
  const client = new Client({ intents: [] });
  if (client.shard.ids[0] === 0) obey(client.shard);
} else {
  await manage(process.argv[2]);
}
