package messages

// Events about state of earlier runs that CONTROL cannot determine.
type (
	// ClusterInDoubt reports that it cannot be found out whether the previous process of a cluster
	// lives, for the reason in Err. Nothing is started for the cluster, and the search is repeated,
	// up to 30 s apart, until it answers; the cluster then goes on by itself. The cure is to remove
	// the reason: give access to the file or folder, free descriptors, or end the process that Err
	// names.
	ClusterInDoubt struct {
		Cluster ClusterID `json:"cluster"`
		Shards  string    `json:"shards"`
		Err     string    `json:"err"`
	}
	// StateUnreadable reports that a file of the state folder exists and cannot be read. CONTROL
	// links to no MASTER and starts nothing until it can: the file lists what runs here. Give
	// access to it, or repair the disk.
	StateUnreadable struct {
		File string `json:"file"`
		Err  string `json:"err"`
	}
)

func (ClusterInDoubt) Event() (string, Level)  { return "cluster.unknown", LevelError }
func (StateUnreadable) Event() (string, Level) { return "state.unreadable", LevelError }
