// A bot whose clusters talk to each other:
//
//	control discord --shards 4
//	DISCORD_TOKEN=x DISCORD_API=http://127.0.0.1:8645 \
//	    control run --cluster.protocol sdk --cluster.shards_per_cluster 2 -- node example.mjs
//
// It has no gateway. A bot on discord.js adds `new Client({ intents, ...discordjs(cluster) })`, and
// lets join announce that: join({ permits: true, sessions: true, intents }).
import process from 'node:process';
import { all, clusters, guild, join } from '@discluster/bot';

const print = (text) => process.stdout.write(`${text}\n`);
const cluster = await join(); // rejects with code STANDALONE where CONTROL did not start it

// Answers what other clusters ask. What it throws is the error of this cluster.
cluster.handle('guilds', ({ least }, { from }) => {
  if (!(least >= 0)) throw new RangeError(`least is ${least}: want at least 0`);
  return { guilds: 10 + cluster.id, asked_by: from };
});
cluster.onMessage((message, { from }) => print(`message of cluster ${from}: ${message}`));

// CONTROL ends this process: finish what runs, within the deadline.
cluster.onDrain(({ deadline }) => print(`drained until ${deadline.toISOString()}`));

print(`cluster ${cluster.id} of ${cluster.count}, shards ${cluster.shards}`);
cluster.ready(); // every shard is READY

const id = '25165824'; // of a server
setInterval(async () => {
  try {
    const { results, errors } = await cluster.ask(all(), 'guilds', { least: 5 });
    print(`guilds: ${results.map(({ cluster: by, value }) => `${by} has ${value.guilds}`)}`);
    for (const { cluster: by, error } of errors) print(`cluster ${by} did not answer: ${error}`);

    const owner = await cluster.ask(guild(id), 'guilds', { least: -1 }, { timeout: 2000 });
    print(`server ${id}, shard ${cluster.shardOf(id)}: ${owner.errors[0]?.error}`);

    const { results: stats } = await cluster.stats();
    const shards = stats.flatMap(({ value }) => value);
    print(`shards: ${shards.map(({ shard_id, state }) => `${shard_id} is ${state}`)}`);

    cluster.tell(clusters(0), `hello of ${cluster.id}`);
  } catch (error) {
    print(`${error.code}: ${error.message}`); // AWAY: CONTROL is restarting
  }
}, Number(process.env.EXAMPLE_EVERY ?? 5000));
