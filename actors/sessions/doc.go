// Package sessions keeps what every shard needs to resume, in memory and on disk.
//
//	sessions.go  the Book
//	sync.go      what MASTER is sent of it, and sends
package sessions
