package admin

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/discluster/control/messages"
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
		{master, "/metrics", 200, "control_fleet_identify_budget_remaining 600"},
		{master, "/metrics", 200, "control_fleet_identify_budget_reset_timestamp_seconds 1.767326645e+09"},
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

// An order to the fleet is that of its route, with the id it was sent with, and its answer is
// MASTER's verdict.
func TestFleetOrders(t *testing.T) {
	restart := messages.RestartCluster{Cluster: 3, Fresh: true}
	for _, c := range []struct {
		path, body, id string
		verdict        messages.Verdict
		want           messages.FleetDirective // nil: it does not reach MASTER
		status         int
		has            string
	}{
		{"resume", "", "a-1", messages.Verdict{Done: true, After: 7}, messages.ResumeFleet{}, 200, `{"order_id":"a-1","after":7,"done":true}`},
		{"rolling-restart", "{}", "a-2", messages.Verdict{After: 7}, messages.RollingRestart{}, 202, `{"order_id":"a-2","after":7,"done":false}`},
		{"clusters/3/restart", `{"fresh":true}`, "a-3", messages.Verdict{Refusal: messages.RefusedUnknown, Reason: "no linked machine has it"}, restart, 404, `{"code":"unknown","message":"no linked machine has it"}`},
		{"machines/m%2F1/drain", "", "a-4", messages.Verdict{Refusal: messages.RefusedNow, Reason: "alone"}, messages.DrainMachine{Source: "m/1"}, 409, `{"code":"not_now","message":"alone"}`},
		{"machines/m1/undrain", "", "a-5", messages.Verdict{}, messages.UndrainMachine{Source: "m1"}, 202, "a-5"},
		{"machines/m1/forget", "", "", messages.Verdict{}, messages.ForgetMachine{Source: "m1"}, 202, `"order_id":"`},
		{"machines/m1/drain", "", "two words", messages.Verdict{}, nil, 400, "printable ASCII"},
		{"machines/m1/drain", "", strings.Repeat("x", messages.FleetOrderIDMax+1), messages.Verdict{}, nil, 400, "1 to 64"},
		{"machines/m1/drain", `{"when":"now"}`, "a-6", messages.Verdict{}, nil, 400, "bad_body"},
		{"clusters/x/restart", "", "a-7", messages.Verdict{}, nil, 400, "bad_number"},
	} {
		s := &stub{verdict: c.verdict}
		_, at := serveOf(t, Options{}, nil, s)
		headers := []string{asJSON}
		if c.id != "" {
			headers = append(headers, OrderID+": "+c.id)
		}
		status, answer := request(t, at, "POST", "/api/v1/fleet/"+c.path, c.body, headers...)
		if status != c.status || !strings.Contains(answer, c.has) {
			t.Errorf("%s: %d, want %d and %s: %s", c.path, status, c.status, c.has, answer)
		}
		switch {
		case c.want == nil && len(s.fleet) == 0:
		case c.want == nil || len(s.fleet) != 1 || s.fleet[0].Directive != c.want || s.fleet[0].By == "" || s.fleet[0].ID == "" || c.id != "" && s.fleet[0].ID != c.id:
			t.Errorf("%s: MASTER got %+v, want %+v", c.path, s.fleet, c.want)
		}
	}
	_, at := serveOf(t, Options{}, nil, &stub{})
	for _, headers := range [][]string{nil, {asJSON, "Origin: https://elsewhere.example", "Sec-Fetch-Site: cross-site"}} {
		if status, answer := request(t, at, "POST", "/api/v1/fleet/resume", "", headers...); status != 415 && status != 403 {
			t.Errorf("%v: %d %s", headers, status, answer)
		}
	}
}

// The metrics of a fleet, by promtool's own rules.
func TestFleetMetrics(t *testing.T) {
	complaints, err := promlint.New(strings.NewReader(scrape(t, &fleetCollector{aFleet()}))).Lint()
	if err != nil || len(complaints) > 0 {
		t.Errorf("%v %v", complaints, err)
	}
}
