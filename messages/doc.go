// Package messages is the vocabulary of CONTROL and MASTER: what is exchanged, not how it travels.
// It imports the standard library alone.
//
//	ids.go          Secret, times and units, ShardRange, ClusterID, Place
//	snowflake.go    Discordoo's 128-bit ids
//	session.go      what a shard needs to RESUME elsewhere
//	master.go       CONTROL ⇄ MASTER: packets of the websocket (PROTOCOL A6, B1)
//	cluster.go      CONTROL ⇄ cluster process: packets of the unix socket (PROTOCOL A1–A4, B2)
//	env.go          the variables of a bot's environment that only CONTROL sets; the limit of a
//	                socket's path
//	fleet.go        actor ⇄ actor inside CONTROL, and the commands of an operator's behaviour
//	view.go         snapshots of a machine and orders to it: status actor ⇄ admin API
//	ask.go          a request of an operator to clusters: admin API → status → router
//	fleet_view.go   snapshots of the fleet: MASTER ⇄ admin API
//	fleet_orders.go orders to the fleet
//	lost.go         the mark of messages that may come too late
//	events.go       events, for log, metrics, hooks and MASTER; the others are in
//	                events_bot.go, events_identity.go, events_master.go
//	event_names.go  the names of all events
//	event_record.go events as they are kept and shown
//	states.go       states of a cluster, causes of its end
//
// A command is an imperative (Serve), a fact is past (RangeMoved), an event carries its dotted name
// (cluster.gave_up). Every set of packets is closed by an unexported method. A nil pointer or an
// absent field means "unknown", never zero.
package messages
