package messages

import "time"

// Settings (masterlink → clusters, gate) is what the whole fleet has in common, from Initialise and the configuration. Nothing is spawned before it.
type Settings struct {
	Token            Secret
	ShardCount       int
	MaxConcurrency   int
	ShardsPerCluster int
	Epoch            int64
	Place            Place
	Permits          bool          // MASTER grants identifies; false: this machine paces itself
	ClockAhead       time.Duration // MASTER's clock minus ours, less the way of the quickest packet of this link
	SlotsAhead       time.Duration // the same, by links that answered at once: what slots are reckoned by (PROTOCOL B3)
	Halted           bool          // nothing may identify with this token
}

// ClusterCount is CLUSTER_COUNT: constant while ShardCount is (DESIGN §4).
func (s Settings) ClusterCount() int {
	return (s.ShardCount + s.ShardsPerCluster - 1) / s.ShardsPerCluster
}

// TakeBack (masterlink → clusters) is what an earlier life of CONTROL served: its processes are looked for at once, before MASTER says anything. Settings are without
// a token; what has to be started anew waits for it.
type TakeBack struct {
	Settings Settings
	Ranges   []RangeInfo // by which orders
}

// Serve (masterlink → clusters) orders a range to be served. Answered by MachineStatus, or by ServeRefused.
type Serve struct {
	ID       string // of the order, "" from upstream
	Range    ShardRange
	Sessions []Session // of whoever served it before
}

// ServeRefused (clusters → masterlink): the range cannot be served, and nothing was done.
type ServeRefused struct {
	ID     string
	Range  ShardRange
	Reason string
}

// Release (masterlink → clusters) orders a served range to be stopped, its shards closed resumably. Answered by Released, or by ReleaseRefused.
type Release struct {
	ID     string
	Range  ShardRange
	Within time.Duration // what handlers may still take; 0: what a drain gives them
}

// ReleaseRefused (clusters → masterlink): the range is not made of whole clusters served here; nothing was done.
type ReleaseRefused struct {
	ID     string
	Range  ShardRange
	Reason string
}

// Released (clusters → masterlink) answers Release: no cluster of the range is left.
type Released struct {
	ID    string
	Range ShardRange
}

// StopAll (masterlink → clusters) orders every cluster to be drained and stopped. Answered by AllStopped.
type StopAll struct{ Reason string }

// AllStopped (clusters → masterlink): no cluster process is left.
type AllStopped struct{}

// Lease (masterlink → clusters → cluster): MASTER lets this machine serve until then, and no longer. Without one it serves for ever.
// Lapsed: MASTER is away, and what is served here may be another machine's by now.
type Lease struct {
	Until  time.Time
	Lapsed bool
}

// AcceptMaster (desk → masterlink → clusters) is an operator's order: forget which epochs were
// obeyed, so that the MASTER that is there now is obeyed, though one with a later epoch was known:
// its clock went back, or it runs elsewhere. The way out of close code 4007 (PROTOCOL B1).
type AcceptMaster struct{}

// MachineStatus (clusters → masterlink) is what this machine serves now, sent at every change.
type MachineStatus struct {
	Ranges      []RangeInfo
	Clusters    ClusterCounts
	ShardsReady int
}

// RestartCluster is an operator's order: stop the cluster, start it again, with a fresh budget of restarts. It resumes its sessions, or, Fresh, identifies anew.
// An unknown cluster is an error event.
type RestartCluster struct {
	Cluster ClusterID
	Fresh   bool
}

// RollingRestart is an operator's order: give every serving cluster of this machine a new process, one at a time, without losing a session.
type RollingRestart struct{}

// Booted (successor → clusters): the socket of a successor is open. Proceed (clusters → successor): the old one is gone.
type (
	Booted  struct{ Cluster ClusterID }
	Proceed struct{}
)

// DrainCluster and StopCluster are an operator's orders: end the cluster and leave it stopped until RestartCluster. Drained, it can resume its sessions for a minute;
// stopped, they are ended.
type (
	DrainCluster struct{ Cluster ClusterID }
	StopCluster  struct{ Cluster ClusterID }
)

// StopRun (clusters → cluster) orders one cluster to end its process, its sessions kept or, Final, ended. Answered by RunStopped.
type StopRun struct {
	Final  bool
	Within time.Duration // what handlers may still take; 0: what a drain gives them
}

// ReportAgain (clusters → cluster) asks for the cluster's ClusterMoved, or RunStopped, once more.
type ReportAgain struct{}

// RunStopped (cluster → clusters): the ordered stop is done, the process is gone. Again: it was to be replaced.
type RunStopped struct {
	Cluster ClusterID
	Again   bool
}

// WantPermit (cluster → gate) asks for one identify. Answered by Permit, unless PermitUsed or DropPermits comes first.
type WantPermit struct {
	ID      string // the asker's, unique
	Cluster ClusterID
	Shards  int // of the cluster
	Shard   int
	Cause   IdentifyCause
	Hold    time.Duration // keeps the shard's bucket for so long, or until PermitUsed, for a bot that cannot ask itself; asked again it is kept on. 0: one identify

	Identifies int  // with Hold: how many the cluster has in the bucket; 0: one
	Kept       bool // with Hold: it is kept already, by a permit that the gate may not know
}

