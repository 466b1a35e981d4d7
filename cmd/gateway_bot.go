package cmd

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
	var history plan.History
	for {
		upFor, err := p.once(over)
		if err == nil {
			return nil // ordered
		}
		if upFor <= 0 {
			return fmt.Errorf("bot ended before its shards were ready: %w", err)
		}
		var verdict plan.Verdict
		failure := plan.Failure{Cause: messages.CauseExited, UpFor: upFor, Detail: err.Error()}
		history, verdict = plan.Restart(history, failure, time.Now(), rand.Float64())
		p.log.Error("bot ended", "err", err, "up_for", upFor.Round(time.Second).String(), "restart_in", verdict.After.String())
		select {
		case <-time.After(verdict.After):
		case <-p.cluster.Stopping():
			return nil
		case <-over:
			return nil
		}
	}
}

// once is one run of the bot. A nil error reports that its end was ordered.
func (p *behind) once(over <-chan struct{}) (upFor time.Duration, err error) {
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, os.Stdout, os.Stderr
	ended, err := startTied(cmd)
	if err != nil {
		return 0, fmt.Errorf("start %q: %w", p.argv[0], err)
	}
	p.host.BotBegan()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	var ready time.Time
	hung := false
	for {
		select {
		case err := <-ended:
			if ready.IsZero() && p.host.Settled() { // since the last look
				ready = time.Now()
			}
			p.host.BotEnded(false)
			if !ready.IsZero() {
				upFor = max(time.Since(ready), 1)
			}
			return upFor, exitError(err, hung)
		case now := <-look.C:
			if ready.IsZero() && p.host.Settled() {
				ready = now
			}
			if p.host.Hung(now) && !hung {
				hung = true
				_ = cmd.Process.Kill() // its end comes by ended
			}
		case <-p.cluster.Stopping():
			p.stop(cmd, ended, p.cluster.Stop().Deadline)
			return 0, nil
		case <-over:
			p.stop(cmd, ended, time.Now())
			return 0, nil
		}
	}
}

// stop ends the bot by the deadline: with SIGTERM, then with SIGKILL.
func (p *behind) stop(cmd *exec.Cmd, ended <-chan error, deadline time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), min(quietFor, max(0, time.Until(deadline))))
	defer cancel()
	p.host.Quiet(ctx)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-ended:
		p.log.Info("bot stopped", "exit", exitError(err, false).Error())
	case <-time.After(time.Until(deadline.Add(-killLead))):
		_ = cmd.Process.Kill()
		p.log.Warn("bot did not stop in time", "exit", exitError(<-ended, false).Error())
	}
	p.host.BotEnded(true)
}

// exitError returns the reason why a bot ended without an order; exit code 0 is a reason, too.
func exitError(err error, hung bool) error {
	switch {
	case hung:
		return fmt.Errorf("killed: no answer to pings")
	case err == nil:
		return fmt.Errorf("exit status 0")
	default:
		return err
	}
}
