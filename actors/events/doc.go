// Package events carries events to those who should know of them.
//
//	bus.go      the Bus: log, subscribers, MASTER
//	hooks.go    a behaviour that runs the operator's command for each
//	webhook.go  a behaviour that posts them to Discord
package events
