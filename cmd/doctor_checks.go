package cmd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/cmd/machine"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/botlog"
)

// Limits of what counts as fine.
const (
	freeLeast   = 256 << 20 // free bytes on the state folder's disk, which also holds the bots' output
	filesLeast  = 4096      // open files: two for each cluster, besides the bots' own
	reachWithin = 5 * time.Second
	// clockMost is the resolution of Discord's Date. Machines that pace themselves go by the clock
	// (PROTOCOL B3).
	clockMost = time.Second
)

// ok and problem return a finding.
func ok(format string, args ...any) finding {
	return finding{State: fine, Found: fmt.Sprintf(format, args...)}
}

func problem(state, cure, format string, args ...any) finding {
	return finding{State: state, Found: fmt.Sprintf(format, args...), Cure: cure}
}

// checkCommand looks for the bot's program as exec does: a relative path is relative to the folder
// the bot runs in.
func checkCommand(_ context.Context, t *target) []finding {
	c := t.conf.Cluster
	if len(c.Command) == 0 {
		return []finding{problem(doubtful, "nothing to do if it follows `control run --`, or if only MASTER runs here", "cluster.command is not set")}
	}
	program := c.Command[0]
	if filepath.Base(program) != program && !filepath.IsAbs(program) {
		program = filepath.Join(c.Dir, program)
	}
	path, err := exec.LookPath(program)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return []finding{problem(bad, "name an executable program, or correct PATH", "cluster.command: %v", err)}
	}
	why := t.conf.Bot.Why
	if why != "" {
		why = ": " + why
	}
	all := []finding{ok("cluster.command is %s, of protocol %s%s", path, t.conf.Bot.Protocol, why)}
	if guest := t.conf.Bot; guest.GuestWhy != "" {
		all = append(all, ok("cluster.guest is %s: %s", guest.Guest, guest.GuestWhy))
	}
	return all
}

// checkFolders checks the folders of CONTROL and the space on their disk.
func checkFolders(_ context.Context, t *target) (all []finding) {
	for _, f := range []struct{ key, dir string }{{"state.dir", t.conf.State.Dir}, {"sockets.dir", t.conf.Sockets.Dir}} {
		info, err := os.Stat(f.dir)
		switch {
		case errors.Is(err, os.ErrNotExist):
			all = append(all, problem(doubtful, "nothing to do: CONTROL creates it; a CONTROL with another configuration may have another one", "%s %s does not exist", f.key, f.dir))
		case err != nil:
			all = append(all, problem(bad, "give this user access", "%s: %v", f.key, err))
		case !info.IsDir():
			all = append(all, problem(bad, "name a folder", "%s %s is not a folder", f.key, f.dir))
		case info.Mode().Perm()&0o077 != 0:
			all = append(all, problem(doubtful, "chmod 700 "+f.dir, "%s %s is accessible to others (%s)", f.key, f.dir, info.Mode().Perm()))
		default:
			all = append(all, ok("%s %s", f.key, f.dir))
		}
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(t.conf.State.Dir, &disk); err == nil {
		if free := disk.Bavail * uint64(disk.Bsize); free < freeLeast {
			all = append(all, problem(bad, "free disk space: a session that cannot be written costs an identify", "state.dir: %d MB are free", free>>20))
		}
	}
	return all
}

// checkLimits checks the limits of this process and the machine's memory.
func checkLimits(context.Context, *target) (all []finding) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil {
		if files.Max < filesLeast {
			all = append(all, problem(doubtful, "raise it (LimitNOFILE= of a systemd unit, ulimit -n)", "%d open files are allowed", files.Max))
		} else {
			all = append(all, ok("%d open files are allowed", files.Max))
		}
	}
	if bytes := machine.Memory(); bytes > 0 {
		all = append(all, ok("%d MB of memory", bytes>>20))
	}
	return all
}

// checkControl asks the CONTROL that runs on the state folder.
func checkControl(ctx context.Context, t *target) (all []finding) {
	pid, err := machine.RunningIn(t.conf.State.Dir)
	if err != nil {
		return []finding{problem(doubtful, "start it if it should run here; name its configuration if it runs", "%v", err)}
	}
	var v messages.View
	if _, err := t.caller.get(ctx, "/api/v1/machine", &v); err != nil {
		return []finding{problem(bad, "look at its log; if it is stuck, kill it and start it again: the bots keep serving", "CONTROL %d runs but does not answer: %v", pid, err)}
	}
	all = append(all, ok("CONTROL %d runs, version %s", pid, v.Machine.Version))
	if v.Machine.Version != daemon.Version() {
		all = append(all, problem(doubtful, "`control upgrade` replaces it by this program; the bots keep serving", "this program is version %s", daemon.Version()))
	}
	if ready, why := v.Ready(); !ready {
		all = append(all, problem(bad, "look at `control status` and `control events`; `control restart` gives a failed cluster a fresh budget of restarts", "%s", why))
	}
	if !v.Machine.Master.Up {
		all = append(all, problem(bad, "see MASTER below; the bots keep serving", "no link to MASTER since %s: %s", messages.Stamp(v.Machine.Master.Since), v.Machine.Master.Err))
	}
	return all
}

