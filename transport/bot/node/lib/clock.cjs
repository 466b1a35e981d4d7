'use strict';
const os = require('node:os');
const { performance } = require('node:perf_hooks');

/**
 * Returns the moment a number of milliseconds from now. It has come when either clock has passed
 * it: a timer and the monotonic clock stop while the machine is suspended, and the wall clock may
 * be set.
 */
const after = (ms) => ({ steady: performance.now() + ms, wall: Date.now() + ms });

/** Returns the milliseconds until a moment, at most 0 once it has come. */
const left = (moment) => Math.min(moment.steady - performance.now(), moment.wall - Date.now());

/** Returns the time since the machine's boot in milliseconds, which runs while it is suspended. */
const uptime = () => os.uptime() * 1000;

const checkEvery = 1000;

/** Calls back once a moment has come. Returns a function that cancels that. */
function at(moment, callback) {
  let timer;
  const look = () => {
    const rest = left(moment);
    if (rest <= 0) callback();
    else timer = setTimeout(look, Math.min(rest, checkEvery));
  };
  timer = setTimeout(look, Math.min(Math.max(left(moment), 0), checkEvery));
  return () => clearTimeout(timer);
}

module.exports = { after, at, left, uptime };
