package messages

// Events that MASTER reports about its fleet.
type (
	// MachineJoined reports that a CONTROL is linked; Serves is what it already serves.
	MachineJoined struct {
		Source  string   `json:"source"`
		Host    string   `json:"host"`
		Version string   `json:"version"`
		Serves  []string `json:"serves"`
	}
	// MachineLeft reports that a CONTROL stopped its clusters and closed its link by order.
	MachineLeft struct {
		Source string `json:"source"`
	}
	// MachineLost reports that the link of a CONTROL ended; it keeps its ranges during the grace.
	MachineLost struct {
		Source  string       `json:"source"`
		Err     string       `json:"err"`
		GraceMS Milliseconds `json:"grace_ms"`
	}
	// MachineReplaced reports that a lost CONTROL did not return in time; others get what it
	// served.
	MachineReplaced struct {
		Source string       `json:"source"`
		Shards []string     `json:"ranges"`
		AwayMS Milliseconds `json:"away_ms"`
	}
	// MachineForgotten reports that a lost CONTROL was away so long that its name and slots are
	// free for others.
	MachineForgotten struct {
		Source string       `json:"source"`
		AwayMS Milliseconds `json:"away_ms"`
	}
	// FleetDoubled reports that a CONTROL that returned still serves what another has got since; it
	// is ordered to stop. ForMS is the time since the shards were reassigned, which bounds how long
	// they were served twice; 0: unknown.
	FleetDoubled struct {
		Source string       `json:"source"`
		Shards string       `json:"shards"`
		Owner  string       `json:"owner"`
		ForMS  Milliseconds `json:"for_ms,omitempty"`
	}
	// MachineOutdated reports that a CONTROL that returned serves by another shard_count, or in
	// clusters of another size, than the fleet; it is ordered to stop all of that.
	MachineOutdated struct {
		Source           string `json:"source"`
		ShardCount       int    `json:"shard_count"`
		ShardsPerCluster int    `json:"shards_per_cluster"`
		Ranges           int    `json:"ranges"`
	}
	// MachineRefused reports that a connection was closed before it became a link. Of many within a
	// short time not all are reported: Times counts those since the last event.
	MachineRefused struct {
		Remote    string `json:"remote"`
		Source    string `json:"source,omitempty"`
		CloseCode int    `json:"close_code"`
		Err       string `json:"err"`
		Times     int    `json:"times,omitempty"`
	}
	// MachineDuplicate reports that two CONTROLs use one source; the first one stays.
	MachineDuplicate struct {
		Source string `json:"source"`
		First  string `json:"first"` // address of the linked one
		Second string `json:"second"`
	}
	// MachineReported carries an error or a fatal packet of a CONTROL.
	MachineReported struct {
		Source    string `json:"source"`
		Kind      string `json:"kind,omitempty"`
		CloseCode int    `json:"close_code,omitempty"`
		Shards    string `json:"shards,omitempty"`
		Err       string `json:"err"`
		// packets that this event covers, where more than one
		Times int `json:"times,omitempty"`
	}
	// FleetAsked reports the shard count and concurrency that Discord answered.
	FleetAsked struct {
		ShardCount     int `json:"shard_count"`
		MaxConcurrency int `json:"max_concurrency"`
		Remaining      int `json:"identifies_remaining,omitempty"`
	}
	// FleetPlaced reports that a machine got a range, or became a spare.
	FleetPlaced struct {
		Source string `json:"source"`
		Shards string `json:"shards,omitempty"` // "": a spare
	}
	// FleetOperational reports that every shard of the bot is READY.
	FleetOperational struct {
		ShardCount int          `json:"shard_count"`
		Machines   int          `json:"machines"`
		TookMS     Milliseconds `json:"took_ms"` // since MASTER's start
	}
	// IdentifiesHeld reports that machines that are away may identify by themselves at any time, or
	// have all the slots (PROTOCOL B3). MASTER grants no identify until they return, have certainly
	// stopped, or are forgotten.
	IdentifiesHeld struct {
		Sources []string `json:"sources"`
		Hint    string   `json:"hint"`
	}
	// IdentifyBudgetLow reports that of the day's identifies only the reserve for a cold start is
	// left. Shards that crashed and cannot resume wait for the reset.
	IdentifyBudgetLow struct {
		Remaining int `json:"identifies_remaining"`
		Total     int `json:"identifies_total"`
		Reserve   int `json:"reserve"`
		// part of Remaining: machines that are away may spend it
		Lent int `json:"identifies_lent,omitempty"`
		// the most identifies that one request waits for
		Wanted    int          `json:"identifies_wanted,omitempty"`
		ResetInMS Milliseconds `json:"reset_in_ms"`
		// MASTER is away, or does not know the budget: the figures are those of this machine's share
		Alone bool `json:"alone,omitempty"`
	}
	// IdentifyUnaccounted reports that Discord counted more identifies than were granted. All of
	// them use up the one budget, and when it is gone Discord resets the token. Find the program
	// that identifies; Likely names candidates. Reported every ten minutes while it goes on.
	IdentifyUnaccounted struct {
		Unaccounted int    `json:"identifies_unaccounted"` // since the last report
		Granted     int    `json:"identifies_granted"`     // since Discord's previous answer
		Remaining   int    `json:"identifies_remaining"`   // as Discord answered
		Total       int    `json:"identifies_total"`
		Likely      string `json:"likely"`
	}
	// IdentifyImpossible reports, once, that a cluster whose bot identifies at its own pace wants
	// more at once, in one bucket, than a whole day allows: it starts only with fewer shards.
	IdentifyImpossible struct {
		Source  string        `json:"source"`
		Shard   int           `json:"shard"` // the first of its shards in the bucket
		Cause   IdentifyCause `json:"cause"`
		Wanted  int           `json:"identifies_wanted"`
		Total   int           `json:"identifies_total"`
		Reserve int           `json:"reserve"` // kept from crashed shards
	}
	// ShardsRecommended reports that Discord recommends another number of shards than are served,
	// or, with CloseCode, refused a shard of this number and was asked again. Only an operator
	// changes it: fleet.shards, and a restart of MASTER.
	ShardsRecommended struct {
		ShardCount  int `json:"shard_count"`
		Recommended int `json:"recommended"`
		// 4010 or 4011: Discord refuses shards of this number
		CloseCode int    `json:"close_code,omitempty"`
		Hint      string `json:"hint,omitempty"`
	}
	// DiscordUnreachable reports, once until it is reached, that GET /gateway/bot gave no usable
	// answer.
	DiscordUnreachable struct {
		Err       string       `json:"err"`
		RetryInMS Milliseconds `json:"retry_in_ms"`
		Hint      string       `json:"hint,omitempty"` // what to do instead of waiting
	}
	// TokenRefused reports that Discord does not know the token; nothing can start with it.
	TokenRefused struct {
		Err string `json:"err"`
	}
)

