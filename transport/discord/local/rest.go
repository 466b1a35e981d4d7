package local

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gorilla/websocket"
)

// routes serves the gateway, answers questions for its URL, and passes the other requests of the
// API on. A path may have slashes too many: some libraries add one.
//
// The gateway is at its secret path, and at the root for libraries that ask for its URL without the
// token (eris, arikawa). No browser gets in there. A request with the bot's token keeps its
// connection; any other loses it where there is no room for the bot's.
func (s *Server) routes() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimRight(r.URL.Path, "/")
		own := s.takes(r.Header.Get("Authorization"))
		if own {
			defer busy(r)()
		}
		switch rest, isAPI := strings.CutPrefix(path, "/api/"); {
		case path == s.path, path == "" && websocket.IsWebSocketUpgrade(r) && r.Header.Get("Origin") == "":
			s.gateway(w, r)
		case isAPI && gatewayRoute(rest) == "gateway" && !own:
			answer(w, http.StatusOK, map[string]any{"url": strings.TrimSuffix(s.url, s.path)})
		case isAPI && gatewayRoute(rest) == "gateway":
			answer(w, http.StatusOK, map[string]any{"url": s.url})
		case isAPI && gatewayRoute(rest) == "gateway/bot":
			s.gatewayBot(w, r)
		case isAPI && s.api != nil:
			s.api.ServeHTTP(w, r)
		default:
			answer(w, http.StatusNotFound, map[string]any{"message": "404: Not Found", "code": 0})
		}
	})
}

// gatewayRoute is a path below /api/ without the version.
func gatewayRoute(path string) string {
	if version, rest, ok := strings.Cut(path, "/"); ok && strings.HasPrefix(version, "v") {
		return rest
	}
	return path
}

// gatewayBot answers GET /gateway/bot (Discord docs, Get Gateway Bot). The shards of a bot need not
// wait for one another here: IDENTIFYs to Discord are paced behind this gateway.
func (s *Server) gatewayBot(w http.ResponseWriter, r *http.Request) {
	if !s.takes(r.Header.Get("Authorization")) {
		answer(w, http.StatusUnauthorized, map[string]any{"message": "401: Unauthorized", "code": 0})
		return
	}
	n := s.cfg.ShardCount
	limit := map[string]int{
		"total": max(1000, n), "remaining": max(1000, n), "reset_after": 0, "max_concurrency": n,
	}
	answer(w, http.StatusOK, map[string]any{"url": s.url, "shards": n, "session_start_limit": limit})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone
}
