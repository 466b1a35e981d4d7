package messages

// Event is something that happened, reported to people. Its name is the same in log, metric, hook
// and MASTER, and its JSON fields are the log's.
type Event interface {
	// Event returns the dotted name and the level.
	Event() (name string, level Level)
}

// Level is the severity of an event: LevelDebug for transitions, LevelInfo for what an operator
// planned, LevelWarn for trouble that CONTROL recovers from, LevelError for trouble that needs a
// person.
type Level int8

const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// Events of the link to MASTER.
type (
	// MasterLinked reports that MASTER accepted this machine and sent the fleet's settings.
	MasterLinked struct {
		URL              string   `json:"url"`
		ShardCount       int      `json:"shard_count"`
		MaxConcurrency   int      `json:"max_concurrency"`
		ShardsPerCluster int      `json:"shards_per_cluster"`
		Epoch            int64    `json:"epoch"`
		Features         []string `json:"features"`
		Halted           bool     `json:"halted,omitempty"`
	}
	// MasterLost reports that an established link ended; clusters keep serving.
	MasterLost struct {
		Err       string       `json:"err"`
		CloseCode int          `json:"close_code,omitempty"`
		RetryInMS Milliseconds `json:"retry_in_ms"`
	}
	// MasterUnreachable reports that no link could be opened: once until one opens or the reason
	// changes.
	MasterUnreachable struct {
		URL       string       `json:"url"`
		Err       string       `json:"err"`
		CloseCode int          `json:"close_code,omitempty"`
		RetryInMS Milliseconds `json:"retry_in_ms"`
	}
	// MasterRefusedUs reports that MASTER closed with 4001, 4002, 4003 or 4006, or sent what cannot
	// be obeyed.
	MasterRefusedUs struct {
		CloseCode int    `json:"close_code,omitempty"`
		Err       string `json:"err"`
	}
	// LeaseLost reports that MASTER was away for longer than it lets this machine serve alone;
	// every cluster is stopped.
	LeaseLost struct {
		LeaseMS Milliseconds `json:"lease_ms"`
	}
	// OrderRefused reports that an order of MASTER could not be obeyed; nothing was done. Of many
	// within a short time not all are reported: Times counts those since the last event.
	OrderRefused struct {
		Order   string     `json:"order"`
		Cluster *ClusterID `json:"cluster,omitempty"`
		Shards  string     `json:"shards,omitempty"`
		Err     string     `json:"err"`
		Times   int        `json:"times,omitempty"`
	}
	// PacketDropped reports that a packet of MASTER or of a bot could not be read. All are counted,
	// the first of each link is reported.
	PacketDropped struct {
		From  string `json:"from"`
		Err   string `json:"err"`
		Times int    `json:"times,omitempty"` // packets that this event covers, where more than one
	}
	// MasterReported carries an error packet of MASTER.
	MasterReported struct {
		Code    int    `json:"code"`
		Message string `json:"err"`
		// packets that this event covers, where more than one
		Times int `json:"times,omitempty"`
	}
)

