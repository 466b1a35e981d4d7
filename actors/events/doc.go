// Package events sends events to the log, subscribers, MASTER and the alert channels.
//
//	bus.go      the Bus: log, subscribers, MASTER
//	hooks.go    a behaviour that runs the operator's command for each event
//	webhook.go  a behaviour that posts events to Discord
package events
