package messages

// Session is what a shard needs to RESUME in another process (Discord docs, Gateway: Resuming;
// PROTOCOL B1 op 11).
type Session struct {
	Shard            int        `json:"shard"`
	ShardCount       int        `json:"shard_count"` // a session of another count is not offered
	SessionID        string     `json:"session_id"`
	Seq              int64      `json:"seq"`                // of the last event whose handler returned
	ResumeGatewayURL string     `json:"resume_gateway_url"` // resumes must go there
	At               UnixMillis `json:"at"`                 // when seq was last known true
	Intents          int64      `json:"intents,omitempty"`  // declared with IDENTIFY; other intents need a new session
	UserID           string     `json:"user_id,omitempty"`  // from READY, so that a bot may refill its cache
	ApplicationID    string     `json:"application_id,omitempty"`
	Guilds           []string   `json:"guilds,omitempty"`
}
