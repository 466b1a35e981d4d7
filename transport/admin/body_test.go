package admin

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// Limits of one refresh of the page of a machine with largeShards shards.
const (
	largeShards  = 10_000
	refreshBytes = 50_000
	refreshPath  = "/api/v1/machine?shard_figures=false"
)

// aLargeView is a machine with largeShards shards, all READY, no two figures alike.
func aLargeView() messages.View {
	const each = 16
	random := rand.New(rand.NewPCG(1, 2))
	v := aView()
	v.Clusters = nil
	v.Machine.Shards, v.Machine.ShardsReady, v.Machine.ShardCount = largeShards, largeShards, largeShards
	for first := 0; first < largeShards; first += each {
		c := messages.ClusterView{Cluster: messages.ClusterID(first / each), Shards: messages.ShardRange{First: first, Last: first + each - 1}, State: messages.ClusterServing,
			Since: v.At.Add(-time.Duration(random.IntN(1e9)) * time.Millisecond), PID: 1000 + random.IntN(1e6), ShardsReady: each, States: strings.Repeat("R", each),
			Waiting: slices.Repeat([]int{7}, each), WaitingMS: slices.Repeat([]messages.Milliseconds{7000}, each), Guilds: each*900 + random.IntN(3000), Sessions: each}
		for range each {
			c.LatencyMS, c.Events = append(c.LatencyMS, messages.Milliseconds(40+random.IntN(80))), append(c.Events, float64(random.IntN(2000))/10)
		}
		v.Clusters = append(v.Clusters, c)
	}
	return v
}

// someUsage answers for the kernel about a process.
func someUsage(pid int) (proc.Used, bool) {
	return proc.Used{Age: time.Duration(pid) * 7919 * time.Millisecond, CPU: time.Duration(pid) * 977 * time.Millisecond, Resident: int64(pid) * 4096}, true
}

// ask asks a server without a socket between.
func (s *Server) asked(path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "localhost"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(w, r)
	return w
}

const takeGzip = "Accept-Encoding: gzip, deflate, br"

// unpacked reads a compressed body.
func unpacked(t *testing.T, body io.Reader) []byte {
	t.Helper()
	r, err := gzip.NewReader(body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Every list and view has a tag, with which it is not sent twice.
func TestTags(t *testing.T) {
	control := &stub{view: aView(), kept: messages.EventBatch{Last: 8, Events: []messages.EventRecord{record(8, messages.MachineLeft{Source: "m2"})}}}
	s := New(Options{}, control, control)
	t.Cleanup(s.Close)
	s.usages.ask = someUsage
	for path, methods := range describe(t).Paths {
		if _, get := methods["get"]; !get || !strings.HasPrefix(path, "/api/") {
			continue
		}
		path = strings.NewReplacer("{cluster}", "1", "{shard}", "5", "{guild}", "81384788765712384").Replace(path)
		first := s.asked(path)
		tag := first.Header().Get("ETag")
		if first.Code != http.StatusOK || tag == "" || first.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, ETag %q, %v", path, first.Code, tag, first.Header())
			continue
		}
		for _, known := range []string{tag, `"x", ` + tag, strings.TrimPrefix(tag, "W/"), "*"} {
			if again := s.asked(path, takeGzip, "If-None-Match: "+known); again.Code != http.StatusNotModified || again.Body.Len() > 0 || again.Header().Get("ETag") != tag {
				t.Errorf("%s: %d with %d bytes and %q for %s", path, again.Code, again.Body.Len(), again.Header().Get("ETag"), known)
			}
		}
		if other := s.asked(path, `If-None-Match: "x", W/"y"`); other.Code != http.StatusOK || other.Body.String() != first.Body.String() {
			t.Errorf("%s: %d for tags of others", path, other.Code)
		}
	}
	tag := s.asked("/api/v1/machine").Header().Get("ETag")
	control.view.At = control.view.At.Add(1234567 * time.Microsecond)
	if again := s.asked("/api/v1/machine").Header().Get("ETag"); again != tag {
		t.Error("another tag for what differs in its time alone")
	}
	control.view.LastEvent++
	if again := s.asked("/api/v1/machine").Header().Get("ETag"); again == tag {
		t.Error("one tag for two views")
	}
	control.view.LastEvent--
	control.view.Clusters[0].Since = control.view.At
	if again := s.asked("/api/v1/machine").Header().Get("ETag"); again == tag {
		t.Error("one tag for two views that differ in another time")
	}
}

// A client that takes gzip gets it, of what is large.
func TestCompression(t *testing.T) {
	control := &stub{view: aView()}
	s := New(Options{}, control, control)
	t.Cleanup(s.Close)
	s.usages.ask = someUsage
	plain := s.asked("/api/v1/machine")
	for accept, packed := range map[string]bool{
		"gzip": true, "deflate, GZIP;q=0.5, br": true, "gzip;q=0": false, "gzip; q=0.000": false, "br": false, "": false, "gzip;q=x": false, "xgzip": false,
	} {
		got := s.asked("/api/v1/machine", "Accept-Encoding: "+accept)
		body := got.Body.Bytes()
		if is := got.Header().Get("Content-Encoding") == "gzip"; is != packed || got.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: %v", accept, got.Header())
		} else if is {
			body = unpacked(t, got.Body)
		}
		if !bytes.Equal(body, plain.Body.Bytes()) || got.Header().Get("ETag") != plain.Header().Get("ETag") {
			t.Errorf("%q: another answer", accept)
		}
	}
	if small := s.asked("/api/v1/shards/5", takeGzip); small.Header().Get("Content-Encoding") != "" {
		t.Error("100 bytes are compressed")
	}
	if file := s.asked("/page/page.css", takeGzip); file.Header().Get("Content-Encoding") != "gzip" || file.Header().Get("Content-Type") != pageTypes[".css"] {
		t.Errorf("a file of the page: %v", file.Header())
	}
}

