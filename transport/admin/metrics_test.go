package admin

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/discluster/control/transport/proc"
)

// scrape returns what Prometheus reads from a collector.
func scrape(t *testing.T, c prometheus.Collector) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// The metrics of a view, as Prometheus reads them, by promtool's own rules.
func TestMetrics(t *testing.T) {
	text := scrape(t, &collector{view: aView(), streams: 2, mailboxes: func() map[string]int { return map[string]int{"gate": 3} },
		links: func() map[string]Traffic {
			return map[string]Traffic{"ipc": {Open: 2, FramesIn: 5, BytesOut: 7, Refused: 1}}
		},
		use: func(pid int) (proc.Used, bool) {
			return proc.Used{CPU: 1500 * time.Millisecond, Resident: 1 << 20}, pid == 10
		}})
	complaints, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(complaints) > 0 {
		t.Errorf("%v %v", complaints, err)
	}
	for _, want := range []string{
		`control_info{machine="m1",version="1.0"} 1`,
		`control_cluster_restarts_total{cause="mute"} 1`,
		`control_cluster_failures_total{cause="exited"} 0`,
		`control_clusters{state="serving"} 1`,
		`control_shards{state="waiting_permit"} 1`,
		`control_shards{state="ready"} 5`,
		`control_cluster_cpu_seconds_total{cluster_id="0"} 1.5`,
		`control_cluster_resident_memory_bytes{cluster_id="0"} 1.048576e+06`,
		`control_cluster_gateway_latency_seconds{cluster_id="0"} 0.05`,
		`control_cluster_shards_ready{cluster_id="1"} 1`,
		`control_cluster_assumed{cluster_id="1"} 0`,
		`control_identify_wait_seconds_bucket{le="5"} 4`,
		`control_identify_wait_seconds_bucket{le="15"} 5`,
		`control_identify_wait_seconds_sum 5`,
		`control_identifies_total{cause="start"} 5`,
		`control_events_total{event="cluster.died"} 1`,
		`control_mailbox_messages{actor="gate"} 3`,
		`control_master_link_up 1`,
		`control_admin_streams 2`,
		`control_halted 0`,
		`control_shards_stuck 1`,
		`control_shards_deaf 1`,
		`control_shards_lagging 2`,
		`control_cluster_events_per_second{cluster_id="0"} 2.5`,
		`control_cluster_events_waiting{cluster_id="0"} 12`,
		`control_cluster_events_waiting_seconds{cluster_id="0"} 61.5`,
		`control_cluster_host_guilds_bytes{cluster_id="0"} 5.4e+06`,
		`control_cluster_host_events_bytes{cluster_id="0"} 24000`,
		`control_cluster_host_events_max_bytes{cluster_id="0"} 1.28e+08`,
		`control_alerts_lost_total{by="webhook"} 3`,
		`control_alerts_lost_total{by="hook"} 0`,
		`control_links{link="ipc"} 2`,
		`control_link_frames_total{direction="in",link="ipc"} 5`,
		`control_link_bytes_total{direction="out",link="ipc"} 7`,
		`control_link_refused_total{link="ipc"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("want %s in\n%s", want, text)
		}
	}
	for _, unknown := range []string{"cpu_seconds_total", "events_per_second", "events_waiting", "events_waiting_seconds", "host_guilds_bytes"} {
		if strings.Contains(text, `control_cluster_`+unknown+`{cluster_id="1"}`) {
			t.Errorf("a process of which nothing is known has %s", unknown)
		}
	}
}

// A metric is named control_, a noun and a base unit; _total counts.
func TestMetricNames(t *testing.T) {
	form := regexp.MustCompile(`^control_[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for _, name := range MetricNames() {
		if !form.MatchString(name) || seen[name] || regexp.MustCompile(`_(ms|mb|kib|minutes|percent)(_|$)`).MatchString(name) {
			t.Errorf("%s", name)
		}
		seen[name] = true
	}
	if len(seen) < 15 {
		t.Errorf("%d metrics", len(seen))
	}
}
