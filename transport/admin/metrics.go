package admin

import (
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// ownRegistry returns the metrics of this process itself: process_*, go_*, and the lost lines of
// its log.
func ownRegistry(logsLost func() uint64) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector())
	if logsLost != nil {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: logLinesLost, Help: "Lines of CONTROL's own log that were lost because its reader was too slow."},
			func() float64 { return float64(logsLost()) }))
	}
	return r
}

// logLinesLost is the name of a metric of the process, whether it is a CONTROL or a MASTER.
const logLinesLost = "control_log_lines_lost_total"

// metrics are computed from the views at each request: nothing is kept here.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	seen := prometheus.NewRegistry()
	if s.control != nil {
		v, err := s.machineView(r.Context())
		if err != nil {
			failed(w, err)
			return
		}
		seen.MustRegister(&collector{view: v, streams: s.streams.open(), mailboxes: s.options.Mailboxes, links: s.options.Links, use: proc.Usage})
	}
	if s.fleet != nil {
		v, err := s.fleetView(r.Context())
		if err != nil {
			failed(w, err)
			return
		}
		seen.MustRegister(&fleetCollector{v})
	}
	promhttp.HandlerFor(prometheus.Gatherers{seen, s.own()}, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(w, r)
}

// metric describes a metric of CONTROL: named control_, a noun and a base unit (_total counts), its
// labels from closed sets, except cluster_id, of which there are as many as processes.
func metric(name, help string, labels ...string) *prometheus.Desc {
	metricNames = append(metricNames, "control_"+name)
	return prometheus.NewDesc("control_"+name, help, labels, nil)
}

// metricNames are the names of every metric of CONTROL.
var metricNames = []string{logLinesLost}

var (
	info         = metric("info", "1; labels describe this CONTROL.", "version", "machine")
	started      = metric("start_time_seconds", "When this CONTROL was started.")
	linkUp       = metric("master_link_up", "1 with a link to MASTER.")
	clusterCount = metric("clusters", "Clusters of this machine by state.", "state")
	shardCount   = metric("shards", "Shards of this machine by state.", "state")
	stuckCount   = metric("shards_stuck", "Shards of this machine that make no progress (shard.stuck).")
	deafCount    = metric("shards_deaf", "Shards of this machine that get no events while others do (shard.deaf).")
	lagCount     = metric("shards_lagging", "Shards of this machine whose events wait too long for the bot (shard.lagging).")
	failures     = metric("cluster_failures_total", "Ends of clusters without an order, by cause.", "cause")
	restarts     = metric("cluster_restarts_total", "Ends of clusters after which they were started again, by cause.", "cause")
	eventCount   = metric("events_total", "Events by name.", "event")
	identifies   = metric("identifies_total", "IDENTIFYs that were sent, by cause.", "cause")
	waits        = metric("identify_wait_seconds", "How long shards waited for their permit to identify.")
	alertsLost   = metric("alerts_lost_total", "Alerts that did not reach the operator's command or webhook.", "by")
	outage       = metric("discord_outage", "1 while more than a fifth of the shards are disconnected and stay so.")
	halted       = metric("halted", "1 when Discord refuses the token or its intents, and nothing identifies.")
	cpu          = metric("cluster_cpu_seconds_total", "Processor time of a cluster's process.", "cluster_id")
	resident     = metric("cluster_resident_memory_bytes", "Resident memory of a cluster's process.", "cluster_id")
	ready        = metric("cluster_shards_ready", "Shards of a cluster that are READY.", "cluster_id")
	assumed      = metric("cluster_assumed", "1 while READY is assumed for a cluster's shards, by the time that passed (cluster.ready: after).", "cluster_id")
	latency      = metric("cluster_gateway_latency_seconds", "Latency of the gateway, the mean of a cluster's shards that report it.", "cluster_id")
	eventRate    = metric("cluster_events_per_second", "Events from Discord in a second, of a cluster's shards that report them.", "cluster_id")
	waiting      = metric("cluster_events_waiting", "Events that the bot of a cluster has not acknowledged, where its gateway host reports them.", "cluster_id")
	lag          = metric("cluster_events_waiting_seconds", "Age of the oldest event that the bot of a cluster has not acknowledged.", "cluster_id")
	hostGuilds   = metric("cluster_host_guilds_bytes", "Memory for the guilds of a cluster in its gateway host.", "cluster_id")
	hostEvents   = metric("cluster_host_events_bytes", "Memory for the events of a cluster in its gateway host that its bot has not acknowledged.", "cluster_id")
	hostMax      = metric("cluster_host_events_max_bytes", "Memory that those events may take; beyond it the oldest are dropped.", "cluster_id")
	mailbox      = metric("mailbox_messages", "Messages that wait for an actor.", "actor")
	linkOpen     = metric("links", "Links that are open: ipc to clusters, master to MASTER.", "link")
	linkFrames   = metric("link_frames_total", "Frames over links.", "link", "direction")
	linkBytes    = metric("link_bytes_total", "Bytes of frames over links.", "link", "direction")
	linkRefused  = metric("link_refused_total", "Frames that a link refused: too large, a peer that does not read, or a closed link.", "link")
	streamCount  = metric("admin_streams", "Streams of events that are open.")
)

