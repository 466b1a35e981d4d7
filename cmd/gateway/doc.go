// Package gateway runs a bot that does not use the SDK as a cluster process of CONTROL: behind a
// gateway host of its own, which keeps Discord's sessions.
//
//	gateway.go                          the host of one cluster
//	bot.go                              the bot's runs: start, restart, stop
//	talk.go                             the link to a bot on a library of the cluster protocol
//	past.go                             a bot that connects to Discord past its host
//	silence.go                          a bot that does not connect to its host
//	earlier.go                          the bot of an earlier host that died without it
//	guest.go, guest_calls.go            the manager whose guest the bot is
//	guest_open.go                       its calls without an answer, for the next host
//	preload.go, preload/                what points a bot at its host
//
// A bot's story: earlier.go searches for the bot of an earlier host, gateway.go starts this host,
// preload.go prepares the environment, bot.go starts a bot if there is none, silence.go checks
// whether it connects, bot.go restarts it when it ends.
package gateway
