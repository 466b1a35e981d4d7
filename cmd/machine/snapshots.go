package machine

import (
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/snapshot"
)

// Snapshots returns access to what the gateway hosts of this machine keep in a folder.
func Snapshots(dir string) *world.Snapshots {
	return &world.Snapshots{
		Read: func(cluster messages.ClusterID, shard int, offset int64, done func([]byte, int64, error)) {
			go func() { done(snapshot.ReadPart(snapshot.Path(dir, cluster, shard), offset)) }()
		},
		Write: func(cluster messages.ClusterID, shard int, offset int64, part []byte, last bool, done func(error)) {
			go func() { done(snapshot.WritePart(snapshot.Path(dir, cluster, shard), offset, part, last)) }()
		},
	}
}
