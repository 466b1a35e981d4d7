'use strict';
// The environment of a process of CONTROL (PROTOCOL B4). The shards come with HELLO.
const { isAbsolute } = require('node:path');
const { ClusterError } = require('./errors.cjs');

const socketMax = process.platform === 'linux' ? 107 : 103; // bytes of a unix socket's path

const standalone =
  'join: DISCLUSTER_SOCKET is not set: CONTROL did not start this process; start the bot by ' +
  '`control run -- node bot.mjs`, or without a gateway host by ' +
  '`control run --cluster.protocol sdk -- node bot.mjs`';

/** Reads the environment. The error names every mistake at once. */
function readEnvironment(env) {
  if (env.DISCLUSTER_SOCKET === undefined) throw new ClusterError('STANDALONE', standalone);
  const wrong = [];
  const text = (name, rule, good) => {
    const value = env[name];
    if (value === undefined) wrong.push(`${name} is not set: want ${rule}`);
    else if (!good(value)) wrong.push(`${name} is ${JSON.stringify(value)}: want ${rule}`);
    return value;
  };
  const number = (name, least) => {
    const rule = `a whole number of at least ${least}`;
    return Number(text(name, rule, (v) => /^\d{1,9}$/.test(v) && Number(v) >= least));
  };
  const snowflake = (name) =>
    text(name, 'a decimal number of at most 128 bits', (v) => /^\d{1,39}$/.test(v));
  const read = {
    socket: text(
      'DISCLUSTER_SOCKET',
      `an absolute path of at most ${socketMax} bytes`,
      (v) => isAbsolute(v) && Buffer.byteLength(v) <= socketMax,
    ),
    manager: snowflake('SHARDING_MANAGER_IPC'),
    instance: snowflake('SHARDING_INSTANCE_IPC'),
    id: number('CLUSTER_ID', 0),
    count: number('CLUSTER_COUNT', 1),
    maxConcurrency: number('MAX_CONCURRENCY', 1),
    token: env.DISCORD_TOKEN ?? '',
  };
  if (wrong.length > 0) throw new ClusterError('INVALID', `join: ${wrong.join('; ')}`);
  return read;
}

module.exports = { readEnvironment };
