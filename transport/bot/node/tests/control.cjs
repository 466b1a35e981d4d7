'use strict';
// A CONTROL for tests: it connects to a cluster's socket, sends packets and keeps what comes.
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { FrameReader, decode, encode } = require('../lib/frame.cjs');
const { join } = require('../index.cjs');

const manager = '14386345434290659167418524605215670272';
const instance = '14386345434600144177235209336163139585';

/** One connection to the cluster. */
class Control {
  packets = []; // that nobody has taken
  #waiting = []; // {match, resolve}

  constructor(socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => {});
    const reader = new FrameReader((frame) => this.#came({ frame, ...decode(frame) }));
    socket.on('data', (chunk) => reader.push(chunk));
  }

  static async dial(env) {
    for (;;) {
      const control = await new Promise((resolve) => {
        const socket = net.connect(env.DISCLUSTER_SOCKET);
        socket.once('connect', () => resolve(new Control(socket)));
        socket.once('error', () => setImmediate(resolve)); // the cluster does not listen so far
      });
      if (control) return control;
    }
  }

  #came(packet) {
    const at = this.#waiting.findIndex(({ match }) => match(packet));
    if (at < 0) this.packets.push(packet);
    else this.#waiting.splice(at, 1)[0].resolve(packet);
  }

  send(packet) {
    this.socket.write(encode(packet));
  }

  /** Returns the next packet of this kind: an op, or the t of a dispatch. */
  next(kind) {
    const match = ({ op, t }) => (typeof kind === 'number' ? op === kind : t === kind);
    const at = this.packets.findIndex(match);
    if (at >= 0) return Promise.resolve(this.packets.splice(at, 1)[0]);
    return new Promise((resolve) => this.#waiting.push({ match, resolve }));
  }

  hello(more = {}) {
    const d = { id: manager, event_id: '1', heartbeat_interval: 5000, shards: [2, 3] };
    this.send({ op: 2, d: { ...d, total_shards: 4, protocol: 1, ...more } });
  }
}

/** Returns the environment of cluster 1 of 2, with a socket of its own. */
function environment() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bot'));
  return {
    DISCLUSTER_SOCKET: path.join(folder, 's'),
    SHARDING_MANAGER_IPC: manager,
    SHARDING_INSTANCE_IPC: instance,
    CLUSTER_ID: '1',
    CLUSTER_COUNT: '2',
    MAX_CONCURRENCY: '1',
    DISCORD_TOKEN: 'a.secret.token',
  };
}

/**
 * Returns a cluster that has joined a CONTROL, both closed after the test t; log are its warnings,
 * and exited resolves with its exit code.
 */
async function joined(t, options = {}, hello = {}) {
  const env = options.env ?? environment();
  const log = [];
  let exit;
  const exited = new Promise((resolve) => { exit = resolve; });
  const joining = join({ log: (text) => log.push(text), exit, ...options, env });
  const control = await Control.dial(env);
  control.hello(hello);
  const identify = await control.next(1);
  if (options.sessions) control.hello({ sessions: [], ...hello });
  const cluster = await joining;
  t.after(async () => {
    await cluster.close();
    control.socket.destroy();
    fs.rmSync(path.dirname(env.DISCLUSTER_SOCKET), { recursive: true });
  });
  return { cluster, control, env, exited, identify, log };
}

module.exports = { Control, environment, instance, joined, manager };
