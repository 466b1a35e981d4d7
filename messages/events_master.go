package messages

// What MASTER sees of its fleet.
type (
	// MachineJoined: a CONTROL is linked; Serves is what it says it serves already.
	MachineJoined struct {
		Source  string   `json:"source"`
		Host    string   `json:"host"`
		Version string   `json:"version"`
		Serves  []string `json:"serves"`
	}
	// MachineLeft: a CONTROL stopped its clusters and took its leave.
	MachineLeft struct {
		Source string `json:"source"`
	}
	// MachineLost: the link of a CONTROL ended; its ranges stay its own for as long as the grace lasts.
	MachineLost struct {
		Source  string       `json:"source"`
		Err     string       `json:"err"`
		GraceMS Milliseconds `json:"grace_ms"`
	}
	// MachineReplaced: a CONTROL that was lost did not return in time; what it served goes to others.
	MachineReplaced struct {
		Source string       `json:"source"`
		Shards []string     `json:"ranges"`
		AwayMS Milliseconds `json:"away_ms"`
	}
	// MachineForgotten: a CONTROL that was lost is away for so long that its name and its slots are free for others.
	MachineForgotten struct {
		Source string       `json:"source"`
		AwayMS Milliseconds `json:"away_ms"`
	}
	// FleetDoubled: a CONTROL that returned still serves what was given to another meanwhile; it is told to stop. ForMS is since it was given away, at most so long was it
	// served twice; 0: not known.
	FleetDoubled struct {
		Source string       `json:"source"`
		Shards string       `json:"shards"`
		Owner  string       `json:"owner"`
		ForMS  Milliseconds `json:"for_ms,omitempty"`
	}
	// MachineOutdated: a CONTROL that returned serves by another shard_count, or in clusters of another size, than the fleet; it is told to stop all of that.
	MachineOutdated struct {
		Source           string `json:"source"`
		ShardCount       int    `json:"shard_count"`
		ShardsPerCluster int    `json:"shards_per_cluster"`
		Ranges           int    `json:"ranges"`
	}
	// MachineRefused: a link was closed before it was one. Of many within a short time not all are
	// reported: Times counts those since the last event.
	MachineRefused struct {
		Remote    string `json:"remote"`
		Source    string `json:"source,omitempty"`
		CloseCode int    `json:"close_code"`
		Err       string `json:"err"`
		Times     int    `json:"times,omitempty"`
	}
	// MachineDuplicate: two CONTROLs come with one source; the first one stays.
	MachineDuplicate struct {
		Source string `json:"source"`
		First  string `json:"first"` // where the linked one is
		Second string `json:"second"`
	}
	// MachineReported: an error or a fatal packet of a CONTROL.
	MachineReported struct {
		Source    string `json:"source"`
		Kind      string `json:"kind,omitempty"`
		CloseCode int    `json:"close_code,omitempty"`
		Shards    string `json:"shards,omitempty"`
		Err       string `json:"err"`
		Times     int    `json:"times,omitempty"` // that this stands for, where more than one
	}
	// FleetAsked: Discord said what the fleet is to be.
	FleetAsked struct {
		ShardCount     int `json:"shard_count"`
		MaxConcurrency int `json:"max_concurrency"`
		Remaining      int `json:"identifies_remaining,omitempty"`
	}
	// FleetPlaced: a machine was given a range, or made a spare.
	FleetPlaced struct {
		Source string `json:"source"`
		Shards string `json:"shards,omitempty"` // "": a spare
	}
	// FleetOperational: every shard of the bot is READY.
	FleetOperational struct {
		ShardCount int          `json:"shard_count"`
		Machines   int          `json:"machines"`
		TookMS     Milliseconds `json:"took_ms"` // since MASTER's start
	}
	// IdentifiesHeld: machines that are away may identify by themselves at any time, or have all the
	// slots (PROTOCOL B3): MASTER lets nobody identify until they return, have certainly stopped, or
	// are forgotten.
	IdentifiesHeld struct {
		Sources []string `json:"sources"`
		Hint    string   `json:"hint"`
	}
	// IdentifyBudgetLow: of the day's identifies nothing but the reserve for a cold start is left. What crashes and cannot resume waits for the reset.
	IdentifyBudgetLow struct {
		Remaining int          `json:"identifies_remaining"`
		Total     int          `json:"identifies_total"`
		Reserve   int          `json:"reserve"`
		Wanted    int          `json:"identifies_wanted,omitempty"` // the most that somebody wants at once and waits for
		ResetInMS Milliseconds `json:"reset_in_ms"`
		Alone     bool         `json:"alone,omitempty"` // MASTER is away, and the figures are those of this machine's share: it waits for MASTER
	}
	// IdentifyUnaccounted: Discord counted more identifies than were granted, and all of them are of
	// the one budget: at its end Discord resets the token. Find who identifies, as Likely has it.
	// Reported every ten minutes while it goes on.
	IdentifyUnaccounted struct {
		Unaccounted int    `json:"identifies_unaccounted"` // since it was reported last
		Granted     int    `json:"identifies_granted"`     // since Discord's answer before
		Remaining   int    `json:"identifies_remaining"`   // by Discord's word
		Total       int    `json:"identifies_total"`
		Likely      string `json:"likely"`
	}
	// IdentifyImpossible: a cluster whose bot identifies at its own pace wants more at once, in one bucket, than a whole day allows: it starts only with fewer shards. Said once.
	IdentifyImpossible struct {
		Source  string        `json:"source"`
		Shard   int           `json:"shard"` // the first of its shards in the bucket
		Cause   IdentifyCause `json:"cause"`
		Wanted  int           `json:"identifies_wanted"`
		Total   int           `json:"identifies_total"`
		Reserve int           `json:"reserve"` // kept from what crashed
	}
	// ShardsRecommended: Discord recommends another number of shards than are served, or, with
	// CloseCode, refused a shard of this number and was asked again. Only an operator changes it:
	// fleet.shards, and a restart of MASTER.
	ShardsRecommended struct {
		ShardCount  int    `json:"shard_count"`
		Recommended int    `json:"recommended"`
		CloseCode   int    `json:"close_code,omitempty"` // 4010 or 4011: Discord refuses shards of this number
		Hint        string `json:"hint,omitempty"`
	}
	// DiscordUnreachable: GET /gateway/bot gave no answer to go by; said once until it does.
	DiscordUnreachable struct {
		Err       string       `json:"err"`
		RetryInMS Milliseconds `json:"retry_in_ms"`
		Hint      string       `json:"hint,omitempty"` // what to do who cannot wait
	}
	// TokenRefused: Discord does not know the token; nothing can start with it.
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
