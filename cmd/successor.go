package cmd

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/discluster/control/transport/proc"
)

// This file is the daemon's half of an upgrade: the program of that name takes its place in the same process. Its children stay its children, so that their exits can be read,
// and the bots never notice more than a link that closes and opens.

// daemonFile, in the state folder, says who runs there.
const daemonFile = "daemon.json"

// daemonState is what daemonFile holds, for `control upgrade` to see what becomes of its order.
type daemonState struct {
	PID     int       `json:"pid"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`           // tells one life from the next, which has the same pid after an upgrade
	Refused *refusal  `json:"refused,omitempty"` // the last upgrade that did not come
}

// refusal is why an upgrade was not made.
type refusal struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// checkLimit is how long a program may take to say whether it could run in our place.
const checkLimit = 10 * time.Second

// startedAt is when this life began.
var startedAt = time.Now()

// note writes daemonFile.
func (d *daemon) note(refused *refusal) {
	text, err := json.Marshal(daemonState{PID: os.Getpid(), Version: versionText(), Started: startedAt, Refused: refused})
	if err != nil {
		panic(err) // numbers and texts
	}
	d.control.files.save(daemonFile, text, func(err error) {
		if err != nil {
			d.log.Warn().Err(err).Str("file", daemonFile).Msg("state file cannot be written: `control upgrade` will not hear of us")
		}
	})
}

// ownPath is where this program can be started from again: as it was called, so that a symbolic link is followed anew, or else where it lay when it was started.
func ownPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("own program: %w", err)
	}
	if called, err := exec.LookPath(os.Args[0]); err == nil && sameFile(called, self) {
		return filepath.Abs(called)
	}
	return self, nil
}

// sameFile reports whether both are there, and are one file.
func sameFile(a, b string) bool {
	is, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(is, other)
}

// given are the flags that were set, as a command line.
func given(flags *pflag.FlagSet) (args []string) {
	flags.Visit(func(f *pflag.Flag) { args = append(args, "--"+f.Name+"="+f.Value.String()) })
	return args
}

// successor is the program that could run in our place. It is asked: an error says why not, and nothing has happened to anybody.
func (d *daemon) successor(ctx context.Context) (path string, err error) {
	if runtime.GOOS != "linux" {
		return "", fmt.Errorf("no process can be found again on %s: stop CONTROL and start it", runtime.GOOS)
	}
	if c, err := d.load(); err == nil && c.State.Dir != d.config.State.Dir {
		return "", fmt.Errorf("state.dir is %s now, and the bots are known in %s: stop CONTROL and start it", c.State.Dir, d.config.State.Dir)
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	check := exec.CommandContext(ctx, d.path, d.checkArgs...)
	check.WaitDelay = time.Second
	var output bytes.Buffer
	check.Stdout, check.Stderr = &output, &output
	err = proc.Run(check)
	said := strings.TrimSpace(output.String())
	if err == nil && !strings.HasPrefix(said, configurationGood) {
		err = errors.New("it is no control")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", d.path, cmp.Or(ctx.Err(), err), said[:min(len(said), 1<<10)])
	}
	return d.path, nil
}

// refuse says why there is no upgrade.
func (d *daemon) refuse(err error) {
	d.log.Error().Str("err", oneLine(err)).Msg("upgrade refused: all goes on as it was")
	d.note(&refusal{At: time.Now(), Reason: oneLine(err)})
}

// replace lets go of everything and becomes the program at path, with our arguments and environment. It returns only where that cannot be: the bots go on then, alone.
func (d *daemon) replace(path string) error {
	d.log.Info().Str("program", path).Msg("upgrading: the bots go on, and are taken back in a moment")
	d.systemd.reloading()
	if err := d.control.detach("upgrade"); err != nil {
		d.log.Warn().Err(err).Msg("CONTROL did not stop as it should; what it has not written is read from the bots")
	}
	d.stopMaster()
	signal.Ignore(syscall.SIGHUP, syscall.SIGUSR2) // or one that comes before the next life listens would end it
	d.log.queue.flush(logFlush)
	err := syscall.Exec(path, os.Args, os.Environ())
	d.log.Error().Err(err).Str("program", path).Msg("program cannot be executed: the one that runs starts anew")
	return errors.Join(err, syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}