// ofMachines is every metric of a machine.
var ofMachines = []*prometheus.Desc{
	info, started, linkUp, clusterCount, shardCount, stuckCount, deafCount, lagCount, failures, restarts, eventCount, identifies, waits, alertsLost, outage, halted, cpu, resident, ready, assumed, latency, eventRate, waiting, lag, hostGuilds, hostEvents, hostMax, mailbox,
	linkOpen, linkFrames, linkBytes, linkRefused, streamCount,
}

// MetricNames returns the names of all metrics of CONTROL; a histogram's name is exposed with three
// endings.
func MetricNames() []string { return slices.Clone(metricNames) }

// collector collects one scrape of a machine.
type collector struct {
	view      messages.View
	streams   int
	mailboxes func() map[string]int
	links     func() map[string]Traffic
	use       func(pid int) (proc.Used, bool)
}

// Describe is part of prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range ofMachines {
		to <- d
	}
}

// Closed sets of labels, so that every series exists from the start: the first failure of a kind is
// then an increase.
var (
	causes = []messages.Cause{messages.CauseExited, messages.CauseHelloTimeout, messages.CauseMute, messages.CauseStartTimeout, messages.CauseIPCLost,
		messages.CauseStartFailed, messages.CauseShardsLost, messages.CauseFatal, messages.CauseInternal}
	identifyCauses = []messages.IdentifyCause{messages.CauseStart, messages.CauseCrash, messages.CauseReidentify, messages.CauseOperator}
	alertChannels  = []messages.AlertChannel{messages.AlertHook, messages.AlertWebhook}
	clusterStates  = []messages.ClusterState{messages.ClusterAdopting, messages.ClusterUnknown, messages.ClusterAwaiting, messages.ClusterReserving, messages.ClusterSpawning, messages.ClusterGreeting,
		messages.ClusterConnecting, messages.ClusterServing, messages.ClusterDraining, messages.ClusterKilling, messages.ClusterWaiting, messages.ClusterStopped,
		messages.ClusterFailed, messages.ClusterDetached}
	shardStates = []messages.ShardState{messages.ShardIdle, messages.ShardWaitingPermit, messages.ShardConnecting, messages.ShardIdentifying, messages.ShardResuming,
		messages.ShardReady, messages.ShardDisconnected, messages.ShardFailed}
)

