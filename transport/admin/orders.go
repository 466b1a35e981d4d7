package admin

import (
	"net/http"

	"github.com/discluster/control/messages"
)

// RestartBody is the body of POST /api/v1/clusters/{cluster}/restart. The bodies of the other
// orders are empty.
type RestartBody struct {
	Fresh bool `json:"fresh"` // identify instead of resuming the sessions
}

// OrderAnswer is an order that was passed on (202): the events after the named one report its
// progress.
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

// order passes on an order, and answers with the verdict.
func (s *Server) order(w http.ResponseWriter, r *http.Request, d messages.Directive) {
	v, err := ask(r.Context(), func(answer func(messages.Verdict)) {
		s.control.Order(messages.Order{Directive: d, By: requester(r), Answer: answer})
	})
	answerVerdict(w, v, err, http.StatusAccepted, OrderAnswer{v.After})
}

// requester returns the origin of an order, for the log.
func requester(r *http.Request) string {
	if local(r) {
		return "this machine"
	}
	return r.RemoteAddr
}

// answerVerdict answers with the reason of a refusal, or with accepted.
func answerVerdict(w http.ResponseWriter, v messages.Verdict, err error, status int, accepted any) {
	switch {
	case err != nil:
		failed(w, err)
	case v.Refusal == messages.RefusedUnknown:
		refuse(w, http.StatusNotFound, string(v.Refusal), v.Reason)
	case v.Refusal != "":
		refuse(w, http.StatusConflict, string(v.Refusal), v.Reason)
	default:
		answer(w, status, accepted)
	}
}
