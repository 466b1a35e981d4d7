package admin

import (
	"context"
	"io"
	"net/http"
)

// readiness returns whether the machine, or the fleet, is ready, and if not, why. An error means
// that the actors do not answer.
func (s *Server) readiness(ctx context.Context) (ready bool, why string, err error) {
	if s.control == nil {
		v, err := s.fleetView(ctx)
		ready, why = v.Ready()
		return ready, why, err
	}
	v, err := s.machineView(ctx)
	ready, why = v.Ready()
	return ready, why, err
}

// healthz answers 200 while the actors answer. Trouble that does not pass by itself is cured by a
// restart of the program, which costs the bots nothing.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	if _, _, err := s.readiness(r.Context()); err != nil {
		plain(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	plain(w, http.StatusOK, "ok")
}

// readyz answers 200 when the machine, or the fleet, is ready, and else the reason.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ready, why, err := s.readiness(r.Context())
	switch {
	case err != nil:
		plain(w, http.StatusServiceUnavailable, err.Error())
	case !ready:
		plain(w, http.StatusServiceUnavailable, why)
	default:
		plain(w, http.StatusOK, "ready")
	}
}

func plain(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, line+"\n")
}
