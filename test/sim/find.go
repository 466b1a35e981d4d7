package sim

import (
	"io/fs"
	"strings"
	"syscall"

	"github.com/discluster/control/transport/proc"
)

// This file finds processes for a Host.

// find transfers a living process to another run of its host's CONTROL.
func (h *Host) find(b *boot, m proc.Mark, done func(proc.Process, error)) func() {
	return h.loop.After(h.net.delay(h.Name, h.Name), func() {
		if b.dead {
			return
		}
		if h.FindErr != nil {
			done(nil, h.FindErr)
			return
		}
		for _, p := range h.Processes() {
			if m.PID == p.pid && m.Started == p.Mark().Started || m.PID == 0 && p.holds(m.Env) {
				p.boot, p.died, p.exited = b, nil, nil
				done(p, nil)
				return
			}
		}
		done(nil, &proc.GoneError{Exit: proc.Exit{Code: -1, Left: h.sweep(m.Env, m.Owner)}})
	})
}

// sweep kills the processes that hold one of the entries and returns their number.
func (h *Host) sweep(entries ...string) (n int) {
	for _, p := range h.Processes() {
		if p.holds(entries...) {
			p.end(proc.Exit{Code: -1, Signal: syscall.SIGKILL})
			n++
		}
	}
	return n
}

// holders lists the values of a variable that begin with prefix.
func (h *Host) holders(prefix string) (values []string) {
	name, _, _ := strings.Cut(prefix, "=")
	for _, p := range h.Processes() {
		if value := p.Env(name); !p.wiped && strings.HasPrefix(name+"="+value, prefix) {
			values = append(values, value)
		}
	}
	return values
}

// FindErrs are reasons for which it is unknown whether a process lives.
var FindErrs = []error{syscall.EACCES, syscall.EMFILE, syscall.EIO, fs.ErrNotExist}
