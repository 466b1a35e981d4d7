// Package discord is the parent of what concerns Discord, and holds no code itself.
//
//   - rules: Discord's limits and sessions as a pure value with Step. Simulations call it directly.
//   - server: REST and gateway over real HTTP and websockets around rules: the simulated Discord.
//   - client: a small gateway client for the reference bot.
package discord
