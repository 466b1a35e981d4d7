//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rehearse runs a rehearsal to its end.
func rehearse(t *testing.T, wantCode int, args ...string) *process {
	t.Helper()
	p := control(t, nil, append([]string{"rehearse"}, args...)...)
	if code := p.exit(); code != wantCode {
		t.Errorf("%q: exit %d, want %d", args, code, wantCode)
	}
	p.gone()
	return p
}

// Every shipped scenario meets its expectations.
func TestShippedRehearsals(t *testing.T) {
	t.Parallel()
	names := strings.Split(strings.TrimSpace(rehearse(t, 0, "--list").stdout.String()), "\n")
	if len(names) < 3 {
		t.Errorf("shipped: %q", names)
	}
	for _, line := range names {
		name, _, _ := strings.Cut(line, " ")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := rehearse(t, 0, name)
			out := p.stdout.String()
			if !strings.HasPrefix(out, name+": ") || !strings.Contains(out, "violations         0 of the identify limit\n") || strings.Contains(out, "PASS") {
				t.Error("not the report")
			}
			if output := p.stderr.String(); !strings.Contains(output, " simulated in ") || strings.Count(output, "\n") != 1 {
				t.Errorf("stderr: %q", output)
			}
		})
	}
}

// A rehearsal uses the operator's configuration; the same seed gives the same report on every
// machine, and a missed expectation exits 1.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	scenario := write("night.yaml", "fleet: {shards: 12, max_concurrency: 4}\nuntil: 2m\nfaults: [{at: 1m, freeze: cluster}]\nexpect: {ready_within: 15s}\n")
	conf := write("control.yaml", "cluster: {shards_per_cluster: 3, heartbeat_interval: 2s}\n")
	one := rehearse(t, 0, scenario, "--json", "-c", conf).stdout.String()
	var report struct {
		Events map[string]int
		Faults []struct {
			Shards  int
			Noticed struct {
				AfterMS int `json:"after_ms"`
			}
		}
	}
	if err := json.Unmarshal([]byte(one), &report); err != nil {
		t.Fatal(err)
	}
	if f := report.Faults[0]; report.Events["cluster.ready"] != 5 || f.Shards != 3 || f.Noticed.AfterMS > 5000 {
		t.Errorf("not by the configuration: %+v", report)
	}
	if again := rehearse(t, 0, scenario, "--json", "-c", conf).stdout.String(); again != one {
		t.Errorf("another report: %s", again)
	}
	if other := rehearse(t, 0, scenario, "--json", "-c", conf, "--seed", "2").stdout.String(); other == one {
		t.Error("another seed has the same report")
	}
	late := rehearse(t, 1, write("hasty.yaml", "fleet: {shards: 12, max_concurrency: 4}\nuntil: 1m\nexpect: {ready_within: 9s}\n"))
	if !strings.Contains(late.stdout.String(), "MISSED") || !strings.Contains(late.stderr.String(), "not as expected") {
		t.Error("no missed expectation")
	}
}

// A scenario that cannot be rehearsed exits 2, and nothing of the testing package is visible.
func TestNoRehearsal(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"rehearse: want a scenario":       nil,
		`scenario "no-such": no scenario`: {"no-such"},
		"no such file":                    {"./none.yaml"},
		"unknown flag: --test.v":          {"cold-start", "--test.v"},
	} {
		if output := rehearse(t, 2, args...).stderr.String(); !strings.Contains(output, want) {
			t.Errorf("%q: %s", args, output)
		}
	}
	for _, args := range [][]string{{"--help"}, {"rehearse", "--help"}, {"run", "--help"}} {
		p := control(t, nil, args...)
		if code := p.exit(); code != 0 || strings.Contains(p.stdout.String(), "test.") {
			t.Errorf("%q: exit %d, %s", args, code, p.stdout.String())
		}
	}
}
