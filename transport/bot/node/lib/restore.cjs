'use strict';
const { shardOf } = require('./targets.cjs');

const pageMax = 200; // guilds of GET /users/@me/guilds

/** Returns undefined for what Discord does not show the bot, or does not have. */
function missing(error) {
  if (error.status === 403 || error.status === 404) return undefined;
  throw error;
}

/**
 * Calls add with the READY and the GUILD_CREATE events that a session's client would have got, made
 * by REST: three or four requests a guild. A guild that the bot has left is a GUILD_DELETE. It ends
 * when go returns false. An error is one of REST.
 */
async function restore(rest, session, add, go) {
  const [user, application] = await Promise.all([
    rest.get('/users/@me'),
    rest.get('/applications/@me'),
  ]);
  const guilds = session.guilds ?? (await list(rest, session)); // unknown on another machine
  const { session_id, resume_gateway_url } = session;
  const unavailable = guilds.map((id) => ({ id, unavailable: true }));
  add('READY', { v: 10, user, application, session_id, resume_gateway_url, guilds: unavailable });
  for (const id of guilds) {
    if (!go()) return;
    const guild = await read(rest, id, user.id);
    if (guild) add('GUILD_CREATE', guild);
    else add('GUILD_DELETE', { id });
  }
}

/** Returns the ids of the guilds of a session's shard. */
async function list(rest, { shard, shard_count }) {
  const ids = [];
  for (let after = '0', page; page === undefined || page.length === pageMax;) {
    const query = new URLSearchParams({ after, limit: String(pageMax) });
    page = await rest.get('/users/@me/guilds', { query });
    ids.push(...page.map(({ id }) => id));
    after = ids.at(-1);
  }
  return ids.filter((id) => shardOf(id, shard_count) === shard);
}

/** Returns a guild in the form of GUILD_CREATE; undefined where the bot is not in it. */
async function read(rest, id, user) {
  const query = new URLSearchParams({ with_counts: 'true' });
  const guild = await rest.get(`/guilds/${id}`, { query }).catch(missing);
  if (!guild) return undefined;
  const [channels, active, me] = await Promise.all([
    rest.get(`/guilds/${id}/channels`),
    rest.get(`/guilds/${id}/threads/active`).catch(missing),
    rest.get(`/guilds/${id}/members/${user}`).catch(missing),
  ]);
  return {
    ...guild,
    unavailable: false,
    joined_at: me?.joined_at,
    member_count: guild.approximate_member_count ?? guild.member_count ?? 0,
    channels,
    threads: active?.threads ?? [],
    members: me ? [me] : [],
    presences: [],
    voice_states: [],
    stage_instances: [],
    guild_scheduled_events: [],
    soundboard_sounds: [],
  };
}

module.exports = { restore };
