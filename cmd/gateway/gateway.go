package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"runtime/debug"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/discord/client"
	"github.com/discluster/control/transport/discord/host"
	"github.com/discluster/control/transport/discord/snapshot"
	"github.com/discluster/control/transport/hosted"
)

// Options are those of a gateway host.
type Options struct {
	Dir      string        // folder for sessions and guilds
	API      string        // Discord's REST API, unless DISCORD_API is set
	Patience time.Duration // until a bot that has never connected is reported
	Memory   int           // bytes of guilds and waiting events; 0: by the number of shards
	Guest    string        // manager whose guest the bot is, a guest.Kind
}

// Run runs the gateway host of one cluster, and its bot as a child. The host's own log lines go to
// log, between the bot's.
//
// It returns nil after CONTROL or a SIGTERM stopped it, else the error that ended it, which was
// reported to CONTROL.
func Run(ctx context.Context, o Options, argv []string, log io.Writer) error {
	logger := slog.New(slog.NewJSONHandler(log, nil))
	m, err := newManager(o.Guest, logger)
	if err != nil {
		return err
	}
	link := newTalk(logger)
	c, err := bot.Join(ctx, append(m.options(), bot.Resume(), bot.Log(logger), bot.Relay(link.deliver))...)
	if err != nil {
		return err
	}
	link.cluster = c
	if c.Token() == "" {
		return c.Fail(errors.New("no token: neither DISCORD_TOKEN nor HELLO brought one"))
	}
	o.Dir = snapshot.Folder(o.Dir, c.ID())
	o.API = cmp.Or(os.Getenv("DISCORD_API"), o.API)
	m.serve(c, o.Dir)
	file, id := hosted.File{Dir: o.Dir}, startID(c, argv, o.API, m.kind)
	previous := findPrevious(file)
	h, to, err := openHost(c, o, id, previous, logger)
	if err != nil {
		return c.Fail(err)
	}
	env, err := pointBot(o.Dir, to)
	if err != nil {
		_ = h.Close()
		return c.Fail(err)
	}
	r := &runner{cluster: c, host: h, talk: link, argv: argv, env: env, api: o.API, to: to.Host, log: logger, file: file, startID: id, patience: o.Patience, manager: m}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go h.Watch(ctx)
	ended := make(chan error, 1)
	shardsEnded := make(chan struct{})
	go func() {
		err := r.run(previous, shardsEnded)
		if err == nil { // else its shards end the cluster with it
			cancel()
		}
		ended <- err
	}()
	err = c.Run(ctx, func(ctx context.Context, s *bot.Shard) error { return cmp.Or(h.Serve(ctx, served{s}), r.failure()) })
	close(shardsEnded)
	failed := <-ended
	_ = h.Close()
	return cmp.Or(err, failed)
}

// ownMemory bounds what a gateway host takes beside guilds and waiting events, for the program and
// the buffers of its connections: the garbage collector works harder where it would take more.
const ownMemory = 64 << 20

// openHost starts the gateway, where the bot of an earlier host expects it if there is one, and
// returns its address.
func openHost(c *bot.Cluster, o Options, startID string, previous previousBot, log *slog.Logger) (*host.Host, *url.URL, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("folder of the gateway: %w", err)
	}
	l, path, err := previous.listen(startID)
	if err != nil {
		return nil, nil, fmt.Errorf("listen for the bot: %w", err)
	}
	h, err := host.New(l, host.Config{
		Token: c.Token(), Path: path, Shards: c.Shards(), ShardCount: c.ShardCount(), Dir: o.Dir, Log: log, Lapsed: c.Lapsed,
		API: o.API, Memory: o.Memory,
		Trouble: func(m messages.ChildTrouble) { c.ChildTrouble(m) },
		Grows:   func(bytes int) { debug.SetMemoryLimit(int64(bytes)/4*5 + ownMemory) },
	})
	if err != nil {
		_ = l.Close()
		return nil, nil, err
	}
	to, err := url.Parse(h.URL())
	return h, to, err
}

// served is a shard of the SDK as the host takes it.
type served struct{ *bot.Shard }

// Permit waits for CONTROL's permit.
func (s served) Permit(ctx context.Context, cause messages.IdentifyCause) (client.Permit, error) {
	p, err := s.Shard.Permit(ctx, cause)
	if err != nil {
		return nil, err
	}
	return p, nil
}
