package admin

import (
	"io"
	"net/http"
)

// healthz is 200 as long as CONTROL's actors answer: what does not cure itself by then is cured by starting CONTROL again, which costs the bots nothing.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	if _, err := s.look(r.Context()); err != nil {
		plain(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	plain(w, http.StatusOK, "ok")
}

// readyz is 200 when the machine does what it is there for, and else says what it lacks.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	v, err := s.look(r.Context())
	if err != nil {
		plain(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	if ready, why := v.Ready(); !ready {
		plain(w, http.StatusServiceUnavailable, why)
		return
	}
	plain(w, http.StatusOK, "ready")
}

func plain(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, line+"\n")
}
