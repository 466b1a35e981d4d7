package daemon

import (
	"bytes"
	"cmp"
	"context"
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

	"github.com/discluster/control/cmd/logbook"
	"github.com/discluster/control/transport/proc"
)

// This file is the daemon's half of an upgrade: the installed program replaces it in the same
// process. Children stay children, so that their exits can be read, and the bots only see their
// link close and open.

// checkLimit bounds how long another program may take to check its configuration.
const checkLimit = 10 * time.Second

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

// ConfigurationGood begins the output of `config check` for a valid configuration.
const ConfigurationGood = "the configuration is good"

// successor returns the path of the program that replaces this one, after that program has checked
// its configuration. If it fails, nothing has changed.
func (d *daemon) successor(ctx context.Context) (path string, err error) {
	if runtime.GOOS != "linux" {
		return "", fmt.Errorf("processes cannot be found again on %s: stop CONTROL and start it", runtime.GOOS)
	}
	if c, err := d.Load(); err == nil && c.State.Dir != d.config.State.Dir {
		return "", fmt.Errorf("state.dir is now %s, but the running bots are recorded in %s: stop CONTROL and start it", c.State.Dir, d.config.State.Dir)
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	check := exec.CommandContext(ctx, d.path, d.CheckArgs...)
	check.WaitDelay = time.Second
	var output bytes.Buffer
	check.Stdout, check.Stderr = &output, &output
	err = proc.Run(check)
	printed := strings.TrimSpace(output.String())
	if err == nil && !strings.HasPrefix(printed, ConfigurationGood) {
		err = errors.New("it is not a control binary")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", d.path, cmp.Or(ctx.Err(), err), printed[:min(len(printed), 1<<10)])
	}
	return d.path, nil
}

// refuse logs and records the reason for which there is no upgrade.
func (d *daemon) refuse(err error) {
	d.log.Error().Str("err", logbook.OneLine(err)).Msg("upgrade refused")
	d.writeState(&refusal{At: time.Now(), Reason: logbook.OneLine(err)})
}

// replace detaches from the bots and executes the program at path, with the same arguments and
// environment. It returns only if no program can be executed; the bots then keep serving on their
// own.
func (d *daemon) replace(path string) error {
	d.log.Info().Str("program", path).Msg("upgrading: bots keep serving")
	d.systemd.Reloading()
	if err := d.control.Detach("upgrade"); err != nil {
		d.log.Warn().Err(err).Msg("CONTROL did not stop in time; unwritten state is read from the bots")
	}
	d.stopMaster()
	signal.Ignore(syscall.SIGHUP, syscall.SIGUSR2) // they would end the next run
	d.log.Flush()
	err := syscall.Exec(path, os.Args, os.Environ())
	d.log.Error().Err(err).Str("program", path).Msg("cannot execute the program: restarting the current one")
	return errors.Join(err, syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}