func (MachineJoined) Event() (string, Level)       { return "machine.joined", LevelInfo }
func (MachineLeft) Event() (string, Level)         { return "machine.left", LevelInfo }
func (MachineLost) Event() (string, Level)         { return "machine.lost", LevelWarn }
func (MachineReplaced) Event() (string, Level)     { return "machine.replaced", LevelError }
func (MachineForgotten) Event() (string, Level)    { return "machine.forgotten", LevelWarn }
func (FleetDoubled) Event() (string, Level)        { return "fleet.doubled", LevelError }
func (MachineOutdated) Event() (string, Level)     { return "machine.outdated", LevelError }
func (MachineRefused) Event() (string, Level)      { return "machine.refused", LevelWarn }
func (MachineDuplicate) Event() (string, Level)    { return "machine.duplicate", LevelError }
func (MachineReported) Event() (string, Level)     { return "machine.error", LevelError }
func (FleetAsked) Event() (string, Level)          { return "fleet.asked", LevelInfo }
func (FleetPlaced) Event() (string, Level)         { return "fleet.placed", LevelInfo }
func (FleetOperational) Event() (string, Level)    { return "fleet.operational", LevelInfo }
func (IdentifiesHeld) Event() (string, Level)      { return "identify.held", LevelError }
func (IdentifyBudgetLow) Event() (string, Level)   { return "identify.budget_low", LevelError }
func (IdentifyUnaccounted) Event() (string, Level) { return "identify.unaccounted", LevelError }
func (IdentifyImpossible) Event() (string, Level)  { return "identify.impossible", LevelError }
func (ShardsRecommended) Event() (string, Level)   { return "shards.recommended", LevelWarn }
func (DiscordUnreachable) Event() (string, Level)  { return "discord.unreachable", LevelWarn }
func (TokenRefused) Event() (string, Level)        { return "token.refused", LevelError }
