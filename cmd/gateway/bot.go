package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/host"
	"github.com/discluster/control/transport/proc"
)

// run keeps the bot running until the cluster stops, or until the bot dies before it was ready: to
// count such starts is CONTROL's. It ends the host's shards before it returns.
func (p *behind) run(over <-chan struct{}) error {
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
	var history plan.History
	for {
		upFor, err := p.once(over)
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
		p.cluster.ChildDied(err.Error(), p.tail(), verdict.After)
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

// once is one run of the bot. A nil error reports that its end was ordered.
func (p *behind) once(over <-chan struct{}) (upFor time.Duration, err error) {
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, os.Stdout, os.Stderr
	p.before = written()
	child, err := startTied(cmd)
	if err != nil {
		return 0, fmt.Errorf("start %q: %w", p.argv[0], err)
	}
	p.host.BotBegan()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var ready time.Time
	var killed string // why; "": it was not
	silent := silence{}
	for {
		select {
		case err := <-child.ended:
			if ready.IsZero() && p.host.Settled() { // since the last look
				ready = time.Now()
			}
			p.host.BotEnded(false)
			if !ready.IsZero() {
				upFor = max(time.Since(ready), 1)
			}
			return upFor, exitError(err, killed)
		case now := <-look.C:
			if ready.IsZero() && p.host.Settled() {
				ready = now
			}
			hung := p.host.Hung(now)
			switch do := silent.look(p.host.Connected(), p.met, p.patience); {
			case killed != "":
			case hung:
				killed = "no answer to pings"
			case do == silentKill:
				killed = fmt.Sprintf("it did not connect to its gateway within %v", silentMax)
			case do == silentReport:
				silent.reported = p.cluster.ChildSilent(fmt.Sprintf("the bot lives, but has not connected to its gateway host within %v; if it connects to Discord itself, its identifies are not paced", p.patience))
			}
			if p.met = p.met || silent.over; killed != "" {
				child.signal(syscall.SIGKILL) // its end comes by child.ended
			}
		case <-p.cluster.Stopping():
			p.stop(child, p.cluster.Stop().Deadline)
			return 0, nil
		case <-over:
			p.stop(child, time.Now())
			return 0, nil
		}
	}
}

// stop ends the bot by the deadline: with SIGTERM, then with SIGKILL.
func (p *behind) stop(child *tied, deadline time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), min(quietFor, max(0, time.Until(deadline))))
	defer cancel()
	p.host.Quiet(ctx)
	child.signal(syscall.SIGTERM)
	select {
	case err := <-child.ended:
		p.log.Info("bot stopped", "exit", exitError(err, "").Error())
	case <-time.After(time.Until(deadline.Add(-killLead))):
		child.signal(syscall.SIGKILL)
		p.log.Warn("bot did not stop in time", "exit", exitError(<-child.ended, "").Error())
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

// exitError returns the reason why a bot ended without an order; exit code 0 is a reason, too.
func exitError(err error, killed string) error {
	switch {
	case killed != "":
		return fmt.Errorf("killed: %s", killed)
	case err == nil:
		return fmt.Errorf("exit status 0")
	default:
		return err
	}
}
