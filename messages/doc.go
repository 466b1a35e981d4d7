// Package messages is the vocabulary of CONTROL and MASTER: what travels, never how. It imports nothing but the standard library.
//
//	ids.go        Secret, times and units, ShardRange, ClusterID, Place
//	snowflake.go  Discordoo's 128-bit ids
//	session.go    what a shard needs to RESUME elsewhere
//	master.go     CONTROL ⇄ MASTER: packets of the websocket (PROTOCOL A6, B1)
//	cluster.go    CONTROL ⇄ cluster process: packets of the unix socket (PROTOCOL A1–A4, B2)
//	env.go        the variables a bot's environment gets from CONTROL alone
//	fleet.go      actor ⇄ actor inside CONTROL, and the commands an operator's behaviour may send
//	view.go       how a machine stands, and what is ordered of it: desk ⇄ admin API
//	fleet_view.go how the fleet stands: MASTER ⇄ admin API
//	fleet_orders.go what is ordered of it
//	events.go     what happened, for people: log, metrics, hooks, MASTER
//
// A command is an imperative (Serve), a fact is past (RangeMoved), an event carries its dotted name (cluster.gave_up).
// Every set of packets is closed by an unexported method; a nil pointer or an absent field means "not known", never zero.
package messages
