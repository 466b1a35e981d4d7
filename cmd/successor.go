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

// This file is the daemon's half of an upgrade: the installed program replaces it in the same
// process. Children stay children, so that their exits can be read, and the bots only see their
// link close and open.

// daemonFile is the file in the state folder that describes the CONTROL that runs there.
const daemonFile = "daemon.json"

// daemonState is the content of daemonFile, by which `control upgrade` sees the result of its
// order.
type daemonState struct {
	PID     int       `json:"pid"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`           // distinguishes runs, for an upgrade keeps the pid
	Refused *refusal  `json:"refused,omitempty"` // the last upgrade that was refused
}

// refusal holds the reason for which an upgrade was refused.
type refusal struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// checkLimit bounds how long another program may take to check its configuration.
const checkLimit = 10 * time.Second

// startedAt is the time at which this run began.
var startedAt = time.Now()

// writeState writes daemonFile.
func (d *daemon) writeState(refused *refusal) {
	text, err := json.Marshal(daemonState{PID: os.Getpid(), Version: versionText(), Started: startedAt, Refused: refused})
	if err != nil {
		panic(err) // impossible for numbers and texts
	}
	d.control.files.save(daemonFile, text, func(err error) {
		if err != nil {
			d.log.Warn().Err(err).Str("file", daemonFile).Msg("cannot write the state file: `control upgrade` will not find this CONTROL")
		}
	})
}

// ownPath returns the path to start this program from again: the path it was called by, so that a
// symbolic link is followed again, or else the path of its file.
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

// sameFile reports whether both exist and are one file.
func sameFile(a, b string) bool {
	is, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(is, other)
}

// setFlags returns the flags that were set, as arguments.
func setFlags(flags *pflag.FlagSet) (args []string) {
	flags.Visit(func(f *pflag.Flag) { args = append(args, "--"+f.Name+"="+f.Value.String()) })
	return args
}

// successor returns the path of the program that replaces this one, after that program has checked
// its configuration. If it fails, nothing has changed.
func (d *daemon) successor(ctx context.Context) (path string, err error) {
	if runtime.GOOS != "linux" {
		return "", fmt.Errorf("processes cannot be found again on %s: stop CONTROL and start it", runtime.GOOS)
	}
	if c, err := d.load(); err == nil && c.State.Dir != d.config.State.Dir {
		return "", fmt.Errorf("state.dir is now %s, but the running bots are recorded in %s: stop CONTROL and start it", c.State.Dir, d.config.State.Dir)
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	check := exec.CommandContext(ctx, d.path, d.checkArgs...)
	check.WaitDelay = time.Second
	var output bytes.Buffer
	check.Stdout, check.Stderr = &output, &output
	err = proc.Run(check)
	printed := strings.TrimSpace(output.String())
	if err == nil && !strings.HasPrefix(printed, configurationGood) {
		err = errors.New("it is not a control binary")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", d.path, cmp.Or(ctx.Err(), err), printed[:min(len(printed), 1<<10)])
	}
	return d.path, nil
}

// refuse logs and records the reason for which there is no upgrade.
func (d *daemon) refuse(err error) {
	d.log.Error().Str("err", oneLine(err)).Msg("upgrade refused")
	d.writeState(&refusal{At: time.Now(), Reason: oneLine(err)})
}

// replace detaches from the bots and executes the program at path, with the same arguments and
// environment. It returns only if no program can be executed; the bots then keep serving on their
// own.
func (d *daemon) replace(path string) error {
	d.log.Info().Str("program", path).Msg("upgrading: bots keep serving")
	d.systemd.reloading()
	if err := d.control.detach("upgrade"); err != nil {
		d.log.Warn().Err(err).Msg("CONTROL did not stop in time; unwritten state is read from the bots")
	}
	d.stopMaster()
	signal.Ignore(syscall.SIGHUP, syscall.SIGUSR2) // they would end the next run
	d.log.queue.flush(logFlush)
	err := syscall.Exec(path, os.Args, os.Environ())
	d.log.Error().Err(err).Str("program", path).Msg("cannot execute the program: restarting the current one")
	return errors.Join(err, syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}
