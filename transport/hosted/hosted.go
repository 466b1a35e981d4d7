// Package hosted runs the bot behind a gateway host: a process that outlives the host, and that the
// next host takes back by its record.
//
//	Start ── intent ──▶ fork ──▶ mark ──▶ the host dies, the bot lives ──▶ Find ──▶ the next host
//
// The identity rule is proc's: pid and start time in the same boot. Where a fork was not recorded
// any more the environment decides. While it is unknown whether a bot lives, Find returns an error,
// and its user starts none.
package hosted

import (
	"errors"
	"syscall"

	"github.com/discluster/control/transport/proc"
)

// Bot is a bot that runs, or ran.
type Bot struct {
	process proc.Process
	ended   chan proc.Exit
}

// Start starts a bot, of which save records the intent before the fork and the mark after it. spec
// has the Mark of this run. A record that cannot be saved does not keep the bot from starting: then
// it is found by its environment, and ended.
func Start(spec proc.Spec, save func(proc.Mark)) (*Bot, error) {
	intent := proc.Intent()
	intent.Env = spec.Mark
	save(intent)
	type started struct {
		process proc.Process
		err     error
	}
	done := make(chan started, 1)
	proc.Start(spec, func(p proc.Process, err error) { done <- started{p, err} })
	s := <-done
	if s.err != nil {
		return nil, s.err
	}
	mark := s.process.Mark()
	mark.Env = spec.Mark
	save(mark)
	return own(s.process), nil
}

// Find returns the bot that a mark names, nil where it is dead and nothing of it is left, or where
// this system cannot search. Any other error states that it is unknown whether it lives.
func Find(m proc.Mark) (*Bot, error) {
	type answer struct {
		process proc.Process
		err     error
	}
	done := make(chan answer, 1)
	proc.Find(m, func(p proc.Process, err error) { done <- answer{p, err} })
	switch a := <-done; {
	case errors.Is(a.err, proc.ErrGone), errors.Is(a.err, errors.ErrUnsupported):
		return nil, nil
	case a.err != nil:
		return nil, a.err
	default:
		return own(a.process), nil
	}
}

func own(p proc.Process) *Bot {
	b := &Bot{process: p, ended: make(chan proc.Exit, 1)}
	p.Wait(func(e proc.Exit) { b.ended <- e })
	return b
}

// PID returns the bot's process id.
func (b *Bot) PID() int { return b.process.PID() }

// Ended brings the bot's exit, once nothing of it is left.
func (b *Bot) Ended() <-chan proc.Exit { return b.ended }

// Signal signals the bot and what it started: npm or a shell starts the program that counts.
func (b *Bot) Signal(sig syscall.Signal) { b.process.Signal(sig) }
