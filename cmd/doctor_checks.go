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

	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/botlog"
)

// Limits of what is fine.
const (
	freeLeast   = 256 << 20 // bytes of the state folder's disk: the output of bots goes there, too
	filesLeast  = 4096      // open files: two for each cluster, and what a bot has of its own
	reachWithin = 5 * time.Second
	clockMost   = time.Second // machines that pace themselves do so by the clock (PROTOCOL B3); Discord's Date has whole seconds
)

// well and amiss make findings.
func well(format string, args ...any) finding {
	return finding{State: fine, Found: fmt.Sprintf(format, args...)}
}

func amiss(state, cure, format string, args ...any) finding {
	return finding{State: state, Found: fmt.Sprintf(format, args...), Cure: cure}
}

// checkCommand looks for the bot's program as the system will: from the folder it runs in, where it is named by a path.
func checkCommand(_ context.Context, p *patient) []finding {
	c := p.conf.Cluster
	if len(c.Command) == 0 {
		return []finding{amiss(doubtful, "nothing to do where it is given behind `control run --`, or where only MASTER runs", "cluster.command is not set")}
	}
	program := c.Command[0]
	if filepath.Base(program) != program && !filepath.IsAbs(program) {
		program = filepath.Join(c.Dir, program)
	}
	path, err := exec.LookPath(program)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return []finding{amiss(bad, "name a program that is there and can be executed, or correct PATH", "cluster.command: %v", err)}
	}
	return []finding{well("cluster.command is %s", path)}
}

// checkFolders looks at what is CONTROL's own.
func checkFolders(_ context.Context, p *patient) (all []finding) {
	for _, f := range []struct{ key, dir string }{{"state.dir", p.conf.State.Dir}, {"sockets.dir", p.conf.Sockets.Dir}} {
		info, err := os.Stat(f.dir)
		switch {
		case errors.Is(err, os.ErrNotExist):
			all = append(all, amiss(doubtful, "nothing to do: CONTROL makes it; with another configuration there may be another one", "%s %s is not there", f.key, f.dir))
		case err != nil:
			all = append(all, amiss(bad, "give this user the right to it", "%s: %v", f.key, err))
		case !info.IsDir():
			all = append(all, amiss(bad, "name a folder", "%s %s is no folder", f.key, f.dir))
		case info.Mode().Perm()&0o077 != 0:
			all = append(all, amiss(doubtful, "chmod 700 "+f.dir, "%s %s can be entered by others (%s)", f.key, f.dir, info.Mode().Perm()))
		default:
			all = append(all, well("%s %s", f.key, f.dir))
		}
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(p.conf.State.Dir, &disk); err == nil {
		if free := disk.Bavail * uint64(disk.Bsize); free < freeLeast {
			all = append(all, amiss(bad, "make room: sessions that cannot be written cost an identify a shard", "state.dir: %d MB are free", free>>20))
		}
	}
	return all
}

// checkLimits looks at what the system allows us.
func checkLimits(context.Context, *patient) (all []finding) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil {
		if files.Max < filesLeast {
			all = append(all, amiss(doubtful, "raise it (LimitNOFILE= of a systemd unit, ulimit -n)", "%d open files are allowed", files.Max))
		} else {
			all = append(all, well("%d open files are allowed", files.Max))
		}
	}
	if bytes := memory(); bytes > 0 {
		all = append(all, well("%d MB of memory", bytes>>20))
	}
	return all
}

// checkControl asks the one that runs.
func checkControl(ctx context.Context, p *patient) (all []finding) {
	pid, err := runningIn(p.conf.State.Dir)
	if err != nil {
		return []finding{amiss(doubtful, "start it, where it should run; name its configuration, where it does", "%v", err)}
	}
	var v messages.View
	if _, err := p.caller.get(ctx, "/api/v1/machine", &v); err != nil {
		return []finding{amiss(bad, "its log says why; where it is stuck, kill it and start it again: the bots go on meanwhile", "CONTROL %d runs, and does not answer: %v", pid, err)}
	}
	all = append(all, well("CONTROL %d runs, version %s", pid, v.Machine.Version))
	if v.Machine.Version != versionText() {
		all = append(all, amiss(doubtful, "`control upgrade` lets it become this program; the bots stay", "this program is version %s", versionText()))
	}
	if ready, why := v.Ready(); !ready {
		all = append(all, amiss(bad, "`control status` and `control events` say more; `control restart` gives what failed a fresh budget", "%s", why))
	}
	if !v.Machine.Master.Up {
		all = append(all, amiss(bad, "see MASTER below; the bots go on meanwhile", "no link to MASTER since %s: %s", messages.Stamp(v.Machine.Master.Since), v.Machine.Master.Err))
	}
	return all
}

