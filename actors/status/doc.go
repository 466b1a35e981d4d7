// Package status answers those who look at a machine from outside: the API, the page, the command
// line.
//
//	status.go    the actor: views, event log, orders
//	snapshot.go  a machine as events and snapshots show it
package status
