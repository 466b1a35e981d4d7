package cmd

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/discord/client"
)

// referenceIntents are GUILDS and GUILD_MESSAGES, neither of them privileged (Discord docs, Gateway
// Intents).
const referenceIntents = 1<<0 | 1<<9

// runBot runs the reference cluster: a bot that keeps its shards connected and counts their events,
// to try a fleet with and to copy from. It keeps nothing between two events, so it may announce
// bot.Resume: a RESUME brings all it needs. DISCORD_API is the base of Discord's REST API, by
// default https://discord.com. Its log lines go to log.
//
// It returns nil after CONTROL or a SIGTERM stopped it, else the error that ended it, which was
// reported to CONTROL.
func runBot(ctx context.Context, log io.Writer) error {
	logger := slog.New(slog.NewJSONHandler(log, nil))
	c, err := bot.Join(ctx, bot.Resume(), bot.Intents(referenceIntents), bot.Log(logger))
	if err != nil {
		return err
	}
	if c.Token() == "" {
		return c.Fail(errors.New("no token: neither DISCORD_TOKEN nor HELLO brought one"))
	}
	r := &reference{c: c, log: logger, api: cmp.Or(os.Getenv("DISCORD_API"), "https://discord.com")}
	return c.Run(ctx, r.serve)
}

// reference holds what the shards of the reference cluster share.
type reference struct {
	c   *bot.Cluster
	log *slog.Logger
	api string

	mu      sync.Mutex // held while one shard asks for all of them
	gateway string     // the gateway's URL; "": not asked for
}

// serve runs one shard: it connects the SDK's shard with a gateway client.
func (r *reference) serve(ctx context.Context, s *bot.Shard) error {
	var latency, guilds, events atomic.Int64
	guilds.Store(-1) // unknown before READY
	resume := s.Session()
	if resume != nil {
		guilds.Store(int64(len(resume.Guilds)))
	}
	figures := func() { s.Figures(time.Duration(latency.Load()), int(guilds.Load()), events.Load()) }
	cl := client.New(client.Config{
		Token: r.c.Token(), Shard: s.ID(), ShardCount: s.Count(), Intents: referenceIntents, Resume: resume,
		Gateway: r.findGateway,
		Permit: func(ctx context.Context, cause messages.IdentifyCause) (client.Permit, error) {
			p, err := s.Permit(ctx, cause)
			if err != nil {
				return nil, err
			}
			return p, nil
		},
		Session: func(session messages.Session) {
			guilds.Store(int64(len(session.Guilds)))
			s.SetSession(session)
		},
		Lapsed:      r.c.Lapsed,
		SessionGone: s.SessionGone,
		State:       s.State,
		Ended:       func(err error) { r.log.Info("gateway connection ended", "shard", s.ID(), "err", err) },
		Latency:     func(d time.Duration) { latency.Store(int64(d)); figures() },
		Event:       func(context.Context, client.Event) { events.Add(1); figures() },
	})
	ended := make(chan struct{})
	defer close(ended)
	go r.relay(s, cl, ended)
	return cl.Run(ctx)
}

// relay passes CONTROL's orders to a shard's client until ended is closed.
func (r *reference) relay(s *bot.Shard, cl *client.Client, ended <-chan struct{}) {
	for {
		select {
		case <-s.Reconnect():
			cl.Reconnect()
		case <-r.c.Stopping():
			stop := r.c.Stop()
			cl.Close(stop.Deadline, stop.Final)
			return
		case <-ended:
			return
		}
	}
}

// findGateway returns the gateway's URL. It asks Discord once for all shards.
func (r *reference) findGateway(ctx context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gateway == "" {
		url, err := client.GatewayURL(ctx, r.api, r.c.Token())
		if err != nil {
			return "", err
		}
		r.gateway = url
	}
	return r.gateway, nil
}
