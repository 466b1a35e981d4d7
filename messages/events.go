package messages

// Event is something that happened, for people: its name in log, metric, hook and MASTER is the same, and its JSON fields are the log's.
type Event interface {
	// Event gives the dotted name and how loud it is.
	Event() (name string, level Level)
}

// Level is how loud an event is: LevelDebug transitions, LevelInfo what an operator planned, LevelWarn we healed it, LevelError a person is needed.
type Level int8

const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// Cause is why a cluster's run ended (DESIGN §4).
type Cause string

const (
	CauseExited       Cause = "exited"        // the process ended by itself, or by a signal that CONTROL did not send
	CauseHelloTimeout Cause = "hello_timeout" // no socket, or no right answer to HELLO in time
	CauseMute         Cause = "mute"          // two heartbeats missed
	CauseStartTimeout Cause = "start_timeout" // a shard was not READY in time after its identify
	CauseIPCLost      Cause = "ipc_lost"      // the socket closed and could not be opened again
	CauseStartFailed  Cause = "start_failed"  // the process could not be started, or the bot said that it failed
	CauseShardsLost   Cause = "shards_lost"   // shards stayed down
	CauseFatal        Cause = "fatal"         // a close code that no restart cures
	CauseInternal     Cause = "internal"      // a panic of ours
)

// AlertChannel is a way by which events reach an operator.
type AlertChannel string

const (
	AlertHook    AlertChannel = "hook"    // hooks.exec
	AlertWebhook AlertChannel = "webhook" // hooks.webhook
)

// ClusterState is what a cluster is doing.
type ClusterState string

const (
	ClusterAdopting   ClusterState = "adopting"  // looking for the process of an earlier life of CONTROL
	ClusterUnknown    ClusterState = "unknown"   // whether the process of an earlier life of CONTROL lives is unknown; nothing is started before it is known
	ClusterAwaiting   ClusterState = "awaiting"  // to be started as soon as MASTER says the token
	ClusterReserving  ClusterState = "reserving" // waiting for the buckets of a bot that cannot ask for permits itself
	ClusterSpawning   ClusterState = "spawning"
	ClusterGreeting   ClusterState = "greeting"
	ClusterConnecting ClusterState = "connecting"
	ClusterServing    ClusterState = "serving"
	ClusterDraining   ClusterState = "draining"
	ClusterKilling    ClusterState = "killing"
	ClusterWaiting    ClusterState = "waiting"  // dead, to be restarted
	ClusterStopped    ClusterState = "stopped"  // by order
	ClusterFailed     ClusterState = "failed"   // gave up, or fatal
	ClusterDetached   ClusterState = "detached" // its process serves, but our own code fails on it
	ClusterGone       ClusterState = "gone"     // no longer of this machine
)

// Lifecycle of the link to MASTER.
type (
	// MasterLinked: MASTER accepted us and said what the fleet is.
	MasterLinked struct {
		URL              string   `json:"url"`
		ShardCount       int      `json:"shard_count"`
		MaxConcurrency   int      `json:"max_concurrency"`
		ShardsPerCluster int      `json:"shards_per_cluster"`
		Epoch            int64    `json:"epoch"`
		Features         []string `json:"features"`
		Halted           bool     `json:"halted,omitempty"`
	}
	// MasterLost: an established link ended; what is served goes on.
	MasterLost struct {
		Err       string       `json:"err"`
		CloseCode int          `json:"close_code,omitempty"`
		RetryInMS Milliseconds `json:"retry_in_ms"`
	}
	// MasterUnreachable: no link could be had; said once until it succeeds or the reason changes.
	MasterUnreachable struct {
		URL       string       `json:"url"`
		Err       string       `json:"err"`
		CloseCode int          `json:"close_code,omitempty"`
		RetryInMS Milliseconds `json:"retry_in_ms"`
	}
	// MasterRefusedUs: MASTER closed with 4001, 4002, 4003, 4006 or sent what cannot be obeyed.
	MasterRefusedUs struct {
		CloseCode int    `json:"close_code,omitempty"`
		Err       string `json:"err"`
	}
	// LeaseLost: MASTER was away for longer than it lets this machine serve alone; every cluster is stopped.
	LeaseLost struct {
		LeaseMS Milliseconds `json:"lease_ms"`
	}
	// OrderRefused: an order of MASTER could not be obeyed; nothing was done. Of many within a short time not all are reported: Times counts those since the last event.
	OrderRefused struct {
		Order   string     `json:"order"`
		Cluster *ClusterID `json:"cluster,omitempty"`
		Shards  string     `json:"shards,omitempty"`
		Err     string     `json:"err"`
		Times   int        `json:"times,omitempty"`
	}
	// PacketDropped: a packet of MASTER or of a bot could not be read; counted, and the first of each link is said.
	PacketDropped struct {
		From  string `json:"from"`
		Err   string `json:"err"`
		Times int    `json:"times,omitempty"` // that this stands for, where more than one
	}
	// MasterReported: an error packet of MASTER.
	MasterReported struct {
		Code    int    `json:"code"`
		Message string `json:"err"`
		Times   int    `json:"times,omitempty"` // that this stands for, where more than one
	}
)