// Events of the machine's ranges and clusters.
type (
	// RangeMoved reports a range's new state.
	RangeMoved struct {
		Shards string     `json:"shards"`
		State  RangeState `json:"state"`
	}
	// ClusterMoved reports a cluster's new state, or that more of its shards are ready.
	ClusterMoved struct {
		Cluster ClusterID    `json:"cluster"`
		Range   ShardRange   `json:"-"`
		Shards  string       `json:"shards"`
		State   ClusterState `json:"state"`
		PID     int          `json:"pid,omitempty"`
		Ready   int          `json:"shards_ready"`
		// disconnected by Discord, or unable to reach it
		Out int `json:"shards_out,omitempty"`
		// READY is assumed: the bot does not report its shards (cluster.ready: after)
		Assumed bool `json:"assumed,omitempty"`
		// what cluster.ready waits for, until the bot is ready by it
		Waits    string `json:"waits_for,omitempty"`
		Restarts int    `json:"restarts"`
	}
	// ShardMoved reports a shard's new state.
	ShardMoved struct {
		Cluster   ClusterID    `json:"cluster"`
		Shard     int          `json:"shard"`
		State     ShardState   `json:"state"`
		CloseCode int          `json:"close_code,omitempty"`
		LatencyMS Milliseconds `json:"latency_ms,omitempty"`
	}
	// ClusterReady reports that every shard of a cluster is READY.
	ClusterReady struct {
		Cluster ClusterID    `json:"cluster"`
		Shards  string       `json:"shards"`
		PID     int          `json:"pid"`
		TookMS  Milliseconds `json:"took_ms"` // since its process was started
		// READY is assumed: enough time has passed (cluster.ready: after)
		Assumed bool `json:"assumed,omitempty"`
	}
	// ClusterAdopted reports that the process of an earlier run of CONTROL, which kept serving, is
	// supervised again.
	ClusterAdopted struct {
		Cluster ClusterID `json:"cluster"`
		Shards  string    `json:"shards"`
		PID     int       `json:"pid"`
	}
	// ClusterDied reports that a cluster's run ended without an order; it is restarted.
	ClusterDied struct {
		Cluster ClusterID `json:"cluster"`
		Shards  string    `json:"shards"`
		PID     int       `json:"pid,omitempty"`
		Cause   Cause     `json:"cause"`
		// the failure's class: "bot", "host", "discord"; only the bot's are counted
		Class string `json:"class,omitempty"`
		Err   string `json:"err"`
		Exit  string `json:"exit,omitempty"`
		// failed starts in a row; 0 after it had served, or where the failure does not count
		Attempt   int          `json:"attempt"`
		RetryInMS Milliseconds `json:"retry_in_ms"`
	}
	// ClusterHeld reports that this machine cannot start a cluster, for trouble that passes: a
	// program, a folder, room on the disk, files, memory or CPU time is missing. The start is
	// retried, once a minute at least, and costs no restart. Raised once for each trouble, and with
	// On false once it is over. Cure is what to do; nothing else is needed.
	ClusterHeld struct {
		On      bool       `json:"on"`
		Cluster ClusterID  `json:"cluster"`
		Range   ShardRange `json:"-"`
		Shards  string     `json:"shards"`
		Err     string     `json:"err"`
		Cure    string     `json:"cure,omitempty"`
	}
	// ClusterGaveUp reports, once, that one start and three restarts of a cluster failed.
	// RestartCluster gives it a fresh budget.
	ClusterGaveUp struct {
		Cluster   ClusterID  `json:"cluster"`
		Range     ShardRange `json:"-"`
		Shards    string     `json:"shards"`
		Attempts  int        `json:"attempts"`
		Cause     Cause      `json:"cause"`  // of the last attempt
		Causes    []string   `json:"causes"` // of each attempt, in order
		CloseCode int        `json:"close_code,omitempty"`
		WaitedFor string     `json:"waited_for,omitempty"`
		Output    string     `json:"output,omitempty"` // the end of what it wrote
	}
	// ClusterFatal reports a close code that no restart cures. Hint is what to change; `control
	// restart` starts the cluster again.
	ClusterFatal struct {
		Cluster   ClusterID  `json:"cluster"`
		Range     ShardRange `json:"-"`
		Shards    string     `json:"shards"`
		CloseCode int        `json:"close_code"`
		Err       string     `json:"err"`
		Hint      string     `json:"hint,omitempty"`
	}
	// ClusterStoppedByOrder reports that a cluster was drained and ended, as ordered.
	ClusterStoppedByOrder struct {
		Cluster ClusterID `json:"cluster"`
		Shards  string    `json:"shards"`
	}
	// FleetHalted reports that Discord refuses the token (4004) or its intents (4013, 4014).
	// Nothing identifies with it again until an operator sets another one or lifts the halt. Hint
	// is what to change first.
	FleetHalted struct {
		CloseCode int    `json:"close_code"`
		Token     string `json:"token_fingerprint"`
		Hint      string `json:"hint,omitempty"`
	}
	// FleetResumed reports that an operator ended a halt.
	FleetResumed struct {
		CloseCode int    `json:"close_code"`
		Token     string `json:"token_fingerprint"`
	}
	// ClusterIdentifyStorm reports that a cluster identified too often within 10 minutes: more than
	// twice per shard, or four times where it can resume nothing, or one shard six times because
	// Discord ended its session. Its further identifies are held back, for a minute first and twice
	// as long each time, and go on by themselves; its process lives. Find out why it identifies;
	// `control restart` lets it identify at once.
	ClusterIdentifyStorm struct {
		Cluster    ClusterID    `json:"cluster"`
		Shards     string       `json:"shards"`
		Identifies int          `json:"identifies"`
		HeldMS     Milliseconds `json:"held_ms,omitempty"` // until the next one
	}
	// DiscordOutage reports that more than a fifth of this machine's shards are disconnected and
	// stay so, or (On false) that the first one is back.
	DiscordOutage struct {
		On     bool `json:"on"`
		Out    int  `json:"shards_out"`
		Shards int  `json:"shards"`
	}
	// ShardStuck reports that a shard was not READY for two minutes and waits for no permit, while
	// Discord is well. After five minutes its bot is asked to reconnect it, after six its cluster
	// is restarted, unless it never served and waits for Discord. Until the shard is READY the
	// machine is not (/readyz).
	ShardStuck struct {
		Cluster ClusterID    `json:"cluster"`
		Shard   int          `json:"shard"`
		State   ShardState   `json:"state"`
		DownMS  Milliseconds `json:"down_ms"`
		Reason  string       `json:"reason"`
	}
	// RollingRestartMoved reports that a rolling restart started, is done, or was stopped because a
	// cluster did not come up.
	RollingRestartMoved struct {
		State   string     `json:"state"` // "started", "done", "stopped"
		Cluster *ClusterID `json:"cluster,omitempty"`
		Done    int        `json:"done"`
		Left    int        `json:"left"`
		Err     string     `json:"err,omitempty"`
	}
	// OrderGiven reports that an operator's command was passed on.
	OrderGiven struct {
		Order   string     `json:"order"`
		Cluster *ClusterID `json:"cluster,omitempty"`
		Fresh   bool       `json:"fresh,omitempty"`
		By      string     `json:"by"`
	}
	// AdminUnavailable reports that the API cannot listen at an address; it retries.
	AdminUnavailable struct {
		Listen string `json:"listen"`
		Err    string `json:"err"`
	}
	// AdminRefused reports that the API refused a request: a wrong token, too many requests, a
	// foreign origin or host. At most one event a minute; Refused counts all since the last. Either
	// a program has an old token or a person guesses: look at what runs at Remote.
	AdminRefused struct {
		Remote  string `json:"remote"` // of the last one
		Status  int    `json:"status"`
		Refused int    `json:"refused"`
		Err     string `json:"err"`
	}
	// Identified reports that IDENTIFYs were sent with one permit: that of a shard, or those of all
	// shards of a cluster that asks for none.
	Identified struct {
		Cluster    ClusterID     `json:"cluster"`
		Shard      int           `json:"shard"` // the first
		Identifies int           `json:"identifies"`
		Cause      IdentifyCause `json:"cause"`
		WaitedMS   Milliseconds  `json:"waited_ms"` // from the request to the permit
	}
	// ClusterFlapping reports that a cluster was READY and dead within 60 s five times in 10
	// minutes.
	ClusterFlapping struct {
		Cluster ClusterID `json:"cluster"`
		Shards  string    `json:"shards"`
	}
	// IdentifyUnpaced reports that a bot of protocol sdk does not ask for permits, so that nothing
	// paces its identifies.
	IdentifyUnpaced struct {
		Cluster ClusterID `json:"cluster"`
	}
	// ControlBroken reports that CONTROL's own code panicked in an actor; in a cluster's, ten times in
	// a minute.
	ControlBroken struct {
		Actor string `json:"actor"`
		Err   string `json:"err"`
	}
	// ControlStalled reports that this process did not run for a while; every deadline starts
	// again. One event a stall: Actor is the first that noticed.
	ControlStalled struct {
		Actor  string       `json:"actor"`
		LateMS Milliseconds `json:"late_ms"`
	}
	// OperationsRefused reports that a cluster reads so slowly that operations for it were refused:
	// Refused of them since the last report. Each sender got an error.
	OperationsRefused struct {
		Cluster ClusterID `json:"cluster"`
		Refused int       `json:"refused"`
		Err     string    `json:"err,omitempty"`
	}
	// StateUnwritable reports that files of the state folder cannot be written: Files of them, File
	// the last; their content is lost with this process. Raised once, every ten minutes while it
	// lasts, and with On false once every file is written.
	StateUnwritable struct {
		On    bool   `json:"on"`
		File  string `json:"file"`
		Files int    `json:"files,omitempty"`
		Err   string `json:"err,omitempty"`
	}
	// AlertsLost reports that alerts did not reach the operator's command or webhook. Correct what
	// Err names; the events themselves are in the log. One in ten minutes is an error, the others
	// are counted only.
	AlertsLost struct {
		By    AlertChannel `json:"by"`
		Lost  int          `json:"lost"` // alerts
		Err   string       `json:"err"`
		Quiet bool         `json:"-"` // the last one was reported less than ten minutes ago
	}
	// LogsMoved reports that another program removed or renamed the file that a running bot writes
	// its output to. The bot keeps writing into it, within its limit; `control logs` does not show
	// it. Take the folder out of that program's configuration; a restart of the cluster begins a
	// new file.
	LogsMoved struct {
		Cluster ClusterID `json:"cluster"`
		PID     int       `json:"pid"`
		File    string    `json:"file"` // as the kernel names it
	}
	// LogsUnkept reports that the output of bots is not kept within its limits, or not without a
	// loss: once for each reason.
	LogsUnkept struct {
		Err string `json:"err"`
	}
)

