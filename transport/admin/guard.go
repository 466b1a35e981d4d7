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
)

// guarded lets through who may.
func (s *Server) guarded(next http.Handler) http.Handler {
	foreign := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.broken(w, r)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, bodyMax)
		if !local(r) && !s.admit(w, r, foreign) {
			return
		}
		if !s.budget.take(reads(r), time.Now()) {
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, "too_many", "too many requests: wait a second")
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
		refuse(w, http.StatusMisdirectedRequest, "host", "the request is for a host that is neither this machine's own nor one of admin.hosts")
	case !s.bears(r):
		w.Header().Add("WWW-Authenticate", `Bearer realm="control"`)
		w.Header().Add("WWW-Authenticate", `Basic realm="control", charset="UTF-8"`)
		refuse(w, http.StatusUnauthorized, "token", "want admin.token as a bearer token, or as the password of any user")
	case foreign.Check(r) != nil:
		refuse(w, http.StatusForbidden, "origin", "the page of another site asks for this change")
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

// What all clients together may ask for: changes are made by people, reads by a handful of dashboards.
const (
	changesPerSecond, changesAtOnce = 5, 20
	readsPerSecond, readsAtOnce     = 100, 200
)

// budget is two buckets of tokens.
type budget struct {
	mu             sync.Mutex
	reads, changes bucket
}

type bucket struct {
	perSecond, most, left float64
	at                    time.Time
}

func newBudget() *budget {
	return &budget{reads: bucket{perSecond: readsPerSecond, most: readsAtOnce, left: readsAtOnce}, changes: bucket{perSecond: changesPerSecond, most: changesAtOnce, left: changesAtOnce}}
}

// take takes one request's worth, if there is one.
func (b *budget) take(read bool, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if read {
		return b.reads.take(now)
	}
	return b.changes.take(now)
}

func (b *bucket) take(now time.Time) bool {
	if !b.at.IsZero() {
		b.left = min(b.most, b.left+b.perSecond*max(now.Sub(b.at).Seconds(), 0))
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