// Lifecycle of the machine's ranges and clusters.
type (
	// RangeMoved: a range of this machine is in another state.
	RangeMoved struct {
		Shards string     `json:"shards"`
		State  RangeState `json:"state"`
	}
	// ClusterMoved: a cluster is in another state, or more of its shards are ready.
	ClusterMoved struct {
		Cluster  ClusterID    `json:"cluster"`
		Range    ShardRange   `json:"-"`
		Shards   string       `json:"shards"`
		State    ClusterState `json:"state"`
		PID      int          `json:"pid,omitempty"`
		Ready    int          `json:"shards_ready"`
		Out      int          `json:"shards_out,omitempty"` // thrown out by Discord, or unable to reach it
		Assumed  bool         `json:"assumed,omitempty"`    // that shards are READY: the bot says nothing of them (cluster.ready: after)
		Restarts int          `json:"restarts"`
	}
	// ShardMoved: a shard is in another state.
	ShardMoved struct {
		Cluster   ClusterID    `json:"cluster"`
		Shard     int          `json:"shard"`
		State     ShardState   `json:"state"`
		CloseCode int          `json:"close_code,omitempty"`
		LatencyMS Milliseconds `json:"latency_ms,omitempty"`
	}
	// ClusterReady: every shard of a cluster is READY.
	ClusterReady struct {
		Cluster ClusterID    `json:"cluster"`
		Shards  string       `json:"shards"`
		PID     int          `json:"pid"`
		TookMS  Milliseconds `json:"took_ms"`           // since its process was started
		Assumed bool         `json:"assumed,omitempty"` // nothing says it: enough time has passed (cluster.ready: after)
	}
	// ClusterAdopted: the process of an earlier life of CONTROL is ours again, having served all the while.
	ClusterAdopted struct {
		Cluster ClusterID `json:"cluster"`
		Shards  string    `json:"shards"`
		PID     int       `json:"pid"`
	}
	// ClusterDied: a cluster's run ended unordered; it is restarted.
	ClusterDied struct {
		Cluster   ClusterID    `json:"cluster"`
		Shards    string       `json:"shards"`
		PID       int          `json:"pid,omitempty"`
		Cause     Cause        `json:"cause"`
		Class     string       `json:"class,omitempty"` // whose failure it is: "bot", "host", "discord"; the bot's alone are counted
		Err       string       `json:"err"`
		Exit      string       `json:"exit,omitempty"`
		Attempt   int          `json:"attempt"` // failed starts in a row; 0 after it had served, or where the failure does not count
		RetryInMS Milliseconds `json:"retry_in_ms"`
	}
	// ClusterHeld: this machine cannot start a cluster, for trouble that passes: a program, a folder, room on the disk, files, memory or CPU time is missing. The start is
	// retried, once a minute at least, and costs no restart. Raised once for each trouble, and with On false once it is over. Do what Cure says; nothing else is needed.
	ClusterHeld struct {
		On      bool       `json:"on"`
		Cluster ClusterID  `json:"cluster"`
		Range   ShardRange `json:"-"`
		Shards  string     `json:"shards"`
		Err     string     `json:"err"`
		Cure    string     `json:"cure,omitempty"`
	}
	// ClusterGaveUp: a cluster never properly started in one start and three restarts. Said once; RestartCluster gives a fresh budget.
	ClusterGaveUp struct {
		Cluster   ClusterID  `json:"cluster"`
		Range     ShardRange `json:"-"`
		Shards    string     `json:"shards"`
		Attempts  int        `json:"attempts"`
		Cause     Cause      `json:"cause"`  // of the last attempt
		Causes    []string   `json:"causes"` // of each attempt, in order
		CloseCode int        `json:"close_code,omitempty"`
		WaitedFor string     `json:"waited_for,omitempty"`
		Output    string     `json:"output,omitempty"` // the last of what it wrote
	}
	// ClusterFatal: a close code that no restart cures. Hint is what to change; `control restart` starts the cluster again.
	ClusterFatal struct {
		Cluster   ClusterID  `json:"cluster"`
		Range     ShardRange `json:"-"`
		Shards    string     `json:"shards"`
		CloseCode int        `json:"close_code"`
		Err       string     `json:"err"`
		Hint      string     `json:"hint,omitempty"`
	}
	// ClusterStoppedByOrder: drained and gone, as ordered.
	ClusterStoppedByOrder struct {
		Cluster ClusterID `json:"cluster"`
		Shards  string    `json:"shards"`
	}
	// FleetHalted: Discord refuses the token (4004) or its intents (4013, 4014); nothing identifies with it again until an operator gives another one,
	// or lifts the halt. Hint is what to change first.
	FleetHalted struct {
		CloseCode int    `json:"close_code"`
		Token     string `json:"token_fingerprint"`
		Hint      string `json:"hint,omitempty"`
	}
	// FleetResumed: an operator ended a halt.
	FleetResumed struct {
		CloseCode int    `json:"close_code"`
		Token     string `json:"token_fingerprint"`
	}
	// ClusterIdentifyStorm: a cluster identified too often within 10 minutes: more than twice per shard, or, where it can resume nothing, four times, or one shard six times
	// because Discord ended its session. Its further identifies are held back, for a minute first and twice as long each time, and go on by themselves; its process lives.
	// Look why it identifies; control restart lets it identify at once.
	ClusterIdentifyStorm struct {
		Cluster    ClusterID    `json:"cluster"`
		Shards     string       `json:"shards"`
		Identifies int          `json:"identifies"`
		HeldMS     Milliseconds `json:"held_ms,omitempty"` // until the next one
	}
	// DiscordOutage: more than a fifth of this machine's shards are thrown out and stay so, or (On false) the first one is back.
	DiscordOutage struct {
		On     bool `json:"on"`
		Out    int  `json:"shards_out"`
		Shards int  `json:"shards"`
	}
	// ShardStuck: a shard is not READY for two minutes and waits for no permit that it asked for, while Discord is well. After five minutes its bot is asked to connect it
	// again, after six its cluster is restarted, unless it never served and waits for Discord. Until the shard is READY the machine is not (/readyz).
	ShardStuck struct {
		Cluster ClusterID    `json:"cluster"`
		Shard   int          `json:"shard"`
		State   ShardState   `json:"state"`
		DownMS  Milliseconds `json:"down_ms"`
		Reason  string       `json:"reason"`
	}
	// RollingRestartMoved: a rolling restart started, is done, or was stopped because a cluster did not come up.
	RollingRestartMoved struct {
		State   string     `json:"state"` // "started", "done", "stopped"
		Cluster *ClusterID `json:"cluster,omitempty"`
		Done    int        `json:"done"`
		Left    int        `json:"left"`
		Err     string     `json:"err,omitempty"`
	}
	// OrderGiven: an operator's command was passed on.
	OrderGiven struct {
		Order   string     `json:"order"`
		Cluster *ClusterID `json:"cluster,omitempty"`
		Fresh   bool       `json:"fresh,omitempty"`
		By      string     `json:"by"`
	}
	// AdminUnavailable: the API cannot be had at an address; it is tried again.
	AdminUnavailable struct {
		Listen string `json:"listen"`
		Err    string `json:"err"`
	}
	// AdminRefused: the API turned a request away: a wrong token, too many requests, a foreign origin or host. At most one event a minute; Refused counts all since the last. A
	// program has an old token, or someone guesses: look at what runs at Remote.
	AdminRefused struct {
		Remote  string `json:"remote"` // of the last one
		Status  int    `json:"status"`
		Refused int    `json:"refused"`
		Err     string `json:"err"`
	}
	// Identified: IDENTIFYs were sent with one permit: that of a shard, or those of all shards of a cluster that asks for none.
	Identified struct {
		Cluster    ClusterID     `json:"cluster"`
		Shard      int           `json:"shard"` // the first
		Identifies int           `json:"identifies"`
		Cause      IdentifyCause `json:"cause"`
		WaitedMS   Milliseconds  `json:"waited_ms"` // from the wish to the permit
	}
	// ClusterFlapping: READY and dead within 60 s five times in 10 minutes.
	ClusterFlapping struct {
		Cluster ClusterID `json:"cluster"`
		Shards  string    `json:"shards"`
	}
	// IdentifyUnpaced: a bot does not ask for permits, so that its own identifies after the start cannot be paced.
	IdentifyUnpaced struct {
		Cluster ClusterID `json:"cluster"`
	}
	// ControlBroken: our own code panicked again and again in one actor.
	ControlBroken struct {
		Actor string `json:"actor"`
		Err   string `json:"err"`
	}
	// ControlStalled: this process did not run for a while; every deadline begins again. One event a stall: Actor is the first that noticed.
	ControlStalled struct {
		Actor  string       `json:"actor"`
		LateMS Milliseconds `json:"late_ms"`
	}
	// OperationsRefused: a cluster reads so slowly that what others had for it was refused, so many times since it was said last; their senders were told.
	OperationsRefused struct {
		Cluster ClusterID `json:"cluster"`
		Refused int       `json:"refused"`
		Err     string    `json:"err,omitempty"`
	}
	// StateUnwritable: the state folder takes no file; what it would have held is lost with this process.
	StateUnwritable struct {
		File string `json:"file"`
		Err  string `json:"err"`
	}
	// AlertsLost: alerts did not reach the operator's command or webhook. Correct what Err names; the events themselves are in the log. One in ten minutes is an error,
	// the others are counted only.
	AlertsLost struct {
		By    AlertChannel `json:"by"`
		Lost  int          `json:"lost"` // alerts
		Err   string       `json:"err"`
		Quiet bool         `json:"-"` // the last one was reported less than ten minutes ago
	}
	// LogsMoved: another program removed or renamed the file that a running bot writes its output to. The bot writes on into it, within its limit; `control logs` does not show
	// it. Take the folder out of that program's configuration; a restart of the cluster begins a new file.
	LogsMoved struct {
		Cluster ClusterID `json:"cluster"`
		PID     int       `json:"pid"`
		File    string    `json:"file"` // as the kernel calls it
	}
	// LogsUnkept: the output of bots is not kept within its limits, or not without a loss; said when the reason changes.
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

// Event is loud while the trouble lasts.
func (m ClusterHeld) Event() (string, Level) {
	if m.On {
		return "cluster.held", LevelError
	}
	return "cluster.held", LevelInfo
}

// Event is loud when the restart stopped before its end.
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
func (StateUnwritable) Event() (string, Level)  { return "state.unwritable", LevelError }

// Event is an error, or for the figures alone.
func (m AlertsLost) Event() (string, Level) {
	if m.Quiet {
		return "alerts.lost", LevelDebug
	}
	return "alerts.lost", LevelError
}
func (LogsMoved) Event() (string, Level)         { return "logs.moved", LevelWarn }
func (LogsUnkept) Event() (string, Level)        { return "logs.unkept", LevelWarn }
func (OperationsRefused) Event() (string, Level) { return "operations.refused", LevelWarn }
