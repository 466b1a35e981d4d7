package messages

import "time"

// Session holds all that a shard needs to RESUME in another process (Discord docs, Gateway:
// Resuming; PROTOCOL B1 op 11).
type Session struct {
	Shard      int    `json:"shard"`
	ShardCount int    `json:"shard_count"` // a session of another count is not offered
	SessionID  string `json:"session_id"`
	// of the last event whose handler returned
	Seq              int64      `json:"seq"`
	ResumeGatewayURL string     `json:"resume_gateway_url"` // resumes must go there
	At               UnixMillis `json:"at"`                 // when seq was last known true
	// declared with IDENTIFY; other intents need a new session
	Intents int64 `json:"intents,omitempty"`
	// from READY, so that a bot may refill its cache
	UserID        string   `json:"user_id,omitempty"`
	ApplicationID string   `json:"application_id,omitempty"`
	Guilds        []string `json:"guilds,omitempty"`
}

// OfferedFor limits the age of a session without an owner that is worth a RESUME: Discord keeps it
// "a few minutes", one report gives 90 s, so 60 s are planned for (PROTOCOL B5).
const OfferedFor = 60 * time.Second
