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

// Version is the version of this SDK, as CONTROL shows it.
const Version = "0.1.0"

// helloTimeout is the time that Join waits for the first HELLO (PROTOCOL A3, 6).
const helloTimeout = 30 * time.Second

// Stop describes how the shards must end.
type Stop struct {
	Deadline time.Time // handlers may work until then
	Final    bool      // close with 1000, which ends the sessions; else with 4000, which keeps them
}

// Cluster is this process as a member of the fleet. Its methods are safe for concurrent use.
type Cluster struct {
	env       environment
	opt       options
	unlisten  func()
	joined    chan struct{} // closed by the first HELLO
	begun     chan struct{} // closed when the shards may start
	stopping  chan struct{} // closed by the first reason to stop
	leaveOnce sync.Once
	ctx       context.Context // ended by the end of the cluster
	end       func()

	// guards all that follows, and the fields of conns and shards; lower-case methods expect it
	// held unless documented otherwise
	mu         sync.Mutex
	mint       messages.Mint
	hello      messages.Hello // the first one
	shards     []*Shard
	conns      map[*conn]bool // every open connection
	conn       *conn          // the one with the last HELLO; nil: CONTROL is away
	permits    map[messages.Snowflake]*permitRequest
	unreported map[int]messages.PermitSent // reports, by shard, that CONTROL has not received
	deaths     []messages.ChildDied        // of the child, that CONTROL has not received

	requests map[messages.Snowflake]*pending
	handling int // requests of other clusters
	passed   map[messages.Snowflake]passed
	in       inbox

	onLost     string
	lostAfter  time.Duration
	lostTimer  *time.Timer // until we have been alone too long; nil: not counting
	leaseTimer *time.Timer // until the lease ends; nil: there is none
	leaseUntil time.Time
	figures    *time.Timer // until the figures are reported; nil: nothing to report
	moves      *time.Timer // until changed sessions are reported; nil: nothing to report

	serving bool // Run has started the shards
	ready   bool // each shard was ready once
	over    bool // nothing is sent any more
	stop    Stop // once stopping is closed
	why     error
	answers []messages.FromInstance // to the orders to stop, sent when it is done
}

// Join reads the environment, listens for CONTROL and returns after CONTROL's HELLO, when the
// shards are known. A mistake in the environment, an occupied socket, no HELLO within 30 s or the
// end of ctx is an error. After a successful Join the caller must call Run or Fail.
func Join(ctx context.Context, opts ...Option) (*Cluster, error) {
	o := defaults()
	for _, set := range opts {
		set(&o)
	}
	for name := range o.handlers {
		if strings.HasPrefix(name, ownNames) {
			return nil, fmt.Errorf("join: handler %q: names that begin with %q are reserved", name, ownNames)
		}
	}
	env, err := readEnvironment(o.lookup)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	c := &Cluster{
		env: env, opt: o, mint: messages.Mint{Worker: uint32(os.Getpid())},
		joined: make(chan struct{}), begun: make(chan struct{}), stopping: make(chan struct{}),
		conns: map[*conn]bool{}, permits: map[messages.Snowflake]*permitRequest{}, unreported: map[int]messages.PermitSent{},
		requests: map[messages.Snowflake]*pending{}, passed: map[messages.Snowflake]passed{}, in: inbox{queue: make(chan Message, inboxMax)},
	}
	c.ctx, c.end = context.WithCancel(context.WithoutCancel(ctx))
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

// ID returns the cluster's number in the fleet.
func (c *Cluster) ID() messages.ClusterID { return c.env.cluster }

// Count returns the number of clusters in the fleet.
func (c *Cluster) Count() int { return c.env.clusters }

// MaxConcurrency returns the number of shards of the fleet that may identify per 5 s. Permits keep
// to it.
func (c *Cluster) MaxConcurrency() int { return c.env.maxConcurrency }

// Shards returns the ids of this cluster's shards; they never change.
func (c *Cluster) Shards() []int { return slices.Clone(c.hello.Shards) }

// ShardCount returns the number of shards in the fleet.
func (c *Cluster) ShardCount() int { return c.hello.TotalShards }

// Token returns the bot's token, from DISCORD_TOKEN or from HELLO; empty without either.
func (c *Cluster) Token() messages.Secret {
	if c.env.token != "" {
		return c.env.token
	}
	return c.hello.Token
}

// Lapsed reports whether another machine may serve our shards now, because CONTROL, or its MASTER,
// is away. A shard is then resumed at most once a minute, so that the two do not steal a session
// from each other in a loop: the owner that is not lapsed keeps it.
func (c *Cluster) Lapsed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn == nil || c.conn.lapsed
}

// Stopping is closed when the shards must end; Stop then returns how.
func (c *Cluster) Stopping() <-chan struct{} { return c.stopping }

// Stop returns how the shards must end. Only after Stopping.
func (c *Cluster) Stop() Stop {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stop
}
