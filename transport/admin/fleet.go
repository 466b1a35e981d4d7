package admin

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/discluster/control/messages"
)

// wholeFleet is GET /api/v1/fleet.
func (s *Server) wholeFleet(w http.ResponseWriter, r *http.Request) {
	v, err := s.lookAtFleet(r.Context())
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, http.StatusOK, v)
}

// Metrics of MASTER. machine is bounded by MASTER itself.
var (
	fleetShards   = metric("fleet_shards", "Shards of the whole bot.")
	fleetReady    = metric("fleet_shards_ready", "Shards that are READY, on the machines that are linked.")
	fleetHalted   = metric("fleet_halted", "1 when Discord refuses the token or its intents, and nothing identifies.")
	machineLinked = metric("fleet_machine_linked", "1 with a link to the machine.", "machine")
	machineReady  = metric("fleet_machine_shards_ready", "Shards of a machine that are READY, as it said last.", "machine")
	machineShards = metric("fleet_machine_shards", "Shards that a machine is to serve.", "machine")
)

// fleetCollector is one scrape of MASTER.
type fleetCollector struct{ view messages.FleetView }

// Describe is part of prometheus.Collector.
func (c *fleetCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{fleetShards, fleetReady, fleetHalted, machineLinked, machineReady, machineShards} {
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
