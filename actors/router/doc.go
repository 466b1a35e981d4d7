// Package router passes what clusters ask of each other from link to link.
//
//	router.go    the Router: connections, operations, their limits
//	requests.go  requests that are not answered yet
//	share.go     reading a link that a Cluster and the Router share
//	mailbox.go   a mailbox that the sender runs
package router