// checkLogs looks whether the bots still write to the files that CONTROL gave them.
func checkLogs(ctx context.Context, p *patient) (all []finding) {
	dir := logFolder(p.conf)
	var v messages.View
	if _, err := runningIn(p.conf.State.Dir); err != nil || p.conf.Cluster.Logs != config.LogsFile {
		return nil
	}
	if _, err := p.caller.get(ctx, "/api/v1/machine", &v); err != nil {
		return nil // CONTROL above says so
	}
	for _, c := range v.Clusters {
		if file := botlog.Astray(dir, botlog.Writer{Cluster: c.Cluster, PID: c.PID}); c.PID > 0 && file != "" {
			all = append(all, amiss(doubtful, fmt.Sprintf("take %s out of log rotation, cluster.log_max keeps it small; `control restart %s` begins a new file", dir, c.Cluster),
				"the log of cluster %s was removed or renamed by another program: it goes on into %s", c.Cluster, file))
		}
	}
	if len(all) == 0 {
		all = append(all, well("in %s", dir))
	}
	return all
}

// checkAPI looks whether the address can be had.
func checkAPI(_ context.Context, p *patient) []finding {
	at := p.conf.Admin.Listen
	if _, err := adminOptions(p.conf); err != nil {
		return []finding{amiss(bad, "name a certificate and its key", "%v", err)}
	}
	if at == "" {
		return []finding{well("by the socket in state.dir alone")}
	}
	l, err := net.Listen("tcp", at)
	if err == nil {
		_ = l.Close()
	}
	_, absent := runningIn(p.conf.State.Dir)
	switch {
	case err == nil && absent == nil:
		return []finding{amiss(doubtful, "its log says why; it was started with another admin.listen, or tries again every 10 s", "CONTROL runs, and nobody listens at %s", at)}
	case err != nil && absent != nil:
		return []finding{amiss(doubtful, "stop who is there, or set admin.listen", "admin.listen: %v", err)}
	}
	return []finding{well("at %s", at)}
}

// checkMaster looks whether MASTER can be reached; it says nothing to it.
func checkMaster(ctx context.Context, p *patient) []finding {
	if p.conf.Embedded() {
		return []finding{well("inside CONTROL")}
	}
	u, err := url.Parse(p.conf.Master.URL)
	if err != nil {
		return []finding{amiss(bad, "correct it", "master.url: %v", err)}
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
		return []finding{amiss(bad, "start MASTER, open the way to it, or correct master.url", "%s: %v", p.conf.Master.URL, err)}
	}
	_ = conn.Close()
	return []finding{well("%s can be reached", p.conf.Master.URL)}
}

// checkDiscord asks Discord whether it is there, what time it is, and, with the token, what may be spent.
func checkDiscord(ctx context.Context, p *patient) (all []finding) {
	answer, err := askDiscord(ctx, p.conf)
	var refused *refusedToken
	switch {
	case errors.As(err, &refused):
		return []finding{amiss(bad, "give the bot another token, in Discord's developer portal and here", "%v", err)}
	case err != nil:
		return []finding{amiss(bad, "open the way to it, or correct discord.api", "%v", err)}
	}
	all = append(all, well("%s answers in %v", p.conf.Discord.API, answer.took.Round(time.Millisecond)))
	if ahead := answer.ahead.Round(time.Second); ahead > clockMost || ahead < -clockMost {
		all = append(all, amiss(bad, "let the clock be set (chrony, systemd-timesyncd): machines that pace themselves do so by it", "our clock is %v ahead of Discord's", ahead))
	}
	if b := answer.budget; b != nil && b.Remaining < b.Shards {
		all = append(all, amiss(doubtful, "let nothing identify that can resume; it is filled again "+b.reset(), "%d identifies are left of %d, and Discord recommends %d shards", b.Remaining, b.Total, b.Shards))
	}
	return all
}
