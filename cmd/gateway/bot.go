package gateway

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/host"
	"github.com/discluster/control/transport/hosted"
	"github.com/discluster/control/transport/proc"
)

// run keeps the bot running until the cluster stops, or until the bot dies before it was ready: to
// count such starts is CONTROL's. It ends the host's shards before it returns.
func (p *behind) run(before earlier, over <-chan struct{}) error {
	defer func() {
		stop := p.cluster.Stop()
		p.host.Stop(host.Stop{Deadline: stop.Deadline, Final: stop.Final})
	}()
	begun := make(chan struct{})
	go func() {
		defer close(begun)
		p.host.Begun()
	}()
	select {
	case <-begun:
	case <-over: // no shard was ever served
		return nil
	}
	p.met = p.host.GoesOn()
	bot, ok := p.inherit(before, over)
	if !ok {
		return nil
	}
	var history plan.History
	for ; ; bot = nil {
		upFor, tail, err := p.once(bot, over)
		if err == nil {
			return nil // ordered
		}
		if upFor <= 0 {
			err = fmt.Errorf("bot ended before its shards were ready: %w", err)
			p.failed.Store(&err)
			return err
		}
		var verdict plan.Verdict
		failure := plan.Failure{Cause: messages.CauseExited, UpFor: upFor, Detail: err.Error()}
		history, verdict = plan.Restart(history, failure, time.Now(), rand.Float64())
		p.log.Error("bot ended", "err", err, "up_for", upFor.Round(time.Second).String(), "restart_in", verdict.After.String())
		p.cluster.ChildDied(err.Error(), tail, verdict.After)
		select {
		case <-time.After(verdict.After):
		case <-p.cluster.Stopping():
			return nil
		case <-over:
			return nil
		}
	}
}

// failure returns why the bot could not start; nil: it could. Each shard ends with it, so that
// CONTROL has it as the cause of the cluster's end.
func (p *behind) failure() error {
	if err := p.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// begin starts a run of the bot.
func (p *behind) begin() (*hosted.Bot, error) {
	p.runs++
	env, mark := plan.BotEnvironment(p.env, p.runs)
	p.record = hosted.Record{URL: p.host.URL(), Start: p.start}
	p.before = written()
	return hosted.Start(proc.Spec{Argv: p.argv, Env: env, Mark: mark}, p.save)
}

// once is one run of the bot, of one that is inherited or of a new one. A nil error reports that
// its end was ordered.
func (p *behind) once(bot *hosted.Bot, over <-chan struct{}) (upFor time.Duration, tail string, err error) {
	var ready time.Time
	silent := p.silenceOf(bot != nil)
	if bot == nil {
		if bot, err = p.begin(); err != nil {
			return 0, "", fmt.Errorf("start: %w", err)
		}
		p.host.BotBegan()
	} else if p.record.Served != 0 {
		p.met, ready = true, p.record.Served.Time()
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var killed string // why; "": it was not
	for {
		select {
		case exit := <-bot.Ended():
			if ready.IsZero() && p.host.Settled() { // since the last look
				ready = time.Now()
			}
			p.host.BotEnded(false)
			if !ready.IsZero() {
				upFor = max(time.Since(ready), 1)
			}
			return upFor, cmp.Or(exit.Tail, p.tail()), exited(exit, killed)
		case now := <-look.C:
			if ready.IsZero() && p.host.Settled() {
				ready = now
				p.record.Served = messages.At(now)
				p.saveAgain()
			} else if p.saved != nil {
				p.saveAgain()
			}
			hung := p.host.Hung(now)
			switch do := silent.look(p.host.Connected(), p.met, p.patience); {
			case killed != "":
			case hung:
				killed = "no answer to pings"
			case do == silentKill:
				killed = fmt.Sprintf("it did not connect to its gateway within %v", silent.most)
			case do == silentReport:
				silent.reported = p.cluster.ChildSilent(fmt.Sprintf("the bot lives, but has not connected to its gateway host within %v; if it connects to Discord itself, its identifies are not paced", p.patience))
			}
			if p.met = p.met || silent.over; killed != "" {
				bot.Signal(syscall.SIGKILL) // its end comes by Ended
			}
		case <-p.cluster.Stopping():
			p.stop(bot, p.cluster.Stop().Deadline)
			return 0, "", nil
		case <-over:
			p.stop(bot, time.Now())
			return 0, "", nil
		}
	}
}

// stop ends the bot by the deadline: with SIGTERM, then with SIGKILL.
func (p *behind) stop(bot *hosted.Bot, deadline time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), min(quietFor, max(0, time.Until(deadline))))
	defer cancel()
	p.host.Quiet(ctx)
	bot.Signal(syscall.SIGTERM)
	select {
	case exit := <-bot.Ended():
		p.log.Info("bot stopped", "exit", exit.String())
	case <-time.After(time.Until(deadline.Add(-killLead))):
		bot.Signal(syscall.SIGKILL)
		p.log.Warn("bot did not stop in time", "exit", (<-bot.Ended()).String())
	}
	p.host.BotEnded(true)
}

// tail returns the end of the output of the bot's last run; "" where CONTROL does not keep it.
func (p *behind) tail() string { return proc.Tail(ownOutput, p.before) }

// ownOutput opens our output again, to read it.
const ownOutput = "/dev/fd/1"

// written returns how much is in the file of our output.
func written() int64 {
	if info, err := os.Stdout.Stat(); err == nil && info.Mode().IsRegular() {
		return info.Size()
	}
	return 0
}
