package messages

// Events of bots that CONTROL does not speak with itself.
type (
	// BotDied reports a death of the bot behind a gateway host, which starts it again. The host and
	// the cluster's sessions live on.
	BotDied struct {
		Cluster   ClusterID    `json:"cluster"`
		Shards    string       `json:"shards"`
		Err       string       `json:"err"`
		Output    string       `json:"output,omitempty"` // the end of what it wrote
		RetryInMS Milliseconds `json:"retry_in_ms"`
	}
	// BotSilent reports, once a run, that a process lives but does not speak what cluster.protocol
	// expects. It is left running, since it may serve. Cure is what to do.
	BotSilent struct {
		Cluster ClusterID `json:"cluster"`
		Shards  string    `json:"shards"`
		PID     int       `json:"pid"`
		Err     string    `json:"err"`
		Cure    string    `json:"cure"`
	}
	// ShardDeaf reports that a READY shard behind a gateway host gets no events for far longer than
	// its habit, while other shards of the process do, or (On false) that it gets some again.
	ShardDeaf struct {
		Cluster  ClusterID    `json:"cluster"`
		Shard    int          `json:"shard"`
		On       bool         `json:"on"`
		SilentMS Milliseconds `json:"silent_ms,omitempty"` // since its last event
	}
	// ShardLagging reports that events wait too long for the bot to acknowledge them, or (On false)
	// that they no longer do.
	ShardLagging struct {
		Cluster   ClusterID    `json:"cluster"`
		Shard     int          `json:"shard"`
		On        bool         `json:"on"`
		Waiting   int          `json:"waiting"`    // events
		WaitingMS Milliseconds `json:"waiting_ms"` // age of the oldest
	}
	// GatewayTrouble reports what goes wrong between a gateway host and its bot, or (Over) that
	// this trouble is over; each kind is an event of its own. When many come within a short time not
	// all are reported: Times counts those since the last event.
	GatewayTrouble struct {
		Kind      TroubleKind `json:"-"`
		Cluster   ClusterID   `json:"cluster"`
		Shard     *int        `json:"shard,omitempty"`
		Events    int         `json:"events,omitempty"` // that the bot will never get
		CloseCode int         `json:"close_code,omitempty"`
		Err       string      `json:"err,omitempty"`
		Cure      string      `json:"cure,omitempty"`
		Over      bool        `json:"over,omitempty"`
		Times     int         `json:"times,omitempty"`
	}
)

func (BotDied) Event() (string, Level)   { return "bot.died", LevelWarn }
func (BotSilent) Event() (string, Level) { return "bot.silent", LevelError }

// Event returns a problem, or its end.
func (m ShardDeaf) Event() (string, Level) { return "shard.deaf", whileOn(m.On) }

// Event returns a problem, or its end.
func (m ShardLagging) Event() (string, Level) { return "shard.lagging", whileOn(m.On) }

// troubles are the events of a GatewayTrouble. A loss needs a person, and what CONTROL repairs or
// the bot's library retries does not.
var troubles = map[TroubleKind]struct {
	name  string
	level Level
}{
	TroubleDropped: {"gateway.events_dropped", LevelError},
	TroubleSkipped: {"gateway.event_skipped", LevelError},
	TroubleRefused: {"gateway.bot_refused", LevelWarn},
	TroubleMemory:  {"gateway.memory_exceeded", LevelError},
	TroubleUnkept:  {"gateway.unkept", LevelError},
	TroubleTorn:    {"gateway.torn", LevelWarn},
	TroubleDoubt:   {"gateway.bot_unknown", LevelError},
	TroublePast:    {"gateway.bypassed", LevelError},
}

// Event returns a problem, or its end.
func (m GatewayTrouble) Event() (string, Level) {
	t := troubles[m.Kind]
	if m.Over {
		t.level = LevelInfo
	}
	return t.name, t.level
}

// Known reports whether there is an event of this kind.
func (k TroubleKind) Known() bool { return troubles[k].name != "" }

func whileOn(on bool) Level {
	if on {
		return LevelWarn
	}
	return LevelInfo
}
