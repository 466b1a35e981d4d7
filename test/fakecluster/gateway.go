package fakecluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	sdk "github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/discord/cache"
	"github.com/discluster/control/transport/discord/client"
	"github.com/discluster/control/transport/discord/host"
	"github.com/discluster/control/transport/discord/snapshot"
	"github.com/discluster/control/transport/proc"
)

// Gateway is a gateway host: the real one, transport/discord/host on transport/bot, over the
// simulated machine, with a bot of any library as a process of its own. It keeps its files in the
// machine's Folder.
type Gateway struct {
	Discord *sim.Discord
	Bot     func(start int) Behind // of this host's bot, numbered from 1
	Diary   *Diary
}

// Program runs the host as a process.
func (h Gateway) Program(p *sim.Proc) {
	r := &hosting{Gateway: h, guest: newGuest(p)}
	p.OnEnd = func() {
		if !r.exits {
			r.sever()
		}
		r.end()
		h.Diary.hostEnded(p)
		if r.bot != nil {
			r.bot.Signal(syscall.SIGKILL)
		}
	}
	go func() {
		code := 0
		if r.run() != nil {
			code = 1
		}
		r.do(func() { r.exits = true; p.Exit(code, "") })
		<-r.ctx.Done()
	}()
}

// hosting is one run of a host.
type hosting struct {
	Gateway
	*guest
	cluster *sdk.Cluster
	host    *host.Host
	bot     *sim.Proc // the last one; only the loop uses it, and the next
	exits   bool      // by itself
	starts  int
	failed  atomic.Pointer[error]
}

func (r *hosting) run() error {
	quiet := slog.New(slog.DiscardHandler)
	c, err := sdk.Join(r.ctx, sdk.On(r.machine()), sdk.Resume(), sdk.Log(quiet))
	if err != nil {
		return err
	}
	r.cluster = c
	dir, own := r.folders()
	if err := cmp.Or(os.MkdirAll(dir, 0o700), os.Symlink(dir, own)); err != nil {
		return c.Fail(err)
	}
	port, err := await(r.ctx, r.guest, func(done func(*sim.Port, error)) { done(r.p.Port(0)) })
	if err != nil {
		return c.Fail(err)
	}
	r.host, err = host.New(port, host.Config{
		Token: c.Token(), Shards: c.Shards(), ShardCount: c.ShardCount(), Dir: own, Log: quiet, Lapsed: c.Lapsed,
		Gateway: r.find, Dial: r.dial, Rand: r.random,
	})
	if err != nil {
		return c.Fail(err)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	go r.host.Watch(ctx)
	over, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		err := r.keep(over)
		if err == nil {
			cancel()
		}
		ended <- err
	}()
	err = c.Run(ctx, func(ctx context.Context, s *sdk.Shard) error {
		return cmp.Or(r.host.Serve(ctx, hosted{s}), r.failure())
	})
	close(over)
	failed := <-ended
	_ = r.host.Close()
	return cmp.Or(err, failed)
}

// folders returns the folder of the cluster's hosts, and its name for this one alone.
func (r *hosting) folders() (dir, own string) {
	id, err := strconv.Atoi(r.p.Env("CLUSTER_ID"))
	if err != nil {
		panic(err) // a bug of CONTROL
	}
	dir = snapshot.Folder(r.p.Host.Folder, messages.ClusterID(id))
	return dir, fmt.Sprintf("%s-%d", dir, r.p.PID())
}

// sever makes what this process writes from now on come nowhere: it was killed, and its goroutines
// write once more before they end.
func (r *hosting) sever() {
	dir, own := r.folders()
	if os.Remove(own) != nil || os.Rename(dir, own) != nil {
		return // it had not come to write
	}
	if err := cmp.Or(os.CopyFS(dir, os.DirFS(own)), os.RemoveAll(own)); err != nil {
		panic(err) // the disk of the test
	}
}

// find asks Discord's REST for the gateway.
func (r *hosting) find(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	return await(ctx, r.guest, func(done func(string, error)) {
		r.Discord.Ask(r.p, r.p.Env("DISCORD_TOKEN"), done)
	})
}

// random returns a number in [0,1) for a shard, which depends on the process and the time alone,
// not on which of its goroutines asks first.
func (r *hosting) random(shard int) float64 {
	return rand.New(rand.NewPCG(uint64(r.p.PID())<<32|uint64(shard), uint64(time.Now().UnixNano()))).Float64()
}

// dial opens a connection to Discord's gateway.
func (r *hosting) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return await(ctx, r.guest, func(done func(net.Conn, error)) { done(r.Discord.Dial(r.p), nil) })
}

// hosted is the SDK's shard as the host takes it.
type hosted struct{ *sdk.Shard }

