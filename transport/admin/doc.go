// Package admin is the HTTP side of CONTROL for people and programs: health, metrics, and a versioned JSON API with a stream of events. It knows no actors: what it shows
// and orders, it asks of a Control.
//
//	server.go   listeners: TCP, and a unix socket for this machine's operator
//	guard.go    who may: Host, Origin, content type, token, and how often
//	routes.go   every route, in one table
//	view.go     GET: machine, clusters, shards, sessions, whereis, identifies
//	orders.go   POST: restart, drain, stop, rolling-restart, accept-master
//	fleet.go    GET: the fleet; fleet_orders.go POST: what it is to do
//	events.go   events as a list and as a stream (SSE)
//	health.go   /healthz, /readyz
//	metrics.go  /metrics
//	page.go     the status page at /, whose files are in page/
//	openapi.go  what describes all of it
//
// Over TCP a Host that is neither loopback nor named in the configuration is refused, for a browser may be led here by any name; so is a change that another site's page asks
// for. With a token every route but /healthz and /readyz wants it. The unix socket is its owner's alone, and asks for nothing.
package admin
