package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lonely returns the settings of a machine whose embedded MASTER asks Discord nothing: two clusters
// of two shards.
func lonely(more settings) settings {
	s := settings{"fleet.shards": "4", "fleet.max_concurrency": "4", "cluster.shards_per_cluster": "2"}
	for key, value := range more {
		s[key] = value
	}
	return s
}

// A cluster that cannot start: one start, three restarts, then one report with their causes. A bot
// that is late while the machine is short of CPU time is no such cluster: that is reported instead.
func TestGaveUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		role     string
		protocol string
		cause    string // of each attempt
		output   string
	}{
		"exits at once":   {"exits", "sdk", "exited", "cannot find module 'bot'"},
		"behind a host":   {"exits", "gateway", "bot ended before its shards were ready: exit code 3", "cannot find module 'bot'"},
		"silent":          {"silent", "sdk", "hello_timeout", ""},
		"another id":      {"imposter", "sdk", "start_failed: IDENTIFY bore the id", ""},
		"another user":    {"other-user", "sdk", "the peer (pid", ""},
		"ignores SIGTERM": {"silent-stubborn", "sdk", "hello_timeout", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.role == "other-user" && os.Geteuid() != 0 {
				missing(t, "only root can start a bot that becomes another user")
			}
			s := lonely(settings{"fleet.shards": "2", "cluster.protocol": c.protocol, "cluster.kill_grace": "1s"})
			late := c.cause == "hello_timeout" || c.role == "other-user"
			if late { // the others fail by what they do, however long it takes
				s["cluster.hello_timeout"] = "1s"
			}
			p := control(t, append(runEnv(t, s), roleVariable+"="+c.role), "run", "--", self)
			if late {
				eventually(t, "given up or held", func() bool { return len(p.lines("cluster.gave_up"))+len(p.lines("cluster.held")) > 0 })
				if held := p.lines("cluster.held"); len(p.lines("cluster.gave_up")) == 0 {
					if !strings.Contains(fmt.Sprint(held[0]["cure"]), "processors") {
						t.Errorf("held: %v", held[0])
					}
					p.stop()
					return
				}
			}
			gaveUp := p.line("cluster.gave_up")
			causes, _ := gaveUp["causes"].([]any)
			if len(causes) != 4 || gaveUp["attempts"] != 4.0 || gaveUp["shards"] != "0-1" || gaveUp["level"] != "error" {
				t.Errorf("gave up: %v", gaveUp)
			}
			other := slices.DeleteFunc(slices.Clone(causes), func(cause any) bool { return strings.Contains(fmt.Sprint(cause), c.cause) })
			// one that starts slowly has no socket to complain about when its time is over
			if len(other) > 0 && !(c.role == "other-user" && len(other) < len(causes)) {
				t.Errorf("causes %q, want %s", other, c.cause)
			}
			if output, _ := gaveUp["output"].(string); !strings.Contains(output, c.output) {
				t.Errorf("output %q, want %q", output, c.output)
			}
			counted := slices.DeleteFunc(p.lines("cluster.died"), func(l line) bool { return l["class"] != "bot" })
			if n := len(counted); n != 3 {
				t.Errorf("cluster.died was logged %d times, want one for each restart", n)
			}
			if left := p.clusters(); len(left) > 0 {
				t.Errorf("processes of a cluster that was given up: %v", left)
			}
			p.stop()
			if n := len(p.lines("cluster.gave_up")); n != 1 {
				t.Errorf("cluster.gave_up was logged %d times", n)
			}
			t.Logf("%v", causes[len(causes)-1])
		})
	}
}

// A process that lives and does not speak what its protocol expects is reported once, with what to
// type, and left running.
func TestSilent(t *testing.T) {
	t.Parallel()
	for protocol, c := range map[string]struct{ role, err, cure string }{
		"sdk":     {"no-socket", "did not open within 1s", "--cluster.protocol gateway"},
		"gateway": {"waits", "has not connected to its gateway host within 1s", "DISCORD_API"},
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			s := lonely(settings{"fleet.shards": "2", "cluster.hello_timeout": "1s", "cluster.ready_timeout": "3s", "cluster.protocol": protocol})
			p := control(t, append(runEnv(t, s), roleVariable+"="+c.role), "run", "--", self)
			silent := p.line("bot.silent")
			if err, cure := fmt.Sprint(silent["err"]), fmt.Sprint(silent["cure"]); silent["level"] != "error" || !strings.Contains(err, c.err) || !strings.Contains(cure, c.cure) {
				t.Errorf("silent: %v", silent)
			}
			before := p.clusters()
			<-time.After(4 * time.Second) // longer than any deadline
			if now := p.clusters(); len(now) == 0 || !slices.Equal(now, before) {
				t.Errorf("processes %v, were %v", now, before)
			}
			if p.stop(); len(p.lines("bot.silent")) != 1 || len(p.complaints()) != 1 {
				t.Errorf("complaints: %v", p.complaints())
			}
		})
	}
}

