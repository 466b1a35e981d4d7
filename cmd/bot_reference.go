package cmd

import (
	"cmp"
	"context"
	"encoding/json"
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

// referenceIntents are GUILDS and GUILD_MESSAGES: what the reference bot looks at, none of it privileged (Discord docs, Gateway Intents).
const referenceIntents = 1<<0 | 1<<9

// restEvery is the wait between two attempts to learn where the gateway is.
const restEvery = 5 * time.Second

// runBot is the reference cluster: a bot that keeps its shards connected and counts their events, to try a fleet with and to copy from. It keeps nothing between two events,
// which is why it may announce bot.Resume: a RESUME brings all it needs. DISCORD_API is the base of Discord's REST API, by default https://discord.com.
//
// It returns nil once CONTROL, or a SIGTERM, has stopped it, and the error that ended it otherwise; CONTROL was then told. log takes its lines.
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

// reference is what the shards of the reference cluster share.
type reference struct {
	c   *bot.Cluster
	log *slog.Logger
	api string

	mu      sync.Mutex // held while one shard asks for all
	gateway string     // its URL, once known
}

// serve is the life of one shard: the SDK's half on one side, the gateway client's on the other.
func (r *reference) serve(ctx context.Context, s *bot.Shard) error {
	url, err := r.awaitGateway(s)
	if err != nil || url == "" {
		return err
	}
	var events atomic.Int64
	figures := func(latency time.Duration) {
		guilds := -1
		if session := s.Session(); session != nil {
			guilds = len(session.Guilds)
		}
		s.Figures(latency, guilds, events.Load())
	}
	cl := client.New(client.Config{
		Token: r.c.Token(), GatewayURL: url, Shard: s.ID(), ShardCount: s.Count(), Intents: referenceIntents, Resume: s.Session(),
		Permit: func(ctx context.Context, cause messages.IdentifyCause) (client.Permit, error) {
			p, err := s.Permit(ctx, cause)
			if err != nil {
				return nil, err
			}
			return p, nil
		},
		Session: s.SetSession, SessionGone: s.SessionGone, State: s.State, Latency: figures,
		Ended: func(err error) { r.log.Info("gateway connection ended", "shard", s.ID(), "err", err) },
		Event: func(context.Context, string, json.RawMessage) { events.Add(1) },
	})
	ended := make(chan struct{})
	defer close(ended)
	go r.relay(s, cl, ended)
	return cl.Run(ctx)
}

// relay passes CONTROL's orders on to a shard's client, until it has ended.
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

// awaitGateway learns where the gateway is; empty when the cluster stops first. Only a refused token is an error: an outage is waited for in place.
func (r *reference) awaitGateway(s *bot.Shard) (url string, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-r.c.Stopping():
			cancel()
		case <-ctx.Done():
		}
	}()
	s.State(messages.ShardConnecting, 0)
	for {
		url, err := r.findGateway(ctx)
		_, refused := errors.AsType[*client.UnauthorizedError](err)
		switch {
		case refused:
			s.State(messages.ShardFailed, 4004)
			return "", err
		case err == nil:
			return url, nil
		case ctx.Err() != nil:
			return "", nil
		}
		r.log.Warn("gateway not found", "shard", s.ID(), "err", err, "retry_in", restEvery)
		s.State(messages.ShardDisconnected, 0)
		select {
		case <-time.After(restEvery):
		case <-ctx.Done():
		}
	}
}

// findGateway asks Discord once for all shards.
func (r *reference) findGateway(ctx context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gateway == "" {
		g, err := client.GatewayBot(ctx, r.api, r.c.Token())
		if err != nil {
			return "", err
		}
		r.gateway = g.URL
	}
	return r.gateway, nil
}
