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

// guarded passes on the requests that are allowed.
func (s *Server) guarded(next http.Handler) http.Handler {
	foreign := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.broken(w, r)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit(r))
		if c, _ := r.Context().Value(connKey{}).(*door.Conn); c != nil {
			defer c.Busy()()
		}
		if !s.visits.take(visitor(r), reads(r), 1, time.Now()) {
			w.Header().Set("Retry-After", "1")
			s.reject(w, r, http.StatusTooManyRequests, "too_many", "too many requests: wait a second")
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

// bodyLimit returns the most bytes of a request's body.
func bodyLimit(r *http.Request) int64 {
	if r.URL.Path == askPath {
		return askBodyMax
	}
	return bodyMax
}

// broken answers a panic of CONTROL's own code with an error.
func (s *Server) broken(w http.ResponseWriter, r *http.Request) {
	value := recover()
	if value == nil {
		return
	}
	if s.options.Broken != nil {
		s.options.Broken(r.Method+" "+r.URL.Path, fmt.Errorf("panic: %v\n%s", value, debug.Stack()))
	}
	refuse(w, http.StatusInternalServerError, "internal", "internal error; CONTROL's log has the details")
}

// admit checks a request that came over TCP.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, foreign *http.CrossOriginProtection) bool {
	switch {
	case !s.goodHost(r.Host):
		s.reject(w, r, http.StatusMisdirectedRequest, "host", "the request's host is neither this machine nor one of admin.hosts")
	case !s.authorized(r):
		w.Header().Add("WWW-Authenticate", `Bearer realm="control"`)
		w.Header().Add("WWW-Authenticate", `Basic realm="control", charset="UTF-8"`)
		if r.Header.Get("Authorization") != "" {
			s.visits.take(visitor(r), true, wrongTokenCosts, time.Now())
		}
		s.reject(w, r, http.StatusUnauthorized, "token", "want admin.token as a bearer token, or as the password of any user")
	case foreign.Check(r) != nil:
		s.reject(w, r, http.StatusForbidden, "origin", "the change was requested by the page of another site")
	default:
		return true
	}
	return false
}

// local reports whether the request came over the unix socket.
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

// goodHost reports whether a request may be for this host: a foreign DNS name that leads to this
// address may not.
func (s *Server) goodHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback() || slices.ContainsFunc(s.options.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// open are the routes that need no token: balancers and probes use them.
var open = []string{"/healthz", "/readyz"}

// authorized reports whether the request has the token, where one is required. Browsers send it as
// the password of Basic, since their pages cannot set a header for a stream.
func (s *Server) authorized(r *http.Request) bool {
	if s.options.Token == "" || slices.Contains(open, r.URL.Path) {
		return true
	}
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		_, token, _ = r.BasicAuth()
	}
	// of one length, which reveals nothing
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.options.Token.Reveal()))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// reject refuses a request that is not allowed, and ends its connection.
func (s *Server) reject(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	w.Header().Set("Connection", "close")
	refuse(w, status, code, message)
	if code == "token" && r.Header.Get("Authorization") == "" || s.options.Refused == nil {
		return // a browser's first request, before it asks its user
	}
	if n := s.rejections.count(time.Now()); n > 0 {
		s.options.Refused(messages.AdminRefused{Remote: visitor(r), Status: status, Refused: n, Err: message})
	}
}

// rejections counts the rejected requests.
type rejections struct {
	mu       sync.Mutex
	n        int
	reported time.Time
}

// reportEvery is the interval of reports about rejected requests.
const reportEvery = time.Minute

// count counts one more, and returns their number since the last report; 0: too soon for a report.
func (k *rejections) count(now time.Time) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n++
	if !k.reported.IsZero() && now.Sub(k.reported) < reportEvery {
		return 0
	}
	n, k.n, k.reported = k.n, 0, now
	return n
}

// visitor returns the address of a request's client, "" for the unix socket.
func visitor(r *http.Request) string {
	if local(r) {
		return ""
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host
}

// The rates of one visitor, refused requests included: people make changes, a few dashboards read.
// A wrong token costs as much as many reads, which stops guessing.
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

// take takes the cost from a visitor's budget, if some is left.
func (v *visits) take(from string, read bool, cost float64, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.of(from).take(read, cost, now)
}

// of returns the budget of a visitor. At the maximum it forgets the one with the oldest request; mu
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

// take takes tokens, if one is left; a cost over the rest empties the bucket.
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
