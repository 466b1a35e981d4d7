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
	// that they do not any more.
	ShardLagging struct {
		Cluster   ClusterID    `json:"cluster"`
		Shard     int          `json:"shard"`
		On        bool         `json:"on"`
		Waiting   int          `json:"waiting"`    // events
		WaitingMS Milliseconds `json:"waiting_ms"` // age of the oldest
	}
)

func (BotDied) Event() (string, Level)   { return "bot.died", LevelWarn }
func (BotSilent) Event() (string, Level) { return "bot.silent", LevelError }

// Event returns a problem, or its end.
func (m ShardDeaf) Event() (string, Level) { return "shard.deaf", whileOn(m.On) }

// Event returns a problem, or its end.
func (m ShardLagging) Event() (string, Level) { return "shard.lagging", whileOn(m.On) }

func whileOn(on bool) Level {
	if on {
		return LevelWarn
	}
	return LevelInfo
}
