// Package sessions keeps the session of every shard, in memory and on disk, so that the shard can
// resume.
//
//	sessions.go  the Book
//	sync.go      sessions sent to MASTER and received from it
package sessions
