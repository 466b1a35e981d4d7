//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/discluster/control/messages"
)

// resident returns the memory of a process, in bytes; peak, the most that it ever was.
func resident(t *testing.T, pid int) (now, peak int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	kilobytes := func(name string) int {
		m := regexp.MustCompile(name + `:\s*(\d+) kB`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("no %s of process %d", name, pid)
		}
		n, _ := strconv.Atoi(string(m[1])) // digits
		return n << 10
	}
	return kilobytes("VmRSS"), kilobytes("VmHWM")
}

// A bot dies, and the next one takes long to start while two thousand events come in a second: the
// host keeps as many as its memory may hold, drops the oldest, and reports that. The next bot
// starts over, gets its guilds and all events from then on, and Discord sees one identify a shard.
func TestGatewayMemory(t *testing.T) {
	t.Parallel()
	const memory = 8 << 20
	dir := folder(t)
	first, gate := filepath.Join(dir, "first"), filepath.Join(dir, "gate")
	d := startDiscord(t, 2, 2, "--guilds", "8", "--events", "1000")
	b := startMake(t, d, 2, 2, settings{roleSetting: "counts", "cluster.gateway.memory": "8MiB"},
		"sh", "-c", `if [ -e "$1" ]; then until [ -e "$2" ]; do sleep 0.1; done; fi; : > "$1"; exec "$0"`, self, first, gate)
	b.logged("cluster.ready", 1)
	next := func(last int) (pid int) {
		t.Helper()
		eventually(t, "a bot reads messages", func() bool {
			pid = b.behind(self)
			all := b.counted()
			return pid != 0 && pid != last && len(all[[2]string{strconv.Itoa(pid), "0"}]) > 20 && len(all[[2]string{strconv.Itoa(pid), "1"}]) > 20
		})
		return pid
	}
	bot := next(0)
	host := parent(t, bot)
	b.signal(bot, syscall.SIGKILL)
	b.logged("gateway.events_dropped", 4)
	lost := map[float64]float64{}
	for _, e := range b.lines("gateway.events_dropped") {
		shard, _ := e["shard"].(float64)
		n, _ := e["events"].(float64)
		err, _ := e["err"].(string)
		cure, _ := e["cure"].(string)
		if lost[shard] += n; n < 500 || !strings.Contains(err, "events that waited for the bot were dropped") || !strings.Contains(cure, "cluster.gateway.memory") || e["level"] != "error" {
			t.Errorf("%v", e)
		}
	}
	if lost[0] == 0 || lost[1] == 0 {
		t.Errorf("lost by shard: %v", lost)
	}
	if _, peak := resident(t, host); peak > memory/4*5+64<<20+32<<20 {
		t.Errorf("the host took %d bytes", peak)
	} else {
		t.Logf("the host took %d bytes", peak)
	}
	var v messages.View
	shown := control(t, nil, "status", "--state.dir="+b.state)
	if code := shown.exit(); code != 0 || !regexp.MustCompile(`(?m)^hosts +guilds \d+\.\d MB, events \d+\.\d of [78]\.\d MB$`).MatchString(shown.stdout.String()) {
		t.Errorf("status: exit %d:\n%s", code, shown.stdout.String())
	}
	shown = control(t, nil, "status", "--json", "--state.dir="+b.state)
	if code, err := shown.exit(), json.Unmarshal([]byte(shown.stdout.String()), &v); code != 0 || err != nil {
		t.Fatalf("status: exit %d: %v", code, err)
	}
	if m := v.Clusters[0].Host; m == nil || m.GuildsBytes == 0 || m.EventsBytes < memory/4 || m.EventsBytes > memory+memory/10 || m.EventsMax > memory {
		t.Errorf("memory of the host: %+v", m)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	after := next(bot)
	for shard := range 2 {
		numbers := b.counted()[[2]string{strconv.Itoa(after), strconv.Itoa(shard)}]
		for i := 1; i < len(numbers); i++ {
			if numbers[i] != numbers[i-1]+1 {
				t.Errorf("shard %d: %d came after %d", shard, numbers[i], numbers[i-1])
			}
		}
	}
	if s := d.stats(); s.Identifies != 2 || s.Violations > 0 {
		t.Errorf("%d identifies of 2 shards, %d violations", s.Identifies, s.Violations)
	}
	if b.behind(self) != after || parent(t, after) != host {
		t.Error("the host was replaced")
	}
	b.stop()
}