func (MasterLinked) Event() (string, Level)          { return "master.linked", LevelInfo }
func (MasterLost) Event() (string, Level)            { return "master.lost", LevelWarn }
func (MasterUnreachable) Event() (string, Level)     { return "master.unreachable", LevelWarn }
func (MasterRefusedUs) Event() (string, Level)       { return "master.refused", LevelError }
func (LeaseLost) Event() (string, Level)             { return "lease.lost", LevelError }
func (OrderRefused) Event() (string, Level)          { return "order.refused", LevelError }
func (PacketDropped) Event() (string, Level)         { return "packet.dropped", LevelWarn }
func (MasterReported) Event() (string, Level)        { return "master.error", LevelWarn }
func (RangeMoved) Event() (string, Level)            { return "range.moved", LevelInfo }
func (ClusterMoved) Event() (string, Level)          { return "cluster.moved", LevelDebug }
func (ShardMoved) Event() (string, Level)            { return "shard.moved", LevelDebug }
func (ClusterReady) Event() (string, Level)          { return "cluster.ready", LevelInfo }
func (ClusterAdopted) Event() (string, Level)        { return "cluster.adopted", LevelInfo }
func (ClusterDied) Event() (string, Level)           { return "cluster.died", LevelWarn }
func (ClusterGaveUp) Event() (string, Level)         { return "cluster.gave_up", LevelError }
func (ClusterFatal) Event() (string, Level)          { return "cluster.fatal", LevelError }
func (ClusterStoppedByOrder) Event() (string, Level) { return "cluster.stopped", LevelInfo }
func (FleetHalted) Event() (string, Level)           { return "fleet.halted", LevelError }
func (FleetResumed) Event() (string, Level)          { return "fleet.resumed", LevelInfo }
func (ClusterIdentifyStorm) Event() (string, Level)  { return "cluster.identify_storm", LevelError }
func (DiscordOutage) Event() (string, Level)         { return "discord.outage", LevelError }
func (ShardStuck) Event() (string, Level)            { return "shard.stuck", LevelWarn }

