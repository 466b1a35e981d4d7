// Package bot is what a Go bot imports to be a cluster of Discluster:
//
//	c, err := bot.Join(ctx)                                             // say hello to CONTROL
//	if err != nil { log.Fatal(err) }                                    // bot.ErrStandalone: not started by CONTROL
//	if err := c.Run(ctx, serveShard); err != nil { log.Fatal(err) }     // serve until told to stop
//
// where serveShard(ctx, shard) connects one shard to Discord and lives until c.Stopping. Before every IDENTIFY it asks shard.Permit, so that the fleet never breaks Discord's
// limits; it tells shard.State whenever that changes, and ends its connection as c.Stop says. transport/discord/client with cmd/bot_reference.go is a complete example.
//
// The package carries the rest (WIRE A3, B2): the socket, heartbeats, sessions, drains, SIGTERM. When CONTROL goes away, to be upgraded or because it crashed, the bot goes on:
//
//	         HELLO                Run                DRAIN, DESTROYING, SIGTERM
//	joining ───────▶ idle ──────────────▶ serving ─────────────────────────────▶ draining ──▶ Run returns nil
//	   │ 30 s         HELLO with sessions  │   ▲                                    ▲
//	   ▼              (bot.Resume)    lost ▼   │ HELLO on a new connection          │ on_lost "exit": lost_after_ms, or the lease ran out; Run returns ErrLost
//	 error                              serving alone: no IDENTIFY, RESUME is free ─┘
//
// It needs the standard library, the messages and the unix socket of this module, and nothing else.
package bot
