//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// residentMax bounds the resident memory, in KiB, of CONTROL with an embedded MASTER and 32
// clusters.
const residentMax = 25 << 10

// The bots use the SDK without a gateway, so that the test measures CONTROL.
func TestResident(t *testing.T) {
	t.Parallel()
	p := role(t, settings{"fleet.shards": "128", "fleet.max_concurrency": "128", "cluster.shards_per_cluster": "4", "admin.listen": "127.0.0.1:0"}, "ready")
	eventually(t, "all 32 clusters ready", func() bool { return len(p.lines("cluster.ready")) == 32 })
	alone := p.memory("VmRSS")
	at := "http://" + fmt.Sprint(p.line("admin listens")["listen"])
	for range 5 { // views of the page and of Prometheus
		for _, route := range []string{"/metrics", "/api/v1/machine", "/api/v1/events"} {
			p.read(at + route)
		}
	}
	resident, peak := p.memory("VmRSS"), p.memory("VmHWM")
	t.Logf("resident with 32 clusters: %.1f MB before anybody looked, %.1f MB after, at most %.1f MB", float64(alone)/1024, float64(resident)/1024, float64(peak)/1024)
	if resident >= residentMax {
		t.Errorf("%d KiB resident, want less than %d", resident, residentMax)
	}
	took := p.stop()
	t.Logf("32 clusters stopped in %v", took)
}

// memory returns a figure of /proc/<pid>/status, in KiB.
func (p *process) memory(name string) (kib int) {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), name+":")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	return kib
}