// Permit waits for CONTROL's permit.
func (s hosted) Permit(ctx context.Context, cause messages.IdentifyCause) (client.Permit, error) {
	p, err := s.Shard.Permit(ctx, cause)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (r *hosting) failure() error {
	if err := r.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// keep keeps the bot running, as cmd's gateway does.
func (r *hosting) keep(over <-chan struct{}) error {
	defer func() {
		stop := r.cluster.Stop()
		r.host.Stop(host.Stop{Deadline: stop.Deadline, Final: stop.Final})
	}()
	begun := make(chan struct{})
	go func() {
		defer close(begun)
		r.host.Begun()
	}()
	select {
	case <-begun:
	case <-over:
		return nil
	}
	var history plan.History
	for {
		upFor, err := r.once(over)
		if err == nil {
			return nil
		}
		if upFor <= 0 {
			err = fmt.Errorf("bot ended before its shards were ready: %w", err)
			r.failed.Store(&err)
			return err
		}
		var verdict plan.Verdict
		failure := plan.Failure{Cause: messages.CauseExited, UpFor: upFor, Detail: err.Error()}
		history, verdict = plan.Restart(history, failure, time.Now(), 0.5)
		r.cluster.ChildDied(err.Error(), "", verdict.After)
		select {
		case <-time.After(verdict.After):
		case <-r.cluster.Stopping():
			return nil
		case <-over:
			return nil
		}
	}
}

// silentMost is the number of looks, one a second, for which a bot may be without a connection
// where one before it had one, as for cmd's gateway.
const silentMost = 180

// once is one run of the bot. A nil error reports that its end was ordered.
func (r *hosting) once(over <-chan struct{}) (upFor time.Duration, err error) {
	r.starts++
	start := r.starts
	to := r.host.URL()
	ended := make(chan proc.Exit, 1)
	child, err := await(r.ctx, r.guest, func(done func(*sim.Proc, error)) {
		bot := r.Bot(start)
		bot.url, bot.diary, bot.host = to, r.Diary, r.p
		env, mark := plan.BotEnvironment(r.p.Spec.Env, start)
		r.bot = r.p.ForkAs(env, mark, bot.Program)
		r.bot.Reaped = func(e proc.Exit) { ended <- e }
		done(r.bot, nil)
	})
	if err != nil {
		return 0, err
	}
	signal := func(sig syscall.Signal) { r.do(func() { child.Signal(sig) }) }
	r.host.BotBegan()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	var ready time.Time
	connected, silent := false, 0 // looks
	for {
		select {
		case e := <-ended:
			if ready.IsZero() && r.host.Settled() {
				ready = time.Now()
			}
			r.host.BotEnded(false)
			if !ready.IsZero() {
				upFor = max(time.Since(ready), 1)
			}
			return upFor, fmt.Errorf("exit %d %v", e.Code, e.Signal)
		case now := <-look.C:
			if ready.IsZero() && r.host.Settled() {
				ready = now
			}
			if connected = connected || r.host.Connected(); !connected {
				silent++
			}
			if r.host.Hung(now) || silent > silentMost && r.host.GoesOn() {
				signal(syscall.SIGKILL)
			}
		case <-r.cluster.Stopping():
			r.stop(child, ended, r.cluster.Stop().Deadline)
			return 0, nil
		case <-over:
			r.stop(child, ended, time.Now())
			return 0, nil
		case <-r.ctx.Done():
			r.host.BotEnded(true) // ends what waits for the bot
			return 0, errors.New("died")
		}
	}
}

func (r *hosting) stop(child *sim.Proc, ended <-chan proc.Exit, deadline time.Time) {
	ctx, cancel := context.WithTimeout(r.ctx, min(500*time.Millisecond, max(0, time.Until(deadline))))
	defer cancel()
	r.host.Quiet(ctx)
	r.do(func() { child.Signal(syscall.SIGTERM) })
	select {
	case <-ended:
	case <-time.After(time.Until(deadline.Add(-time.Second))):
		r.do(func() { child.Signal(syscall.SIGKILL) })
		select {
		case <-ended:
		case <-r.ctx.Done():
		}
	case <-r.ctx.Done():
	}
	r.host.BotEnded(true)
}

// sessionOf returns Discord's session of a local one, "<Discord's>-<k>-<cut>".
func sessionOf(local string) string {
	of, _, _ := strings.Cut(local, "-")
	return of
}

// Warm makes what gateway hosts share, such as the coder of guilds. It must be called before the
// first bubble: what is made in one is of no use in another.
func Warm() {
	var c cache.Cache
	c.Apply("READY", []byte(`{"user":{"id":"1"},"guilds":[{"id":"2"}]}`))
	c.Apply("GUILD_CREATE", []byte(`{"id":"2"}`))
	c.Save(func(string, []byte) {})
}
