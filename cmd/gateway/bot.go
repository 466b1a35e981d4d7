package gateway

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/discord/host"
	"github.com/discluster/control/transport/hosted"
	"github.com/discluster/control/transport/proc"
)

// runner runs the bot of one gateway host, again and again.
type runner struct {
	cluster *bot.Cluster
	host    *host.Host
	talk    *talk
	argv    []string
	env     []string
	api     string // Discord's
	to      string // address of the host
	log     *slog.Logger
	file    hosted.File
	startID string // identifies how its runs are started
	manager *manager
	// time until a bot that has never connected is reported
	patience time.Duration

	record     hosted.Record
	saveErr    error // of the last save of the record
	runs       int   // that this host has started
	connected  bool  // a run of the bot has connected, to this host or to one before it
	outputFrom int64 // size of our output before the present run
	failed     atomic.Pointer[error]
}

const (
	// silentMax limits the time to connect for a bot that did so in an earlier run.
	silentMax = 3 * time.Minute
	// returnMax limits the time to connect for a bot that outlived its host: a library that waits for
	// longer, because the host was away for long, is faster as another process.
	returnMax = 30 * time.Second

	quietFor = 500 * time.Millisecond // for the bot to handle what it was sent, before it is stopped
	endGrace = 2 * time.Second        // between SIGTERM and SIGKILL of a bot of an earlier host
	termLead = time.Second            // between SIGTERM of a bot that does not drain and SIGKILL
	killLead = time.Second            // between SIGKILL of a bot that does not stop and the cluster's deadline
)

// run keeps the bot running until the cluster stops, or until the bot dies before it was ready:
// CONTROL counts such starts. It ends the host's shards before it returns.
func (r *runner) run(previous previousBot, shardsEnded <-chan struct{}) error {
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
	case <-shardsEnded: // no shard was ever served
		return nil
	}
	r.connected = r.host.GoesOn()
	child, ok := r.inherit(previous, shardsEnded)
	if !ok {
		return nil
	}
	var history plan.History
	for ; ; child = nil {
		upFor, tail, err := r.runOnce(child, shardsEnded)
		if err == nil {
			return nil // ordered
		}
		if upFor <= 0 {
			err = fmt.Errorf("bot ended before its shards were ready: %w", err)
			r.failed.Store(&err)
			return err
		}
		var verdict plan.Verdict
		failure := plan.Failure{Cause: messages.CauseExited, UpFor: upFor, Detail: err.Error()}
		history, verdict = plan.Restart(history, failure, time.Now(), rand.Float64())
		r.log.Error("bot ended", "err", err, "up_for", upFor.Round(time.Second).String(), "restart_in", verdict.After.String())
		r.cluster.ChildDied(err.Error(), tail, verdict.After)
		select {
		case <-time.After(verdict.After):
		case <-r.cluster.Stopping():
			return nil
		case <-shardsEnded:
			return nil
		}
	}
}

