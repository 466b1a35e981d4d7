package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/door"
)

// guarded lets through who may.
func (s *Server) guarded(next http.Handler) http.Handler {
	foreign := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.broken(w, r)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, bodyMax)
		if c, _ := r.Context().Value(connKey{}).(*door.Conn); c != nil {
			defer c.Busy()()
		}
		if !s.visits.take(visitor(r), reads(r), 1, time.Now()) {
			w.Header().Set("Retry-After", "1")
			s.turnAway(w, r, http.StatusTooManyRequests, "too_many", "too many requests: wait a second")
			return
		}
		if !local(r) && !s.admit(w, r, foreign) {
			return
		}
		if !reads(r) && !isJSON(r) {
			refuse(w, http.StatusUnsupportedMediaType, "not_json", "want content-type: application/json")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// broken makes a panic of our own one bad answer.
func (s *Server) broken(w http.ResponseWriter, r *http.Request) {
	value := recover()
	if value == nil {
		return
	}
	if s.options.Broken != nil {
		s.options.Broken(r.Method+" "+r.URL.Path, fmt.Errorf("panic: %v\n%s", value, debug.Stack()))
	}
	refuse(w, http.StatusInternalServerError, "internal", "CONTROL made a mistake here; its log says which")
}

// admit looks at what came over TCP.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, foreign *http.CrossOriginProtection) bool {
	switch {
	case !s.goodHost(r.Host):
		s.turnAway(w, r, http.StatusMisdirectedRequest, "host", "the request is for a host that is neither this machine's own nor one of admin.hosts")
	case !s.bears(r):
		w.Header().Add("WWW-Authenticate", `Bearer realm="control"`)
		w.Header().Add("WWW-Authenticate", `Basic realm="control", charset="UTF-8"`)
		if r.Header.Get("Authorization") != "" {
			s.visits.take(visitor(r), true, wrongTokenCosts, time.Now())
		}
		s.turnAway(w, r, http.StatusUnauthorized, "token", "want admin.token as a bearer token, or as the password of any user")
	case foreign.Check(r) != nil:
		s.turnAway(w, r, http.StatusForbidden, "origin", "the page of another site asks for this change")
	default:
		return true
	}
	return false
}

// local reports whether the request came by the unix socket.
func local(r *http.Request) bool {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && at.Network() == "unix"
}

// reads reports whether the request changes nothing.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

func isJSON(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// goodHost reports whether a request may be for this host: a name that leads here by somebody else's DNS may not.
func (s *Server) goodHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback() || slices.ContainsFunc(s.options.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// open are the routes that need no token: they tell a balancer or a probe that something is there.
var open = []string{"/healthz", "/readyz"}

// bears reports whether the request bears the token, where one is wanted. As the password of Basic it comes from browsers, whose pages cannot set a header for a stream.
func (s *Server) bears(r *http.Request) bool {
	if s.options.Token == "" || slices.Contains(open, r.URL.Path) {
		return true
	}
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		_, token, _ = r.BasicAuth()
	}
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.options.Token.Reveal())) // of one length, which tells nothing
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// turnAway refuses a request that may not be, and ends its connection.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	w.Header().Set("Connection", "close")
	refuse(w, status, code, message)
	if code == "token" && r.Header.Get("Authorization") == "" || s.options.Refused == nil {
		return // a browser asks so before it asks its user
	}
	if n := s.knocks.count(time.Now()); n > 0 {
		s.options.Refused(messages.AdminRefused{Remote: visitor(r), Status: status, Refused: n, Err: message})
	}
}

// knocks counts those who are turned away.
type knocks struct {
	mu   sync.Mutex
	n    int
	said time.Time
}

// knocksEvery is how often it is said that requests are refused.
const knocksEvery = time.Minute

// count counts one more, and returns how many there were since it was said last; 0: it is too soon
// to say it.
func (k *knocks) count(now time.Time) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n++
	if !k.said.IsZero() && now.Sub(k.said) < knocksEvery {
		return 0
	}
	n, k.n, k.said = k.n, 0, now
	return n
}

// visitor is the address that a request comes from, "" for the unix socket.
func visitor(r *http.Request) string {
	if local(r) {
		return ""
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host
}

// What a visitor may ask for, refused or not: changes are made by people, reads by a handful of
// dashboards. A wrong token costs as much as many reads, so that nobody guesses.
const (
	changesPerSecond, changesAtOnce = 5, 20
	readsPerSecond, readsAtOnce     = 100, 200

	wrongTokenCosts = 20
	visitorsMax     = 1024
)

// visits are the budgets of the visitors, by address.
type visits struct {
	mu  sync.Mutex
	all map[string]*budget
}

// take takes the worth of so many requests from a visitor's budget, if there is some left.
func (v *visits) take(from string, read bool, cost float64, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.of(from).take(read, cost, now)
}

// of returns the budget of a visitor. Of too many, the one that asked least lately is forgotten; mu
// is held.
func (v *visits) of(from string) *budget {
	b := v.all[from]
	if b != nil {
		return b
	}
	if v.all == nil {
		v.all = map[string]*budget{}
	}
	if len(v.all) >= visitorsMax {
		oldest := ""
		for one, b := range v.all {
			if one != "" && (oldest == "" || b.at.Before(v.all[oldest].at)) {
				oldest = one
			}
		}
		delete(v.all, oldest)
	}
	b = newBudget()
	v.all[from] = b
	return b
}

// budget is two buckets of tokens.
type budget struct {
	reads, changes bucket
	at             time.Time // of the last request
}

type bucket struct {
	perSecond, most, left float64
	at                    time.Time
}

func newBudget() *budget {
	return &budget{reads: bucket{perSecond: readsPerSecond, most: readsAtOnce, left: readsAtOnce}, changes: bucket{perSecond: changesPerSecond, most: changesAtOnce, left: changesAtOnce}}
}

func (b *budget) take(read bool, cost float64, now time.Time) bool {
	b.at = now
	if read {
		return b.reads.take(cost, now)
	}
	return b.changes.take(cost, now)
}

// take takes tokens, if there is one; more than there are leave none.
func (b *bucket) take(cost float64, now time.Time) bool {
	if !b.at.IsZero() {
		b.left = min(b.most, b.left+b.perSecond*max(now.Sub(b.at).Seconds(), 0))
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left = max(0, b.left-cost)
	return true
}
