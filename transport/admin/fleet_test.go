package admin

import (
	"strings"
	"testing"
)

// A MASTER alone shows the fleet, and nothing of a machine; a CONTROL without one shows no fleet.
func TestFleet(t *testing.T) {
	control := &stub{view: aView()}
	_, master := serveOf(t, Options{}, nil, control)
	_, machine := serveOf(t, Options{}, control, nil)
	for _, c := range []struct {
		at, path string
		status   int
		has      string
	}{
		{master, "/", 200, "page/fleet.js"},
		{machine, "/", 200, "page/machine.js"},
		{master, "/healthz", 200, "ok"},
		{master, "/readyz", 503, "not every shard is READY"},
		{master, "/api/v1/fleet", 200, `"granted":[[4,7]]`},
		{machine, "/api/v1/fleet", 404, "no_route"},
		{master, "/api/v1/machine", 404, "no_route"},
		{master, "/api/v1/events", 200, `"events":[]`},
		{master, "/api/v1/whereis/4194304", 200, `{"guild":"4194304","shard":1,"shard_count":8,"here":true,"machine":"m1","cluster":0}`},
		{master, "/api/v1/whereis/29360128", 200, `"shard":7,"shard_count":8,"here":true,"machine":"m2","cluster":1}`},
		{master, "/metrics", 200, `control_fleet_machine_linked{machine="m2"} 0`},
		{master, "/metrics", 200, "control_fleet_shards_ready 3"},
		{machine, "/metrics", 200, "control_clusters"},
	} {
		status, answer := request(t, c.at, "GET", c.path, "")
		if status != c.status || !strings.Contains(answer, c.has) {
			t.Errorf("%s: %d, want %d and %s: %.300s", c.path, status, c.status, c.has, answer)
		}
	}
	if _, text := request(t, master, "GET", "/metrics", ""); strings.Contains(text, "control_clusters") {
		t.Error("MASTER has figures of a machine")
	}
	if status, _ := request(t, master, "POST", "/api/v1/rolling-restart", "", asJSON); status != 404 {
		t.Errorf("an order to MASTER: %d", status)
	}
}
