// Package discord is the parent of the packages about Discord, and holds no code itself.
//
//   - rules: Discord's limits and sessions as a pure value with Step. Simulations call it directly.
//   - server: the simulated Discord: REST and gateway over real HTTP and websockets around rules.
//   - client: a small gateway client for one shard.
//   - guilds: the guilds of the simulated Discord.
//   - cache: the guilds of a session, which give another process a start.
//   - host: the gateway of one cluster: client, cache, snapshot and local put together.
//   - local: the gateway that a bot uses in place of Discord's, and behind which sessions survive.
//   - snapshot: what a session's next host must know, on disk.
//   - splice: reads and rewrites JSON without decoding it.
//   - pack: frames of payloads, compressed as the client asked for.
package discord
