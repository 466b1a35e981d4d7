package bot

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/discluster/control/messages"
)

// Version is this SDK's, as CONTROL shows it.
const Version = "0.1.0"

// helloTimeout is how long Join listens for the first HELLO (PROTOCOL A3, 6).
const helloTimeout = 30 * time.Second

// Stop is how the shards are to end.
type Stop struct {
	Deadline time.Time // handlers may work until then
	Final    bool      // close with 1000, which ends the sessions; else with 4000, which keeps them
}

// Cluster is this process as a member of the fleet. Its methods may be called from anywhere.
type Cluster struct {
	env       environment
	opt       options
	unlisten  func()
	joined    chan struct{} // closed by the first HELLO
	begun     chan struct{} // closed when the shards may start
	stopping  chan struct{} // closed by the first reason to stop
	leaveOnce sync.Once
	life      context.Context // of this cluster; ended by the end of the conversation
	end       func()

	mu     sync.Mutex // guards all that follows, and the inside of lines and shards; unless said otherwise lower-case methods want it held
	mint   messages.Mint
	hello  messages.Hello // the first one
	shards []*Shard
	lines  map[*line]bool // every open connection
	line   *line          // the one that said HELLO last; nil: CONTROL is away
	asks   map[messages.Snowflake]*ask
	said   map[int]messages.PermitSent // reports, by shard, that CONTROL was not there to hear

	asking   map[messages.Snowflake]*asking
	handling int // requests of others
	in       inbox

	onLost     string
	lostAfter  time.Duration
	lostTimer  *time.Timer // until we are alone for too long; nil: not counting
	leaseTimer *time.Timer // until the lease runs out; nil: there is none
	leaseUntil time.Time
	figures    *time.Timer // until the figures are told; nil: nothing to tell
	moves      *time.Timer // until moved sessions are told; nil: nothing to tell

	serving bool // Run has started the shards
	ready   bool // each shard was ready once
	over    bool // nothing is said any more
	stop    Stop // once stopping is closed
	why     error
	answers []messages.FromInstance // to the orders to stop, once it is done
}

// Join reads the environment, listens for CONTROL and returns when it has said HELLO: from then on it is known which shards are ours. What is wrong with the environment,
// an occupied socket, no HELLO within 30 s or the end of ctx is an error. Whoever joined must call Run, or Fail.
func Join(ctx context.Context, opts ...Option) (*Cluster, error) {
	o := defaults()
	for _, set := range opts {
		set(&o)
	}
	for name := range o.handlers {
		if strings.HasPrefix(name, ownNames) {
			return nil, fmt.Errorf("join: handler %q: names that begin with %q are not yours", name, ownNames)
		}
	}
	env, err := readEnvironment(o.lookup)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	c := &Cluster{
		env: env, opt: o, mint: messages.Mint{Worker: uint32(os.Getpid())},
		joined: make(chan struct{}), begun: make(chan struct{}), stopping: make(chan struct{}),
		lines: map[*line]bool{}, asks: map[messages.Snowflake]*ask{}, said: map[int]messages.PermitSent{},
		asking: map[messages.Snowflake]*asking{}, in: inbox{queue: make(chan Message, inboxMost)},
	}
	c.life, c.end = context.WithCancel(context.WithoutCancel(ctx))
	if o.messages != nil {
		go c.read()
	}
	c.unlisten, err = o.listen(env.socket, c.accept)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	select {
	case <-c.joined:
		return c, nil
	case <-time.After(helloTimeout):
		err = fmt.Errorf("join: no HELLO from CONTROL within %s of listening at %s", helloTimeout, env.socket)
	case <-ctx.Done():
		err = fmt.Errorf("join: %w", ctx.Err())
	}
	c.leave()
	return nil, err
}

// ID is the cluster's number in the fleet.
func (c *Cluster) ID() messages.ClusterID { return c.env.cluster }

// Count is the number of clusters in the fleet.
func (c *Cluster) Count() int { return c.env.clusters }

// MaxConcurrency is how many shards of the fleet may identify per 5 s. The permits see to it.
func (c *Cluster) MaxConcurrency() int { return c.env.maxConcurrency }

// Shards are the ids of this cluster's shards; they never change.
func (c *Cluster) Shards() []int { return slices.Clone(c.hello.Shards) }

// ShardCount is the number of shards in the fleet.
func (c *Cluster) ShardCount() int { return c.hello.TotalShards }

// Token is the bot's, from DISCORD_TOKEN or from HELLO; empty where neither brought it.
func (c *Cluster) Token() messages.Secret {
	if c.env.token != "" {
		return c.env.token
	}
	return c.hello.Token
}

// Lapsed reports whether our shards may be another machine's by now, for CONTROL, or its MASTER, is away. A shard is then resumed at most once a minute, so that the two do not
// steal a session from each other in a loop: whoever is not lapsed keeps it.
func (c *Cluster) Lapsed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.line == nil || c.line.lapsed
}

// Stopping is closed when the shards are to end; Stop then says how.
func (c *Cluster) Stopping() <-chan struct{} { return c.stopping }

// Stop says how the shards are to end. Only after Stopping.
func (c *Cluster) Stop() Stop {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stop
}
