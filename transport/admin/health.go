package admin

import (
	"context"
	"io"
	"net/http"
)

// stands asks whether all is as it should be, and why not. An error is that nobody answers.
func (s *Server) stands(ctx context.Context) (ready bool, why string, err error) {
	if s.control == nil {
		v, err := s.lookAtFleet(ctx)
		ready, why = v.Ready()
		return ready, why, err
	}
	v, err := s.look(ctx)
	ready, why = v.Ready()
	return ready, why, err
}

// healthz is 200 as long as the actors answer: what does not cure itself by then is cured by starting the program again, which costs the bots nothing.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	if _, _, err := s.stands(r.Context()); err != nil {
		plain(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	plain(w, http.StatusOK, "ok")
}

// readyz is 200 when the machine, or the fleet, does what it is there for, and else says what it lacks.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ready, why, err := s.stands(r.Context())
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