// failure returns why the bot could not start; nil: it could. Each shard ends with it, so that
// CONTROL has it as the cause of the cluster's end.
func (r *runner) failure() error {
	if err := r.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// start starts a run of the bot.
func (r *runner) start() (*hosted.Bot, error) {
	r.runs++
	env, mark := plan.BotEnvironment(r.env, r.runs)
	r.record = hosted.Record{
		URL: r.host.URL(), Start: r.startID,
		Socket: plan.Variable(env, "DISCLUSTER_SOCKET="), Manager: messages.Snowflake(plan.Variable(env, "SHARDING_MANAGER_IPC=")),
	}
	r.outputFrom = outputSize()
	spec := proc.Spec{Argv: r.argv, Env: env, Mark: mark}
	own, offered, err := r.manager.offer(&spec)
	if err != nil {
		return nil, err
	}
	defer offered()
	r.record.Channel = own
	return hosted.Start(spec, r.recordStart)
}

// runOnce waits for the end of one run of the bot, which it starts if child is nil. A nil error
// reports that its end was ordered.
func (r *runner) runOnce(child *hosted.Bot, shardsEnded <-chan struct{}) (upFor time.Duration, tail string, err error) {
	var ready time.Time
	silent := r.silenceOf(child != nil)
	if child == nil {
		if child, err = r.start(); err != nil {
			return 0, "", fmt.Errorf("start: %w", err)
		}
		r.host.BotBegan()
	} else if r.record.Served != 0 {
		r.connected, ready = true, r.record.Served.Time()
	}
	defer r.manager.ended()
	watched, unwatch := context.WithCancel(context.Background())
	defer unwatch()
	go r.watchPast(watched, child.PID())
	go r.talk.serve(watched, r.record.Socket, r.record.Manager)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var killed string // the reason; "": it was not
	for {
		select {
		case exit := <-child.Ended():
			if ready.IsZero() && r.host.Settled() { // since the last look
				ready = time.Now()
			}
			r.host.BotEnded(false)
			if !ready.IsZero() {
				upFor = max(time.Since(ready), 1)
			}
			return upFor, cmp.Or(exit.Tail, r.tail()), endError(exit, killed)
		case now := <-look.C:
			if ready.IsZero() && r.host.Settled() {
				ready = now
				r.record.Served = messages.At(now)
				r.saveRecord()
			} else if r.saveErr != nil {
				r.saveRecord()
			}
			hung := r.host.Hung(now)
			switch do := silent.look(r.host.Connected(), r.connected, r.patience); {
			case killed != "":
			case hung:
				killed = "no answer to pings"
			case do == silentKill:
				killed = fmt.Sprintf("it did not connect to its gateway within %v", silent.limit)
			case do == silentReport:
				silent.reported = r.cluster.ChildSilent(fmt.Sprintf("the bot lives, but has not connected to its gateway host within %v; if it connects to Discord itself, its identifies are not paced", r.patience))
			}
			if r.connected = r.connected || silent.ended; killed != "" {
				child.Signal(syscall.SIGKILL) // its end comes by Ended
			}
		case <-r.cluster.Stopping():
			r.stop(child, r.cluster.Stop().Deadline)
			return 0, "", nil
		case <-shardsEnded:
			r.stop(child, time.Now())
			return 0, "", nil
		}
	}
}

// stop ends the bot by the deadline: with DRAIN if it announced that, then with SIGTERM, then with
// SIGKILL.
func (r *runner) stop(child *hosted.Bot, deadline time.Time) {
	defer r.host.BotEnded(true)
	ctx, cancel := context.WithTimeout(context.Background(), min(quietFor, max(0, time.Until(deadline))))
	defer cancel()
	r.host.Quiet(ctx)
	ended := func(by time.Time) bool {
		select {
		case exit := <-child.Ended():
			r.log.Info("bot stopped", "exit", exit.String())
			return true
		case <-time.After(time.Until(by)):
			return false
		}
	}
	kill := deadline.Add(-killLead)
	if drained := kill.Add(-termLead); time.Until(drained) > 0 && r.talk.drain(drained) && ended(drained) {
		return
	}
	child.Signal(syscall.SIGTERM)
	if ended(time.Now().Add(time.Until(kill) / 2)) {
		return
	}
	r.manager.hangUp()
	if !ended(kill) {
		child.Signal(syscall.SIGKILL)
		r.log.Warn("bot did not stop in time", "exit", (<-child.Ended()).String())
	}
}

// tail returns the end of the output of the bot's last run; "" where CONTROL does not keep it.
func (r *runner) tail() string { return proc.Tail(ownOutput, r.outputFrom) }

// ownOutput opens our output again, to read it.
const ownOutput = "/dev/fd/1"

// outputSize returns the size of the file of our output; 0: it is no file.
func outputSize() int64 {
	if info, err := os.Stdout.Stat(); err == nil && info.Mode().IsRegular() {
		return info.Size()
	}
	return 0
}