// Collect is part of prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		put(d, prometheus.GaugeValue, value, labels...)
	}
	count := func(d *prometheus.Desc, n int, labels ...string) {
		put(d, prometheus.CounterValue, float64(n), labels...)
	}

	m, n := c.view.Machine, c.view.Counters
	gauge(info, 1, m.Version, m.Source)
	gauge(started, float64(m.Started.UnixMilli())/1000)
	gauge(linkUp, one(m.Master.Up))
	gauge(outage, one(m.Outage))
	gauge(halted, one(m.Halted))
	gauge(streamCount, float64(c.streams))
	for _, cause := range causes {
		count(failures, n.Failures[cause], string(cause))
		count(restarts, n.Restarts[cause], string(cause))
	}
	for _, cause := range identifyCauses {
		count(identifies, n.Identifies[cause], string(cause))
	}
	for _, by := range alertChannels {
		count(alertsLost, n.AlertsLost[by], string(by))
	}
	for name, times := range n.Events {
		count(eventCount, times, name)
	}
	to <- prometheus.MustNewConstHistogram(waits, uint64(n.WaitCount), n.WaitSum.Seconds(), waitBuckets(n.Waits))
	if c.mailboxes != nil {
		for name, depth := range c.mailboxes() {
			gauge(mailbox, float64(depth), name)
		}
	}
	if c.links != nil {
		for kind, t := range c.links() {
			gauge(linkOpen, float64(t.Open), kind)
			count(linkFrames, int(t.FramesIn), kind, "in")
			count(linkFrames, int(t.FramesOut), kind, "out")
			count(linkBytes, int(t.BytesIn), kind, "in")
			count(linkBytes, int(t.BytesOut), kind, "out")
			count(linkRefused, int(t.Refused), kind)
		}
	}
	c.clusters(gauge, put)
}

// clusters collects the metrics of each cluster, and counts their states.
func (c *collector) clusters(gauge func(*prometheus.Desc, float64, ...string), put func(*prometheus.Desc, prometheus.ValueType, float64, ...string)) {
	stuck, deaf, lagging := 0, 0, 0
	doing, shards := map[messages.ClusterState]int{}, map[messages.ShardState]int{}
	for _, view := range c.view.Clusters {
		doing[view.State]++
		stuck += view.ShardsStuck
		deaf += len(view.Deaf)
		lagging += len(view.Lagging)
		for i := range len(view.States) {
			shards[messages.ShardStateOf(view.States[i])]++
		}
		id := view.Cluster.String()
		gauge(ready, float64(view.ShardsReady), id)
		gauge(assumed, one(view.Assumed), id)
		if mean, known := meanLatency(view.LatencyMS); known {
			gauge(latency, mean, id)
		}
		if n, known := sumKnown(view.Events); known {
			gauge(eventRate, n, id)
		}
		if n, known := sumKnown(view.Waiting); known {
			gauge(waiting, float64(n), id)
			gauge(lag, slices.Max(view.WaitingMS).Duration().Seconds(), id)
		}
		if m := view.Host; m != nil {
			gauge(hostGuilds, float64(m.GuildsBytes), id)
			gauge(hostEvents, float64(m.EventsBytes), id)
			gauge(hostMax, float64(m.EventsMax), id)
		}
		if used, known := c.use(view.PID); known {
			put(cpu, prometheus.CounterValue, used.CPU.Seconds(), id)
			gauge(resident, float64(used.Resident), id)
		}
	}
	gauge(stuckCount, float64(stuck))
	gauge(deafCount, float64(deaf))
	gauge(lagCount, float64(lagging))
	for _, state := range clusterStates {
		gauge(clusterCount, float64(doing[state]), string(state))
	}
	for _, state := range shardStates {
		gauge(shardCount, float64(shards[state]), string(state))
	}
}

// waitBuckets returns counts in a histogram's form: each includes all below it.
func waitBuckets(counts []int) map[float64]uint64 {
	buckets, sum := map[float64]uint64{}, 0
	for i, n := range counts {
		sum += n
		buckets[messages.WaitBounds[i]] = uint64(sum)
	}
	return buckets
}

// meanLatency returns the mean of the known latencies, in seconds.
func meanLatency(all []messages.Milliseconds) (mean float64, known bool) {
	sum, n := messages.Milliseconds(0), 0
	for _, l := range all {
		if l > 0 {
			sum += l
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	return sum.Duration().Seconds() / float64(n), true
}

// sumKnown returns the sum of the known figures, which are not negative.
func sumKnown[N int | float64](all []N) (sum N, known bool) {
	for _, n := range all {
		if n >= 0 {
			sum, known = sum+n, true
		}
	}
	return sum, known
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
