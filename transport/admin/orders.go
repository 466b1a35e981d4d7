package admin

import (
	"net/http"

	"github.com/discluster/control/messages"
)

// RestartBody is the body of POST /api/v1/clusters/{cluster}/restart. The bodies of the other orders are empty.
type RestartBody struct {
	Fresh bool `json:"fresh"` // identify anew, in place of resuming the sessions
}

// OrderAnswer is an order that was passed on (202): the events after the one named tell how it goes.
type OrderAnswer struct {
	After uint64 `json:"after"`
}

func (s *Server) restart(w http.ResponseWriter, r *http.Request) {
	var b RestartBody
	if id, ok := number(w, r, "cluster"); ok && body(w, r, &b) {
		s.order(w, r, messages.RestartCluster{Cluster: messages.ClusterID(id), Fresh: b.Fresh})
	}
}

func (s *Server) drain(w http.ResponseWriter, r *http.Request) {
	if id, ok := number(w, r, "cluster"); ok && body(w, r, &struct{}{}) {
		s.order(w, r, messages.DrainCluster{Cluster: messages.ClusterID(id)})
	}
}

func (s *Server) stop(w http.ResponseWriter, r *http.Request) {
	if id, ok := number(w, r, "cluster"); ok && body(w, r, &struct{}{}) {
		s.order(w, r, messages.StopCluster{Cluster: messages.ClusterID(id)})
	}
}

func (s *Server) rollingRestart(w http.ResponseWriter, r *http.Request) {
	if body(w, r, &struct{}{}) {
		s.order(w, r, messages.RollingRestart{})
	}
}

func (s *Server) acceptMaster(w http.ResponseWriter, r *http.Request) {
	if body(w, r, &struct{}{}) {
		s.order(w, r, messages.AcceptMaster{})
	}
}

// order gives an order, and answers with what became of it.
func (s *Server) order(w http.ResponseWriter, r *http.Request, d messages.Directive) {
	v, err := ask(r.Context(), func(answer func(messages.Verdict)) {
		s.control.Order(messages.Order{Directive: d, By: giver(r), Answer: answer})
	})
	judged(w, v, err, http.StatusAccepted, OrderAnswer{v.After})
}

// giver is who gives an order, for the log.
func giver(r *http.Request) string {
	if local(r) {
		return "this machine"
	}
	return r.RemoteAddr
}

// judged answers with what became of an order: why it was refused, or this.
func judged(w http.ResponseWriter, v messages.Verdict, err error, status int, given any) {
	switch {
	case err != nil:
		failed(w, err)
	case v.Refusal == messages.RefusedUnknown:
		refuse(w, http.StatusNotFound, string(v.Refusal), v.Reason)
	case v.Refusal != "":
		refuse(w, http.StatusConflict, string(v.Refusal), v.Reason)
	default:
		answer(w, status, given)
	}
}
