package admin

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/discluster/control/messages"
)

// wholeFleet is GET /api/v1/fleet.
func (s *Server) wholeFleet(w http.ResponseWriter, r *http.Request) {
	v, err := s.fleetView(r.Context())
	if err != nil {
		failed(w, err)
		return
	}
	show(w, r, v, v.At)
}

// Metrics of MASTER. MASTER limits the values of machine.
var (
	fleetShards   = metric("fleet_shards", "Shards of the whole bot.")
	fleetReady    = metric("fleet_shards_ready", "Shards that are READY, on linked machines.")
	fleetHalted   = metric("fleet_halted", "1 when Discord refuses the token or its intents, and nothing identifies.")
	fleetLeft     = metric("fleet_identify_budget_remaining", "Remaining identifies, by MASTER's count; absent when unknown.")
	fleetLimit    = metric("fleet_identify_budget_limit", "Identifies that Discord allows in 24 hours.")
	fleetReserve  = metric("fleet_identify_budget_reserve", "Identifies kept for a start: shards that crashed and cannot resume get none of them.")
	fleetReset    = metric("fleet_identify_budget_reset_timestamp_seconds", "When the budget of identifies is full again.")
	machineLinked = metric("fleet_machine_linked", "1 with a link to the machine.", "machine")
	machineReady  = metric("fleet_machine_shards_ready", "Shards of a machine that are READY, by its last report.", "machine")
	machineShards = metric("fleet_machine_shards", "Shards that are assigned to a machine.", "machine")
)

// fleetCollector collects one scrape of MASTER.
type fleetCollector struct{ view messages.FleetView }

// Describe is part of prometheus.Collector.
func (c *fleetCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{fleetShards, fleetReady, fleetHalted, fleetLeft, fleetLimit, fleetReserve, fleetReset, machineLinked, machineReady, machineShards} {
		to <- d
	}
}

// Collect is part of prometheus.Collector.
func (c *fleetCollector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(fleetShards, float64(c.view.ShardCount))
	gauge(fleetReady, float64(c.view.ShardsReady))
	gauge(fleetHalted, one(c.view.Halted))
	if b := c.view.Budget; b != nil {
		gauge(fleetLeft, float64(b.Remaining))
		gauge(fleetLimit, float64(b.Total))
		gauge(fleetReserve, float64(b.Reserve))
		gauge(fleetReset, float64(b.ResetAt.Unix()))
	}
	for _, m := range c.view.Machines {
		shards := 0
		for _, r := range m.Granted {
			shards += r.Len()
		}
		gauge(machineLinked, one(m.Linked), m.Source)
		gauge(machineReady, float64(m.ShardsReady), m.Source)
		gauge(machineShards, float64(shards), m.Source)
	}
}
