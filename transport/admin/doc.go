// Package admin is the HTTP side of CONTROL for people and programs: health, metrics, and a
// versioned JSON API with a stream of events. It knows no actors: it gets views from a Control and
// passes orders to it.
//
//	server.go   listeners: TCP, and a unix socket for this machine's operator
//	guard.go    access: Host, Origin, content type, token, and request rates
//	routes.go   every route, in one table
//	view.go     GET: machine, clusters, shards, sessions, identifies; whereis.go
//	body.go     how an answer goes out: ETag, gzip
//	usage.go    what the processes of clusters use
//	orders.go   POST: restart, drain, stop, rolling-restart, accept-master
//	ask.go      POST: a request to handlers of clusters
//	fleet.go    GET: the fleet; fleet_orders.go POST: orders to it
//	events.go   events as a list and as a stream (SSE)
//	health.go   /healthz, /readyz
//	metrics.go  /metrics
//	page.go     the status page at /, whose files are in page/
//	openapi.go  the description of the API
//
// Over TCP a Host that is neither loopback nor named in the configuration is refused, since a
// browser may resolve any name to this address. A change that another site's page requests is
// refused too. With a token every route but /healthz and /readyz requires it. The unix socket is
// for its owner alone and requires nothing.
package admin
