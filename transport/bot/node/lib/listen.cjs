'use strict';
const fs = require('node:fs');
const net = require('node:net');
const { once } = require('node:events');
const { ClusterError } = require('./errors.cjs');

/**
 * Listens at path and calls accept for every connection. A socket without a listener is replaced,
 * one with a listener is an error. Node removes the socket when the server closes.
 */
async function listen(path, accept) {
  await removeStale(path);
  const server = net.createServer(accept);
  const listening = once(server, 'listening');
  server.listen(path);
  try {
    await listening;
    fs.chmodSync(path, 0o600); // for its owner alone
  } catch (error) {
    throw new ClusterError('SOCKET', `join: cannot listen at ${path}: ${error.message}`);
  }
  return server;
}

async function removeStale(path) {
  const found = fs.lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  const problem = found.isSocket() ? await listener(path) : 'it exists and is no socket';
  if (problem) throw new ClusterError('SOCKET', `join: cannot listen at ${path}: ${problem}`);
  fs.rmSync(path, { force: true });
}

/** Returns why a socket must not be replaced, if so. */
function listener(path) {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve('another process listens there');
    });
    socket.once('error', ({ code, message }) => {
      resolve(['ECONNREFUSED', 'ENOENT'].includes(code) ? undefined : message);
    });
  });
}

module.exports = { listen };
