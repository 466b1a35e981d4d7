'use strict';
// A bot for a test with a process of its own.
const { join } = require('@discluster/bot');

join().then((cluster) => {
  cluster.onDrain(({ final }) => process.stdout.write(`drained, final: ${final}\n`));
  cluster.ready();
});
