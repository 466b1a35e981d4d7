package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// route is one row of the table of the API. The test of openapi.json compares the two.
type route struct {
	of      source
	pattern string // as http.ServeMux has it
	serve   func(*Server, http.ResponseWriter, *http.Request)
}

// source is the provider of a route's data: a machine, a fleet, or either of them.
type source int

const (
	either source = iota
	ofMachine
	ofFleet
)

var routes = []route{
	{either, "GET /{$}", (*Server).front},
	{either, "GET /page/{file}", (*Server).pageFile},
	{either, "GET /healthz", (*Server).healthz},
	{either, "GET /readyz", (*Server).readyz},
	{either, "GET /metrics", (*Server).metrics},
	{either, "GET /api/v1/openapi.json", (*Server).openapi},
	{ofMachine, "GET /api/v1/machine", (*Server).machine},
	{ofMachine, "GET /api/v1/clusters", (*Server).clusters},
	{ofMachine, "GET /api/v1/clusters/{cluster}", (*Server).cluster},
	{ofMachine, "GET /api/v1/shards", (*Server).shards},
	{ofMachine, "GET /api/v1/shards/{shard}", (*Server).shard},
	{ofMachine, "GET /api/v1/sessions", (*Server).sessions},
	{either, "GET /api/v1/whereis/{guild}", (*Server).whereis},
	{ofMachine, "GET /api/v1/identify", (*Server).identify},
	{either, "GET /api/v1/events", (*Server).events},
	{ofFleet, "GET /api/v1/fleet", (*Server).wholeFleet},
	{ofMachine, "POST /api/v1/clusters/{cluster}/restart", (*Server).restart},
	{ofMachine, "POST /api/v1/clusters/{cluster}/drain", (*Server).drain},
	{ofMachine, "POST /api/v1/clusters/{cluster}/stop", (*Server).stop},
	{ofMachine, "POST /api/v1/rolling-restart", (*Server).rollingRestart},
	{ofMachine, "POST /api/v1/accept-master", (*Server).acceptMaster},
	{ofMachine, "POST " + askPath, (*Server).askClusters},
	{ofFleet, "POST /api/v1/fleet/resume", (*Server).resumeFleet},
	{ofFleet, "POST /api/v1/fleet/rolling-restart", (*Server).rollFleet},
	{ofFleet, "POST /api/v1/fleet/clusters/{cluster}/restart", (*Server).restartInFleet},
	{ofFleet, "POST /api/v1/fleet/machines/{machine}/drain", (*Server).drainMachine},
	{ofFleet, "POST /api/v1/fleet/machines/{machine}/undrain", (*Server).undrainMachine},
	{ofFleet, "POST /api/v1/fleet/machines/{machine}/forget", (*Server).forgetMachine},
}

func (s *Server) mux() http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes {
		if r.of == ofMachine && s.control == nil || r.of == ofFleet && s.fleet == nil {
			continue
		}
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) { r.serve(s, w, req) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "no_route", "no such route: "+r.Method+" "+r.URL.Path)
	})
	return mux
}

// Problem is the body of every answer that is not a success.
type Problem struct {
	Code    string `json:"code"` // for programs
	Message string `json:"message"`
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, struct {
		Error Problem `json:"error"`
	}{Problem{code, message}})
}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		status, text = http.StatusInternalServerError, fmt.Appendf(nil, `{"error":{"code":"internal","message":%q}}`, err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}

// failed answers for a CONTROL that did not answer.
func failed(w http.ResponseWriter, err error) {
	refuse(w, http.StatusServiceUnavailable, "no_answer", err.Error())
}

// number reads a number in the path, and answers with an error if it is invalid.
func number(w http.ResponseWriter, r *http.Request, name string) (n int, ok bool) {
	n, err := strconv.Atoi(r.PathValue(name))
	if err != nil || n < 0 {
		refuse(w, http.StatusBadRequest, "bad_number", fmt.Sprintf("%s %.40q: want a number of at least 0", name, r.PathValue(name)))
		return 0, false
	}
	return n, true
}

// body reads the request's JSON strictly, and answers with an error if it is wrong. An empty body
// leaves the value unchanged.
func body(w http.ResponseWriter, r *http.Request, into any) (ok bool) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if errors.Is(err, io.EOF) {
		return true
	}
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return true
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("body over %d bytes", large.Limit))
	default:
		refuse(w, http.StatusBadRequest, "bad_body", "body: "+err.Error())
	}
	return false
}
