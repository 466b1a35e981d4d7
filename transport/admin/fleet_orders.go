package admin

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"

	"github.com/discluster/control/messages"
)

// OrderID is the header with the id of an order to the fleet. A client that is not sure whether the
// order arrived sends it again, with the same id, and it is carried out once. A restarted MASTER
// continues with it.
const OrderID = "Idempotency-Key"

// FleetOrderAnswer is an order to the fleet that was accepted (202), or was carried out at once
// (200): the events fleet_order.moved after the named one, with the id, report its progress.
type FleetOrderAnswer struct {
	ID    string `json:"order_id"`
	After uint64 `json:"after"`
	Done  bool   `json:"done"` // nothing follows
}

func (s *Server) resumeFleet(w http.ResponseWriter, r *http.Request) {
	s.plainFleetOrder(w, r, messages.ResumeFleet{})
}

func (s *Server) rollFleet(w http.ResponseWriter, r *http.Request) {
	s.plainFleetOrder(w, r, messages.RollingRestart{})
}

func (s *Server) drainMachine(w http.ResponseWriter, r *http.Request) {
	s.plainFleetOrder(w, r, messages.DrainMachine{Source: r.PathValue("machine")})
}

func (s *Server) undrainMachine(w http.ResponseWriter, r *http.Request) {
	s.plainFleetOrder(w, r, messages.UndrainMachine{Source: r.PathValue("machine")})
}

func (s *Server) forgetMachine(w http.ResponseWriter, r *http.Request) {
	s.plainFleetOrder(w, r, messages.ForgetMachine{Source: r.PathValue("machine")})
}

func (s *Server) restartInFleet(w http.ResponseWriter, r *http.Request) {
	var b RestartBody
	if id, ok := number(w, r, "cluster"); ok && body(w, r, &b) {
		s.orderFleet(w, r, messages.RestartCluster{Cluster: messages.ClusterID(id), Fresh: b.Fresh})
	}
}

// plainFleetOrder passes on an order without a body.
func (s *Server) plainFleetOrder(w http.ResponseWriter, r *http.Request, d messages.FleetDirective) {
	if body(w, r, &struct{}{}) {
		s.orderFleet(w, r, d)
	}
}

// orderFleet passes on an order, and answers with MASTER's verdict.
func (s *Server) orderFleet(w http.ResponseWriter, r *http.Request, d messages.FleetDirective) {
	id := r.Header.Get(OrderID)
	if id == "" {
		id = rand.Text()
	}
	if len(id) > messages.FleetOrderIDMax || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
		refuse(w, http.StatusBadRequest, "bad_id", fmt.Sprintf("%s %.80q: want 1 to %d printable ASCII characters", OrderID, id, messages.FleetOrderIDMax))
		return
	}
	v, err := ask(r.Context(), func(answer func(messages.Verdict)) {
		s.fleet.OrderFleet(messages.FleetOrder{ID: id, Directive: d, By: requester(r), Answer: answer})
	})
	status := http.StatusAccepted
	if v.Done {
		status = http.StatusOK
	}
	answerVerdict(w, v, err, status, FleetOrderAnswer{id, v.After, v.Done})
}
