package messages

import "time"

// Settings (masterlink → clusters, gate) are the settings of the whole fleet, from Initialise and
// the configuration. Nothing is spawned before them.
type Settings struct {
	Token            Secret
	ShardCount       int
	MaxConcurrency   int
	ShardsPerCluster int
	Epoch            int64
	Place            Place
	Permits          bool // MASTER grants identifies; false: this machine paces itself
	// MASTER's clock minus ours, less the transit time of the quickest packet of this link
	ClockAhead time.Duration
	// the same, by links that answered at once: the clock of the slots (PROTOCOL B3)
	SlotsAhead time.Duration
	Halted     bool // nothing may identify with this token
	// this machine's share of the day's budget, as MASTER lent it last
	Lent BudgetShare
}

// ClusterCount returns CLUSTER_COUNT, which is constant while ShardCount is (DESIGN §4).
func (s Settings) ClusterCount() int {
	return (s.ShardCount + s.ShardsPerCluster - 1) / s.ShardsPerCluster
}

// TakeBack (masterlink → clusters) lists what an earlier run of CONTROL served. Its processes are
// looked for at once, before MASTER answers. Settings have no token; what has to be started waits
// for it.
type TakeBack struct {
	Settings Settings
	Ranges   []RangeInfo // with the orders they came by
}

// Serve (masterlink → clusters) orders a range to be served. Answered by MachineStatus, or by
// ServeRefused.
type Serve struct {
	ID       string // of the order, "" from upstream
	Range    ShardRange
	Sessions []Session // of the previous owner
}

// ServeRefused (clusters → masterlink) reports that the range cannot be served, and nothing was
// done.
type ServeRefused struct {
	ID     string
	Range  ShardRange
	Reason string
}

// Release (masterlink → clusters) orders a served range to be stopped, its shards closed resumably.
// Answered by Released, or by ReleaseRefused.
type Release struct {
	ID     string
	Range  ShardRange
	Within time.Duration // time left for handlers; 0: that of a drain
}

// ReleaseRefused (clusters → masterlink) reports that the range is not made of whole clusters
// served here; nothing was done.
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

// StopAll (masterlink → clusters) orders every cluster to be drained and stopped. Answered by
// AllStopped.
type StopAll struct{ Reason string }

// AllStopped (clusters → masterlink) reports that no cluster process is left.
type AllStopped struct{}

// Lease (masterlink → clusters → cluster) is the moment until which MASTER lets this machine serve.
// Without one it serves forever. Lapsed: MASTER is away, and another machine may serve the same
// shards now.
type Lease struct {
	Until  time.Time
	Lapsed bool
}

// AcceptMaster (status → masterlink → clusters) is an operator's order to forget the highest epoch
// seen and obey the current MASTER, although a later epoch was known: its clock went back, or it
// moved to another machine. It is the way out of close code 4007 (PROTOCOL B1).
type AcceptMaster struct{}

// MachineStatus (clusters → masterlink) lists what this machine serves, at every change.
type MachineStatus struct {
	Ranges      []RangeInfo
	Clusters    ClusterCounts
	ShardsReady int
}

// RestartCluster is an operator's order to stop the cluster and start it again with a fresh budget
// of restarts. It resumes its sessions, or, with Fresh, identifies. An unknown cluster is an error
// event.
type RestartCluster struct {
	Cluster ClusterID
	Fresh   bool
}

// RollingRestart is an operator's order to give every serving cluster of this machine a new
// process, one at a time, without losing a session.
type RollingRestart struct{}

// Booted (successor → clusters) reports that the socket of a successor is open. Proceed (clusters →
// successor) reports that the old process is gone.
type (
	Booted  struct{ Cluster ClusterID }
	Proceed struct{ MayBeLost } // its supervisor is about to learn that a successor has just ended
)

// DrainCluster and StopCluster are an operator's orders to end the cluster and leave it stopped
// until RestartCluster. Drained, it can resume its sessions for a minute; stopped, they are ended.
type (
	DrainCluster struct{ Cluster ClusterID }
	StopCluster  struct{ Cluster ClusterID }
)

// StopRun (clusters → cluster) orders one cluster to end its process, its sessions kept or, with
// Final, ended. Answered by RunStopped.
type StopRun struct {
	Final  bool
	Within time.Duration // time left for handlers; 0: that of a drain
}

// ReportAgain (clusters → cluster) asks for the cluster's ClusterMoved, or RunStopped, once more.
type ReportAgain struct{}

// RunStopped (cluster → clusters) reports that the ordered stop is done and the process gone.
// Again: it was stopped so that another run replaces it.
type RunStopped struct {
	Cluster ClusterID
	Again   bool
}