// checkLogs checks that the bots write to the files that CONTROL opened for them.
func checkLogs(ctx context.Context, t *target) (all []finding) {
	dir := daemon.LogFolder(t.conf)
	var v messages.View
	if _, err := machine.RunningIn(t.conf.State.Dir); err != nil || t.conf.Cluster.Logs != config.LogsFile {
		return nil
	}
	if _, err := t.caller.get(ctx, "/api/v1/machine", &v); err != nil {
		return nil // checkControl reports it
	}
	for _, c := range v.Clusters {
		if file := botlog.Displaced(dir, botlog.Writer{Cluster: c.Cluster, PID: c.PID}); c.PID > 0 && file != "" {
			all = append(all, problem(doubtful, fmt.Sprintf("take %s out of log rotation, for cluster.log_max limits it; `control restart %s` begins a new file", dir, c.Cluster),
				"another program removed or renamed the log of cluster %s: its bot now writes to %s", c.Cluster, file))
		}
	}
	if len(all) == 0 {
		all = append(all, ok("in %s", dir))
	}
	return all
}

// checkAPI checks that the address of the API can be had, or that CONTROL listens there.
func checkAPI(_ context.Context, t *target) []finding {
	at := t.conf.Admin.Listen
	if _, err := daemon.AdminOptions(t.conf); err != nil {
		return []finding{problem(bad, "name a certificate and its key", "%v", err)}
	}
	if at == "" {
		return []finding{ok("only by the socket in state.dir")}
	}
	l, err := net.Listen("tcp", at)
	if err == nil {
		_ = l.Close()
	}
	_, absent := machine.RunningIn(t.conf.State.Dir)
	switch {
	case err == nil && absent == nil:
		return []finding{problem(doubtful, "look at its log: it was started with another admin.listen, or retries every 10 s", "CONTROL runs, but nothing listens at %s", at)}
	case err != nil && absent != nil:
		return []finding{problem(doubtful, "stop the program that listens there, or change admin.listen", "admin.listen: %v", err)}
	}
	return []finding{ok("at %s", at)}
}

// checkMaster checks that MASTER accepts a connection. It sends nothing.
func checkMaster(ctx context.Context, t *target) []finding {
	if t.conf.Embedded() {
		return []finding{ok("inside CONTROL")}
	}
	u, err := url.Parse(t.conf.Master.URL)
	if err != nil {
		return []finding{problem(bad, "correct it", "master.url: %v", err)}
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443"}[u.Scheme]
	}
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	var conn net.Conn
	if at := net.JoinHostPort(u.Hostname(), port); u.Scheme == "wss" {
		conn, err = (&tls.Dialer{}).DialContext(ctx, "tcp", at)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", at)
	}
	if err != nil {
		return []finding{problem(bad, "start MASTER, allow the connection, or correct master.url", "%s: %v", t.conf.Master.URL, err)}
	}
	_ = conn.Close()
	return []finding{ok("%s can be reached", t.conf.Master.URL)}
}

// checkDiscord checks that Discord answers, the difference of the clocks and, with a token, the
// budget.
func checkDiscord(ctx context.Context, t *target) (all []finding) {
	answer, err := askDiscord(ctx, t.conf)
	var refused *tokenRefusedError
	switch {
	case errors.As(err, &refused):
		return []finding{problem(bad, "make another token in Discord's developer portal, and set it here", "%v", err)}
	case err != nil:
		return []finding{problem(bad, "allow the connection, or correct discord.api", "%v", err)}
	}
	all = append(all, ok("%s answers in %v", t.conf.Discord.API, answer.took.Round(time.Millisecond)))
	if ahead := answer.ahead.Round(time.Second); ahead > clockMost || ahead < -clockMost {
		all = append(all, problem(bad, "synchronise the clock (chrony, systemd-timesyncd): identifies are paced by it", "our clock is %v ahead of Discord's", ahead))
	}
	if b := answer.budget; b != nil && b.Remaining < b.Shards {
		all = append(all, problem(doubtful, "restart no bot that cannot resume; the budget is full again "+b.reset(), "%d identifies are left of %d, and Discord recommends %d shards", b.Remaining, b.Total, b.Shards))
	}
	return all
}
