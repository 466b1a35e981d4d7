// Package bot is what a Go bot imports to be a cluster of Discluster:
//
//	c, err := bot.Join(ctx)                                             // say hello to CONTROL
//	if err != nil { log.Fatal(err) }                                    // bot.ErrStandalone: not started by CONTROL
//	if err := c.Run(ctx, serveShard); err != nil { log.Fatal(err) }     // serve until told to stop
//
// where serveShard(ctx, shard) connects one shard to Discord and lives until c.Stopping. Before every IDENTIFY it asks shard.Permit, so that the fleet never breaks Discord's
// limits; it tells shard.State whenever that changes, and ends its connection as c.Stop says. transport/discord/client with cmd/bot_reference.go is a complete example.
//
// Clusters talk to each other by way of CONTROL, on one machine: Ask asks handlers of others by their name (Handle) and gives an answer or an error for each cluster, Tell
// sends them a message (Messages), Stats asks all how their shards are. A Go bot has no script that another could send it: BROADCAST_EVAL is refused, as is what a cache would
// answer, unless Operations handles it. What is asked is a packet of ours, REQUEST, so that names of handlers are never run as code by a stock bot, and so that Ask works
// where an operator has switched evals off.
//
// The package carries the rest (PROTOCOL A3, B2): the socket, heartbeats, sessions, drains,
// SIGTERM. When CONTROL goes away, to be upgraded or because it crashed, the bot goes on:
//
//	         HELLO                Run                DRAIN, DESTROYING, SIGTERM
//	joining ───────▶ idle ──────────────▶ serving ─────────────────────────────▶ draining ──▶ Run returns nil
//	   │ 30 s         HELLO with sessions  │   ▲                                    ▲
//	   ▼              (bot.Resume)    lost ▼   │ HELLO on a new connection          │ on_lost "exit": lost_after_ms, or the lease ran out; Run returns ErrLost
//	 error                              serving alone: no IDENTIFY, RESUME is free ─┘
//
// A RESUME asks nobody; but while Cluster.Lapsed, a shard is resumed once a minute at most.
//
// It needs the standard library, the messages and the unix socket of this module, and nothing else.
package bot
