// Package discord is the parent of what concerns Discord, and holds no code itself.
//
//   - rules: Discord's limits and sessions as a pure value with Step. Simulations call it directly.
//   - server: REST and gateway over real HTTP and websockets around rules: the simulated Discord.
//   - client: a small gateway client for the reference bot.
//   - guilds: the guilds of the simulated Discord.
//   - cache: what a session has said about its guilds, to give another process a start.
//   - local: the gateway that a bot speaks to in place of Discord's, behind which sessions live on.
//   - splice: JSON read and rewritten without decoding it.
package discord
