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
)

func (BotDied) Event() (string, Level)   { return "bot.died", LevelWarn }
func (BotSilent) Event() (string, Level) { return "bot.silent", LevelError }