// A lack of this machine is reported once, at once, with what to do, and never counted. The cluster
// starts by itself when it is there again.
func TestHeld(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wrong func(program string) error // breaks the command
		text  string
		cure  string
	}{
		"missing":        {func(string) error { return nil }, "does not exist", "put the program back"},
		"not executable": {func(program string) error { return os.WriteFile(program, []byte("not executable"), 0o600) }, "no permission to execute it", "make the program executable"},
		"a folder":       {func(program string) error { return os.Mkdir(program, 0o700) }, "is a folder", "make the program executable"},
		"half written":   {func(program string) error { return os.WriteFile(program, []byte("\x7fEL"), 0o700) }, "not a program for this machine", "make the program executable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join(folder(t), "bot")
			if err := c.wrong(program); err != nil {
				t.Fatal(err)
			}
			p := control(t, append(runEnv(t, lonely(settings{"fleet.shards": "2"})), roleVariable+"=ready"), "run", "--", program)
			held := p.line("cluster.held")
			if err, cure := fmt.Sprint(held["err"]), fmt.Sprint(held["cure"]); held["on"] != true || held["level"] != "error" || !strings.Contains(err, c.text) || !strings.Contains(cure, c.cure) {
				t.Errorf("held: %v", held)
			}
			if err := errors.Join(os.RemoveAll(program), os.Symlink(self, program)); err != nil {
				t.Fatal(err)
			}
			p.line("cluster.ready")
			if n := len(p.lines("cluster.held")); n != 2 {
				t.Errorf("cluster.held %d times, want it and its end", n)
			}
			if n := len(p.lines("cluster.died")) + len(p.lines("cluster.gave_up")); n > 0 {
				t.Errorf("%d deaths", n)
			}
			p.stop()
		})
	}
}

// The output of a bot goes to its file, however large, and disturbs nothing else.
func TestFlood(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	p := role(t, lonely(settings{"state.dir": dir}), "floods")
	eventually(t, "both clusters ready", func() bool { return len(p.lines("cluster.ready")) == 2 })
	logs, err := filepath.Glob(filepath.Join(dir, "logs", "*.log"))
	if err != nil || len(logs) != 2 {
		t.Fatalf("logs %v: %v", logs, err)
	}
	for _, log := range logs {
		if info, err := os.Stat(log); err != nil || info.Size() < floodBytes || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", log, info, err)
		}
	}
	if all := p.complaints(); len(all) > 0 {
		t.Errorf("complaints: %v", all)
	}
	p.stop()
}

// Processes talk through CONTROL: each gets the answers of both, a killed one is missing with a
// reason, and the next one answers.
func TestClustersTalk(t *testing.T) {
	t.Parallel()
	p := role(t, lonely(settings{"cluster.logs": "inherit"}), "asks")
	pids := regexp.MustCompile(`0 asked: \[\{0 (\d+) <nil>\} \{1 (\d+) <nil>\}\]`)
	both := func() []string {
		all := pids.FindAllStringSubmatch(p.stdout.String(), -1)
		return slices.Concat(all[max(len(all)-1, 0):]...)
	}
	eventually(t, "cluster 0 hears of both", func() bool { return len(both()) == 3 })
	eventually(t, "messages", func() bool {
		return strings.Contains(p.stdout.String(), `0 heard "hello" of 1`) && strings.Contains(p.stdout.String(), `1 heard "hello" of 0`)
	})
	first := both()
	for i, pid := range first[1:] {
		if n, _ := strconv.Atoi(pid); !slices.Contains(p.clusters(), n) {
			t.Errorf("cluster %d answers as process %s, there are %v", i, pid, p.clusters())
		}
	}
	n, _ := strconv.Atoi(first[2])
	p.signal(n, syscall.SIGKILL)
	eventually(t, "cluster 1 is missed", func() bool { return strings.Contains(p.stdout.String(), "<nil>} {1 0 it ") })
	eventually(t, "its successor answers", func() bool { return both()[2] != first[2] })
	if got := both()[1]; got != first[1] {
		t.Errorf("cluster 0 is process %s, was %s", got, first[1])
	}
	p.stop()
}
