package messages

// Events about what CONTROL cannot find out of what ran before it.
type (
	// ClusterInDoubt: whether the previous process of a cluster lives cannot be found out, for the
	// reason in Err. Nothing is started for the cluster, and the search is repeated, up to 30 s apart,
	// until it answers; the cluster then goes on by itself. What to do is to remove the reason: give
	// access to the file or folder, free descriptors, or end the process that Err names.
	ClusterInDoubt struct {
		Cluster ClusterID `json:"cluster"`
		Shards  string    `json:"shards"`
		Err     string    `json:"err"`
	}
	// StateUnreadable: a file of the state folder exists and cannot be read. CONTROL links to no
	// MASTER and starts nothing before it can: the file says what runs here. Give access to it, or
	// mend the disk.
	StateUnreadable struct {
		File string `json:"file"`
		Err  string `json:"err"`
	}
)

func (ClusterInDoubt) Event() (string, Level)  { return "cluster.unknown", LevelError }
func (StateUnreadable) Event() (string, Level) { return "state.unreadable", LevelError }
