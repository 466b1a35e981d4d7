'use strict';

/** An error of this package; code is one of those that index.d.ts lists. */
class ClusterError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'ClusterError';
    this.code = code;
  }
}

/** Returns an error of this package with more text before its own. */
const during = (what, { code, message }) => new ClusterError(code, `${what}: ${message}`);

/** Returns v if it is a function. */
function wantFunction(thing, v) {
  if (typeof v !== 'function') throw invalid(thing, v, 'a function');
  return v;
}

/** Returns an error for a value that breaks a rule: it names thing, value and rule. */
function invalid(thing, value, rule) {
  return new ClusterError('INVALID', `${thing} is ${show(value)}: want ${rule}`);
}

/** Returns a value as a short text. */
function show(value) {
  if (typeof value === 'bigint') return `${value}n`;
  let text;
  try {
    text = JSON.stringify(value);
  } catch {
    // it has a cycle, or a bigint within
  }
  text ??= String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

module.exports = { ClusterError, during, invalid, show, wantFunction };
