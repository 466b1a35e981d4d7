// Package guest lets a bot that was written for the processes of another manager stay as it is: it
// speaks that manager's messages on node's own channel.
//
//	the bot ── call ──▶ Conversation.Read ──▶ other clusters are asked ──▶ Call.Answer ──▶ the bot
//	another cluster ──▶ Conversation.Ask ──▶ the bot ── answer ──▶ Conversation.Read ──▶ Reply
//
//	channel.go                  the channel: a socket pair, lines, limits
//	take_linux.go, take_other.go  the channel of a bot that another process started
//	lines.go                    the bytes of a bot as lines
//	conversation.go             the questions to one process of a bot, and what its lines mean
//	call.go, errors.go          what a bot asks, the answers, and errors in its manager's form
//	discordjs.go                the messages of discord.js' ShardingManager (14.28)
//	hybrid.go                   the messages of discord-hybrid-sharding's ClusterManager (3.0)
//
// Values of bots stay the JSON text that they wrote: JavaScript's texts may hold what Go's cannot.
package guest