// The operator's own socket compresses nothing.
func TestNoCompressionOnTheSocket(t *testing.T) {
	s := New(Options{}, &stub{view: aView()}, nil)
	t.Cleanup(s.Close)
	socket := filepath.Join(t.TempDir(), "s")
	if err := s.ListenUnix(socket); err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	r, err := client.Get("http://control/api/v1/machine")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.Uncompressed || r.Header.Get("ETag") == "" {
		t.Errorf("compressed: %v, %v", r.Uncompressed, r.Header)
	}
}

// A refresh of the largest page is small. Its only figures that are left out are those of shards.
func TestRefreshOfALargePage(t *testing.T) {
	s := New(Options{}, &stub{view: aLargeView()}, nil)
	t.Cleanup(s.Close)
	s.usages.ask = someUsage
	whole, slim := s.asked("/api/v1/machine", takeGzip).Body, s.asked(refreshPath, takeGzip).Body
	t.Logf("%d bytes, %d with the figures of shards", slim.Len(), whole.Len())
	if slim.Len() > refreshBytes {
		t.Errorf("%d bytes, want no more than %d", slim.Len(), refreshBytes)
	}
	var all, few messages.View
	for body, into := range map[*bytes.Buffer]*messages.View{whole: &all, slim: &few} {
		if err := json.Unmarshal(unpacked(t, body), into); err != nil {
			t.Fatal(err)
		}
	}
	for i := range all.Clusters {
		c := &all.Clusters[i]
		if len(c.LatencyMS) != 16 || len(c.Events) != 16 {
			t.Fatalf("cluster %d: %d and %d figures", i, len(c.LatencyMS), len(c.Events))
		}
		c.LatencyMS, c.Events, c.Waiting, c.WaitingMS = nil, nil, nil, nil
	}
	want, _ := json.Marshal(all)
	if got, _ := json.Marshal(few); !bytes.Equal(got, want) {
		t.Error("more is left out")
	}
}

// BenchmarkRefresh is one refresh of the page of 10,000 shards, of which the view itself is the
// desk's. cpu-µs/op is the processor time of this process, whatever else the machine does.
func BenchmarkRefresh(b *testing.B) {
	s := New(Options{}, &stub{view: aLargeView()}, nil)
	b.Cleanup(s.Close)
	ask := s.usages.ask
	s.usages.ask = func(int) (proc.Used, bool) { return ask(1) } // a process that there is
	s.visits.all = map[string]*budget{"192.0.2.1": {reads: bucket{perSecond: 1e9, most: 1e9, left: 1e9}}}
	for name, path := range map[string]string{"refresh": refreshPath, "first": "/api/v1/machine"} {
		b.Run(name, func(b *testing.B) {
			var size int
			before := processorTime(b)
			for b.Loop() {
				got := s.asked(path, takeGzip)
				if got.Code != http.StatusOK {
					b.Fatal(got.Code)
				}
				size = got.Body.Len()
			}
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(size), "bytes/op")
		})
	}
}

// processorTime returns what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	used, known := proc.Usage(os.Getpid())
	if !known {
		b.Skip("the processor time of a process is not known here")
	}
	return used.CPU
}
