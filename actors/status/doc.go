// Package status serves the state of a machine to the API, the page and the command line.
//
//	status.go    the actor: views, event log, orders, requests
//	snapshot.go  the state of the machine, built from events and snapshots
package status