// WantPermit (cluster → gate) asks for one identify. Answered by Permit, unless PermitUsed or
// DropPermits comes first.
type WantPermit struct {
	ID      string // the requester's, unique
	Cluster ClusterID
	Shards  int // of the cluster
	Shard   int
	Cause   IdentifyCause
	// keeps the shard's bucket for this long, or until PermitUsed, for a bot that cannot ask
	// itself; asked again, it is kept longer. 0: one identify
	Hold time.Duration

	Identifies int  // with Hold: how many the cluster has in the bucket; 0: one
	Kept       bool // with Hold: it is kept already, by a permit that the gate may not know
}

// HeldBack (gate → clusters) reports that a cluster wastes identifies; its further ones are held
// back.
type HeldBack struct {
	Cluster    ClusterID
	Identifies int           // within ten minutes
	For        time.Duration // until the next one
}

// KillWanted (cluster → clusters) reports that the cluster's process is still late after extra
// time, while the machine is short of CPU time. It may be killed once KillAllowed comes, which
// waits until no other process is being replaced for that.
type KillWanted struct{ Cluster ClusterID }

// KillAllowed (clusters → cluster) answers KillWanted.
type KillAllowed struct{ MayBeLost }

// ResetBudget (clusters → gate) forgets what the cluster identified before: an operator starts it
// again, or it never properly started.
type ResetBudget struct{ Cluster ClusterID }

// Outage (clusters → cluster) begins or ends a time in which no cluster is restarted for being
// late.
type Outage struct{ On bool }

// Permit (gate → cluster) answers WantPermit.
type Permit struct {
	MayBeLost  // the death of the cluster is known, and the permit counts as used
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

// PermitArrived (cluster → gate) reports that Discord has answered the identify of a permit that
// was sent: the shard is READY.
type PermitArrived struct{ ID string }

// DropPermits (cluster → gate) reports that the requester died. Its open requests are forgotten;
// its granted permits keep their buckets busy.
type DropPermits struct{ Cluster ClusterID }

// PaceHandedOver (gate → masterlink) answers LinkUp: the gate now grants nothing that MASTER has
// not granted. Last is when each bucket was, or may be, used last; it goes into Info.
type PaceHandedOver struct{ Last map[int]time.Time }

// ShareLeft (gate → masterlink) is the part of this machine's share of the day's budget that is
// recorded on disk. It goes into Heartbeat. The share itself comes from MASTER, as a BudgetShare
// (masterlink → gate).
type ShareLeft struct{ Share BudgetShare }

// LinkUp (masterlink → gate) follows Settings when the link is up; LinkDown comes when it is gone.
type (
	LinkUp   struct{}
	LinkDown struct{}
)

// StateSaved (MasterLink's tree → event bus) is the outcome of a save to the state folder. Err nil:
// the file is written, or removed.
type StateSaved struct {
	MayBeLost
	File string
	Err  error
}

// Subscribe (behaviour → event bus) asks for every event from now on.
type Subscribe struct{}

// Stop (main → masterlink) ends CONTROL as the operator asked: clusters drained, link closed, actor
// gone. Detach: the clusters keep serving, for the next run.
type Stop struct {
	Reason string
	Detach bool
}

// KeepSessions (cluster → sessions) carries what a living process reports about its sessions.
type KeepSessions struct {
	Cluster  ClusterID
	Sessions []Session
	Gone     []int
}

// SessionsWanted (cluster → sessions) asks what a new process may resume. Answered by
// SessionsOffered.
type SessionsWanted struct {
	Cluster    ClusterID
	Run        Snowflake // of the process that asks
	Shards     ShardRange
	ShardCount int
	Intents    int64
}

// SessionsOffered (sessions → cluster) answers SessionsWanted.
type SessionsOffered struct {
	MayBeLost
	Run      Snowflake
	Sessions []Session
}

// SessionsOrphaned (cluster → sessions) reports that the process is dead; its sessions age from now
// on.
type SessionsOrphaned struct{ Cluster ClusterID }

// SessionsBrought (clusters → sessions) carries the sessions of the machine that served the cluster
// before. They have no owner from now on.
type SessionsBrought struct {
	Cluster  ClusterID
	Sessions []Session
}

// HandSessionsOver (masterlink → sessions) asks for the sessions of a released range, for the next
// machine that serves it. Answered by SessionsHandedOver.
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

// ReportSessions (masterlink → sessions) asks for every session, because MASTER is linked, and then
// for each change until the link is gone. Answered by any number of SessionsMoved; SessionsReported
// follows the first.
type ReportSessions struct {
	On        bool
	Snapshots bool // MASTER passes SnapshotAsk on
}

// SessionsReported (sessions → masterlink) reports that MASTER was sent every session.
type SessionsReported struct{}

// ForgetSessions (clusters → sessions) drops the cluster's sessions: its next process identifies.
type ForgetSessions struct{ Cluster ClusterID }
