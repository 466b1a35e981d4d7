package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/discluster/control/transport/discord/guilds"
	"github.com/discluster/control/transport/discord/rules"
)

// Stats is the score and its references.
type Stats struct {
	rules.Score
	ShardCount int `json:"shard_count"` // recommended
	// the minimum of a cold start of ShardCount
	Floor int64 `json:"floor_ms"`
	// when each of ShardCount had been READY once; null before
	AllReadyAt *time.Time `json:"all_ready_at"`
	// RESUMEs at another address than resume_gateway_url
	ResumesElsewhere int   `json:"resumes_elsewhere"`
	MessagesSent     int64 `json:"messages_sent"` // by REST
	// registered application commands, of all guilds and the global ones
	Commands int `json:"commands"`
}

// Settings is the body of POST /settings; absent fields stay unchanged.
type Settings struct {
	Jitter          *int64   `json:"jitter_ms"`
	EventsPerSecond *float64 `json:"events_per_second"`
}

// routes returns all routes of the server.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.gateway)
	mux.HandleFunc("GET "+resumePath, s.gateway)
	for _, version := range apiVersions {
		api := fmt.Sprintf("/api/v%d", version)
		s.routeAPI(mux, "GET "+api)
		s.routeGuilds(mux, api)
		s.routeMessages(mux, api)
		s.routeCommands(mux, api)
	}
	mux.HandleFunc("POST /faults", s.postFault)
	mux.HandleFunc("POST /settings", s.postSettings)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.Stats()) })
	mux.HandleFunc("/", notFound)
	return http.MaxBytesHandler(anySlashes(mux), bodyMax)
}

// routeAPI adds one version of Discord's REST API; base is the method and the beginning of its
// addresses.
func (s *Server) routeAPI(mux *http.ServeMux, base string) {
	mux.HandleFunc(base+"/gateway", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, map[string]string{"url": gatewayURL(r)})
	})
	mux.HandleFunc(base+"/gateway/bot", s.authorized(func(w http.ResponseWriter, r *http.Request, bot rules.GatewayBot) {
		bot.URL = gatewayURL(r)
		answer(w, http.StatusOK, bot)
	}))
	mux.HandleFunc(base+"/users/@me", s.authorized(func(w http.ResponseWriter, _ *http.Request, _ rules.GatewayBot) {
		answer(w, http.StatusOK, guilds.Self())
	}))
	self := application{ID: guilds.Self().ID, Name: guilds.BotName, BotPublic: true, Owner: guilds.Owner(), Bot: guilds.Self().UserObject}
	me := s.authorized(func(w http.ResponseWriter, _ *http.Request, _ rules.GatewayBot) {
		answer(w, http.StatusOK, self)
	})
	mux.HandleFunc(base+"/applications/@me", me)
	mux.HandleFunc(base+"/oauth2/applications/@me", me) // its older address
}

// application is the bot's own (resources/application).
type application struct {
	ID                  string            `json:"id"`
	Name                string            `json:"name"`
	Icon                *string           `json:"icon"`
	Description         string            `json:"description"`
	Summary             string            `json:"summary"`
	BotPublic           bool              `json:"bot_public"`
	BotRequireCodeGrant bool              `json:"bot_require_code_grant"`
	VerifyKey           string            `json:"verify_key"`
	Team                *struct{}         `json:"team"`
	Owner               guilds.UserObject `json:"owner"`
	Bot                 guilds.UserObject `json:"bot"`
	Flags               int               `json:"flags"`
}

// gatewayURL returns the gateway at the address that the client used. Like Discord's it ends
// without a slash: clients append their query, with or without one. A client that resolved
// Discord's name to this server gets the server's own address: nothing would lead it here from
// another.
func gatewayURL(r *http.Request) string {
	scheme, host := "ws://", r.Host
	if r.TLS != nil {
		scheme = "wss://"
	}
	if here, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok && slices.Contains(discordNames, host) && here.Port != 443 {
		host = here.String()
	}
	return scheme + host
}

// authorized passes on a request that has the bot's token, unless there is an outage; f gets the
// answer of /gateway/bot, which checks both.
func (s *Server) authorized(f func(http.ResponseWriter, *http.Request, rules.GatewayBot)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, isBot := strings.CutPrefix(r.Header.Get("Authorization"), "Bot ")
		if !isBot {
			token = ""
		}
		var bot rules.GatewayBot
		status := http.StatusServiceUnavailable
		s.ask(func() { bot, status = s.discord.GatewayBot(time.Now(), token) })
		switch status {
		case http.StatusOK:
			f(w, r, bot)
		case http.StatusUnauthorized:
			fail(w, status, "401: Unauthorized")
		default:
			unavailable(w)
		}
	}
}

// plainToken returns a token without "Bot ", which Discord accepts in IDENTIFY too.
func plainToken(token string) string { return strings.TrimPrefix(token, "Bot ") }

// Stats returns the score and its references; after Close, the last.
func (s *Server) Stats() Stats {
	var stats Stats
	if !s.ask(func() { stats = s.stats() }) {
		return s.final
	}
	return stats
}

// stats is Stats for the owner.
func (s *Server) stats() Stats {
	count := max(s.config.ShardCount, 1)
	stats := Stats{
		Score: s.discord.Score(), ShardCount: count,
		Floor: s.config.Floor(count).Milliseconds(), ResumesElsewhere: s.elsewhere,
		MessagesSent: s.messages.Load(), Commands: s.commands.count(),
	}
	if at, ok := stats.AllReady(count); ok {
		stats.AllReadyAt = &at
	}
	return stats
}

func (s *Server) postFault(w http.ResponseWriter, r *http.Request) {
	var f rules.Fault
	if readBody(w, r, &f) {
		s.input(f) // valid: reading it has checked it
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) postSettings(w http.ResponseWriter, r *http.Request) {
	var set Settings
	if !readBody(w, r, &set) {
		return
	}
	if set.Jitter != nil {
		s.SetJitter(time.Duration(*set.Jitter) * time.Millisecond)
	}
	if set.EventsPerSecond != nil {
		s.SetEventsPerSecond(*set.EventsPerSecond)
	}
	w.WriteHeader(http.StatusNoContent)
}

// readBody decodes a request's JSON strictly, or answers with the error.
func readBody(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	var long *http.MaxBytesError
	switch {
	case err == nil:
		return true
	case errors.As(err, &long):
		fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("body over %d bytes", bodyMax))
	default:
		fail(w, http.StatusBadRequest, err.Error())
	}
	return false
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	fail(w, http.StatusNotFound, "404: Not Found")
}

// unavailable answers as in an outage.
func unavailable(w http.ResponseWriter) {
	fail(w, http.StatusServiceUnavailable, "503: Service Unavailable")
}

// fail answers with an error in Discord's form (topics/opcodes-and-status-codes, "JSON").
func fail(w http.ResponseWriter, status int, message string) {
	failCode(w, status, codeGeneral, message)
}

func failCode(w http.ResponseWriter, status, code int, message string) {
	answer(w, status, struct {
		Message string `json:"message"`
		Code    int    `json:"code"`
	}{message, code})
}

// answer writes v as JSON; errors of a client that has left are ignored.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
