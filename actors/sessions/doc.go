// Package sessions keeps the session of every shard, in memory and on disk, so that the shard can
// resume.
//
//	sessions.go   the Book
//	sync.go       sessions sent to MASTER and received from it
//	snapshots.go  the snapshots of gateway hosts, copied from machine to machine
package sessions
