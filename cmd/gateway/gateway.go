package gateway

import (
	"bytes"
	"cmp"
	"context"
	_ "embed" // of the preloads
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/discord/client"
	"github.com/discluster/control/transport/discord/host"
	"github.com/discluster/control/transport/hosted"
)

//go:embed preload/preload.cjs
var nodePreload []byte

//go:embed preload/sitecustomize.py
var pythonPreload []byte

// Options are those of a gateway host.
type Options struct {
	Dir      string        // folder for sessions and guilds
	API      string        // Discord's REST API, unless DISCORD_API is set
	Patience time.Duration // until a bot that has never connected is reported
	Memory   int           // bytes of guilds and waiting events; 0: by the number of shards
}

// Run runs the gateway host of one cluster, and its bot as a child. The host's own log lines go to
// log, between the bot's.
//
// It returns nil after CONTROL or a SIGTERM stopped it, else the error that ended it, which was
// reported to CONTROL.
func Run(ctx context.Context, o Options, argv []string, log io.Writer) error {
	logger := slog.New(slog.NewJSONHandler(log, nil))
	c, err := bot.Join(ctx, bot.Resume(), bot.Log(logger))
	if err != nil {
		return err
	}
	if c.Token() == "" {
		return c.Fail(errors.New("no token: neither DISCORD_TOKEN nor HELLO brought one"))
	}
	o.Dir = filepath.Join(o.Dir, fmt.Sprintf("cluster-%d", c.ID()))
	o.API = cmp.Or(os.Getenv("DISCORD_API"), o.API)
	file, how := hosted.File{Dir: o.Dir}, startOf(c, argv, o.API)
	before := seek(file)
	h, to, err := openHost(c, o, how, before, logger)
	if err != nil {
		return c.Fail(err)
	}
	env, err := pointBot(o.Dir, to)
	if err != nil {
		_ = h.Close()
		return c.Fail(err)
	}
	p := &behind{cluster: c, host: h, argv: argv, env: env, file: file, start: how, patience: o.Patience, log: logger}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go h.Watch(ctx)
	ended := make(chan error, 1)
	over := make(chan struct{})
	go func() {
		err := p.run(before, over)
		if err == nil { // else its shards end the cluster with it
			cancel()
		}
		ended <- err
	}()
	err = c.Run(ctx, func(ctx context.Context, s *bot.Shard) error { return cmp.Or(h.Serve(ctx, served{s}), p.failure()) })
	close(over)
	failed := <-ended
	_ = h.Close()
	return cmp.Or(err, failed)
}

// ownMemory bounds what a gateway host takes beside guilds and waiting events, for the program and
// the buffers of its connections: the garbage collector works harder where it would take more.
const ownMemory = 64 << 20

// openHost starts the gateway, where the bot of an earlier host expects it, and returns where it
// is.
func openHost(c *bot.Cluster, o Options, how string, before earlier, log *slog.Logger) (*host.Host, *url.URL, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("folder of the gateway: %w", err)
	}
	l, path, err := before.listen(how)
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

// pointBot writes the preloads, and returns the environment with which a bot finds its gateway.
func pointBot(dir string, to *url.URL) ([]string, error) {
	node, python := filepath.Join(dir, "preload.cjs"), filepath.Join(dir, "python")
	node, err := filepath.Abs(node)
	if err == nil {
		python, err = filepath.Abs(python)
	}
	if err == nil {
		err = os.MkdirAll(python, 0o700)
	}
	for file, text := range map[string][]byte{node: nodePreload, filepath.Join(python, "sitecustomize.py"): pythonPreload} {
		if err == nil {
			err = writeNew(file, text)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("write what points the bot at its gateway: %w", err)
	}
	joined := func(name, separator, value string) string {
		if old := os.Getenv(name); old != "" {
			value += separator + old
		}
		return name + "=" + value
	}
	return append(os.Environ(),
		"CONTROL_GATEWAY="+to.String(), "DISCORD_GATEWAY="+to.String(), "DISCORD_API=http://"+to.Host,
		joined("NODE_OPTIONS", " ", "--require="+quoteNode(node)),
		joined("PYTHONPATH", string(os.PathListSeparator), python),
	), nil
}

// writeNew writes a file unless it holds the text already: a full disk does not stop a bot that was
// here before, nor cut what running bots load.
func writeNew(file string, text []byte) error {
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, text) {
		return nil
	}
	beside := file + ".new"
	if err := os.WriteFile(beside, text, 0o600); err != nil {
		return err
	}
	return os.Rename(beside, file)
}

// quoteNode writes a path as NODE_OPTIONS takes it.
func quoteNode(path string) string {
	if !strings.ContainsAny(path, " \"\\") {
		return path
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

// served is the SDK's shard as the host takes it.
type served struct{ *bot.Shard }

// Permit waits for CONTROL's permit.
func (s served) Permit(ctx context.Context, cause messages.IdentifyCause) (client.Permit, error) {
	p, err := s.Shard.Permit(ctx, cause)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// behind is the bot's process, over all its runs.
type behind struct {
	cluster *bot.Cluster
	host    *host.Host
	argv    []string
	env     []string
	file    hosted.File
	start   string // how its runs are started, see startOf
	record  hosted.Record
	saved   error // of the last save of it
	runs    int   // that this host has started
	// time until a bot that has never connected is reported
	patience time.Duration
	met      bool  // a run of the bot has connected, to this host or to one before it
	before   int64 // size of our output before the run of now
	failed   atomic.Pointer[error]
	log      *slog.Logger
}

const (
	// silentMax limits the time to connect for a bot that did so in an earlier run.
	silentMax = 3 * time.Minute
	// returnMax limits the time to connect for a bot that outlived its host: a library that waits for
	// longer, because the host was away for long, is faster as another process.
	returnMax = 30 * time.Second

	quietFor = 500 * time.Millisecond // for the bot to handle what it was sent, before it is stopped
	endGrace = 2 * time.Second        // between SIGTERM and SIGKILL of a bot of an earlier host
	killLead = time.Second            // between SIGKILL of a bot that does not stop and the cluster's deadline
)
