// Package bot makes a Go bot a cluster of Discluster:
//
//	c, err := bot.Join(ctx)                                             // wait for CONTROL's HELLO
//	if err != nil { log.Fatal(err) }                                    // bot.ErrStandalone: not started by CONTROL
//	if err := c.Run(ctx, serveShard); err != nil { log.Fatal(err) }     // serve until stopped
//
// where serveShard(ctx, shard) connects one shard to Discord and returns after c.Stopping. It calls
// shard.Permit before every IDENTIFY, so that the fleet never breaks Discord's limits. It calls
// shard.State at every change of state, and ends its connection as c.Stop requires.
// transport/discord/client with cmd/bot_reference.go is a complete example.
//
// Clusters of one machine talk to each other through CONTROL: Ask calls handlers of others by name
// (Handle) and returns an answer or an error for each cluster, Notify sends them a message
// (Messages), Stats asks all for the state of their shards. A Go bot runs no scripts of others:
// BROADCAST_EVAL is refused, and so are cache operations, unless Operations handles them. Requests
// have a packet of ours, REQUEST, so that a stock bot never runs the name of a handler as code, and
// so that Ask works where an operator has switched evals off.
//
// The package does the rest (PROTOCOL A3, B2): the socket, heartbeats, sessions, drains, SIGTERM.
// Without CONTROL, during its upgrade or after its crash, the bot keeps serving:
//
//	         HELLO                Run                DRAIN, DESTROYING, SIGTERM
//	joining ───────▶ idle ──────────────▶ serving ─────────────────────────────▶ draining ──▶ Run returns nil
//	   │ 30 s         HELLO with sessions  │   ▲                                    ▲
//	   ▼              (bot.Resume)    lost ▼   │ HELLO on a new connection          │ on_lost "exit": lost_after_ms, or the lease ran out; Run returns ErrLost
//	 error                              serving alone: no IDENTIFY, RESUME is free ─┘
//
// A RESUME needs no permit; but while Cluster.Lapsed, a shard is resumed once a minute at most.
//
// The package imports the standard library, and the messages and the unix socket of this module.
package bot
