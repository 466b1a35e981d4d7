// Package gateway runs a bot that does not use the SDK as a cluster process of CONTROL: behind a
// gateway host of its own, which keeps Discord's sessions.
//
//	gateway.go                          the host of one cluster, and the environment that points its bot there
//	bot.go                              the bot's runs: start, restart, stop
//	silence.go                          a bot that does not connect to its host
//	earlier.go                          the bot of a host that died alone, which goes on
//	preload/                            the code that points discord.js and discord.py to the host
//
// A bot's story: gateway.go starts the host and writes the preloads, earlier.go looks for the bot
// of the host before, or bot.go starts one, silence.go looks whether it connects, bot.go restarts
// it when it ends.
package gateway
