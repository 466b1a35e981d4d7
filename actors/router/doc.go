// Package router passes messages and requests between clusters.
//
//	router.go    the Router: connections, operations, their limits
//	requests.go  unanswered requests
//	operator.go  requests of an operator
//	readlink.go  reading a link that a Cluster and the Router share
//	mailbox.go   a mailbox that the sender runs
package router