// HeldBack (gate → clusters): a cluster burns identifies; its further ones are held back.
type HeldBack struct {
	Cluster    ClusterID
	Identifies int           // within ten minutes
	For        time.Duration // until the next one
}

// KillWanted (cluster → clusters): its process is late, while the machine is short of CPU time, and
// was given time enough; it may be killed once KillAllowed comes, which is not before no other
// process is being replaced for that.
type KillWanted struct{ Cluster ClusterID }

// KillAllowed (clusters → cluster) answers KillWanted.
type KillAllowed struct{}

// IgnoreDeadLetterLogging: its cluster may have stopped.
func (KillAllowed) IgnoreDeadLetterLogging() {}

// ResetBudget (clusters → gate): what the cluster identified before does not count, for an operator starts it again, or it never properly started.
type ResetBudget struct{ Cluster ClusterID }

// Outage (clusters → cluster) begins or ends a time in which nobody is restarted for being late.
type Outage struct{ On bool }

// Permit (gate → cluster) answers WantPermit.
type Permit struct {
	ID         string
	Shard      int
	Granted    bool
	UseBefore  time.Time     // when granted
	RetryAfter time.Duration // when not
	Reason     string        // when not
}

// PermitUsed (cluster → gate) reports what became of a permit.
type PermitUsed struct {
	ID         string
	Sent       bool
	Identifies int // behind a bucket that was kept: how many there were; 0: one
}

// DropPermits (cluster → gate): the asker died; what it waits for is forgotten, what it was granted keeps its bucket busy.
type DropPermits struct{ Cluster ClusterID }

// PaceHandedOver (gate → masterlink) answers LinkUp: from now on the gate grants nothing that MASTER has not granted, and this is when each bucket was, or may be, used
// last. It goes into Info.
type PaceHandedOver struct{ Last map[int]time.Time }

// ShareLeft (gate → masterlink) is what is on disk of this machine's share of the day's budget. It
// goes into Heartbeat. The Share itself comes from MASTER (masterlink → gate).
type ShareLeft struct{ Share Share }

// LinkUp (masterlink → gate) follows Settings when the link is there; LinkDown comes when it is gone.
type (
	LinkUp   struct{}
	LinkDown struct{}
)

// Subscribe (behaviour → herald) asks for every event from now on.
type Subscribe struct{}

// Stop (main → masterlink) ends CONTROL as the operator asked: clusters drained, link closed, actor gone. Detach: the clusters are left serving, for the next life.
type Stop struct {
	Reason string
	Detach bool
}

// KeepSessions (cluster → sessions): what a living process says of its sessions.
type KeepSessions struct {
	Cluster  ClusterID
	Sessions []Session
	Gone     []int
}

// SessionsWanted (cluster → sessions) asks what a new process may resume. Answered by SessionsOffered.
type SessionsWanted struct {
	Cluster    ClusterID
	Run        Snowflake // of the process that asks
	Shards     ShardRange
	ShardCount int
	Intents    int64
}

// SessionsOffered (sessions → cluster) answers SessionsWanted.
type SessionsOffered struct {
	Run      Snowflake
	Sessions []Session
}

// SessionsOrphaned (cluster → sessions): the process is dead; its sessions age from now on.
type SessionsOrphaned struct{ Cluster ClusterID }

// SessionsBrought (clusters → sessions): what a machine that served the cluster before left. They have no owner from now on.
type SessionsBrought struct {
	Cluster  ClusterID
	Sessions []Session
}

// HandSessionsOver (masterlink → sessions) asks for the sessions of a released range, for whoever serves it next. Answered by SessionsHandedOver.
type HandSessionsOver struct {
	ID    string // of the offload
	Range ShardRange
}

// SessionsHandedOver (sessions → masterlink) answers HandSessionsOver.
type SessionsHandedOver struct {
	ID       string
	Range    ShardRange
	Sessions []Session
}

// ReportSessions (masterlink → sessions): MASTER is there, and wants to know every session; then, until the link is gone, what becomes of them. Answered by SessionsMoved, as
// often as there is something to say; SessionsReported follows the first of them.
type ReportSessions struct{ On bool }

// SessionsReported (sessions → masterlink): MASTER was told every session there is.
type SessionsReported struct{}

// ForgetSessions (clusters → sessions): whoever comes next identifies.
type ForgetSessions struct{ Cluster ClusterID }

// IgnoreDeadLetterLogging marks answers that may come after the cluster which asked is gone: its death is known, and its permit counts as used.
func (Permit) IgnoreDeadLetterLogging()          {}
func (SessionsOffered) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging: a successor may have ended just now, and its supervisor is about to hear of it.
func (Proceed) IgnoreDeadLetterLogging() {}