// Event returns an error while the trouble lasts, then information.
func (m ClusterHeld) Event() (string, Level) {
	if m.On {
		return "cluster.held", LevelError
	}
	return "cluster.held", LevelInfo
}

// Event returns an error when the restart stopped before its end.
func (m RollingRestartMoved) Event() (string, Level) {
	if m.State == "stopped" {
		return "rolling_restart.moved", LevelError
	}
	return "rolling_restart.moved", LevelInfo
}
func (OrderGiven) Event() (string, Level)       { return "order.given", LevelInfo }
func (AdminUnavailable) Event() (string, Level) { return "admin.unavailable", LevelWarn }
func (AdminRefused) Event() (string, Level)     { return "admin.refused", LevelWarn }
func (Identified) Event() (string, Level)       { return "identify.sent", LevelDebug }
func (ClusterFlapping) Event() (string, Level)  { return "cluster.flapping", LevelError }
func (IdentifyUnpaced) Event() (string, Level)  { return "identify.unpaced", LevelWarn }
func (ControlBroken) Event() (string, Level)    { return "control.broken", LevelError }
func (ControlStalled) Event() (string, Level)   { return "control.stalled", LevelWarn }

// Event returns an error while the trouble lasts, then information.
func (m StateUnwritable) Event() (string, Level) {
	if m.On {
		return "state.unwritable", LevelError
	}
	return "state.unwritable", LevelInfo
}

// Event returns an error; the debug level only counts.
func (m AlertsLost) Event() (string, Level) {
	if m.Quiet {
		return "alerts.lost", LevelDebug
	}
	return "alerts.lost", LevelError
}
func (LogsMoved) Event() (string, Level)         { return "logs.moved", LevelWarn }
func (LogsUnkept) Event() (string, Level)        { return "logs.unkept", LevelWarn }
func (OperationsRefused) Event() (string, Level) { return "operations.refused", LevelWarn }
