package admin

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

func record(id uint64, e messages.Event) messages.EventRecord {
	return messages.EventRecord{ID: id, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Machine: "m1", Event: e}
}

// openStream opens a stream, and returns its lines.
func openStream(t *testing.T, at, query string, headers ...string) (lines *bufio.Scanner, status int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+at+"/api/v1/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return bufio.NewScanner(resp.Body), resp.StatusCode
}

// wantLines checks the next lines.
func wantLines(t *testing.T, lines *bufio.Scanner, want ...string) {
	t.Helper()
	for _, w := range want {
		if !lines.Scan() || lines.Text() != w {
			t.Fatalf("line %q, want %q (%v)", lines.Text(), w, lines.Err())
		}
	}
}

// A stream starts with the kept events after the last one of its reader, and continues with new
// ones.
func TestStream(t *testing.T) {
	adopted := messages.ClusterAdopted{Cluster: 1, Shards: "4-7", PID: 5}
	control := &stub{kept: messages.EventBatch{Gap: true, Last: 8, Events: []messages.EventRecord{record(8, adopted)}}}
	_, at := serve(t, Options{}, control)
	lines, _ := openStream(t, at, "?after=3&level=debug", "Last-Event-ID: 6")
	wantLines(t, lines, "retry: 2000", "", "event: gap", `data: {"last_event":8}`, "",
		"id: 8", `data: {"id":8,"event":"cluster.adopted","at":"2026-01-02T03:04:05.000Z","machine":"m1","level":"info","cluster":1,"shards":"4-7","pid":5}`, "")
	if f := control.follows[0]; f.After != 6 || f.Least != messages.LevelDebug {
		t.Errorf("it follows after %d, from level %v on", f.After, f.Least)
	}
	control.send(messages.EventBatch{Last: 9, Events: []messages.EventRecord{record(9, messages.DiscordOutage{On: true, Out: 3, Shards: 8})}})
	wantLines(t, lines, "id: 9", `data: {"id":9,"event":"discord.outage","at":"2026-01-02T03:04:05.000Z","machine":"m1","level":"error","on":true,"shards_out":3,"shards":8}`, "")
}

// Without the stream's content type the kept events are a list; all of them without an id.
func TestEventList(t *testing.T) {
	control := &stub{kept: messages.EventBatch{Gap: true, Last: 8, Events: []messages.EventRecord{record(8, messages.MachineLeft{Source: "m2"})}}}
	_, at := serve(t, Options{}, control)
	for query, gap := range map[string]bool{"": false, "?after=3": true} {
		_, answer := request(t, at, "GET", "/api/v1/events"+query, "")
		want := fmt.Sprintf(`{"last_event":8,"gap":%v,"events":[{"id":8,"event":"machine.left","at":"2026-01-02T03:04:05.000Z","machine":"m1","level":"info","source":"m2"}]}`, gap)
		if strings.TrimSpace(answer) != want {
			t.Errorf("%q:\n got %s\nwant %s", query, answer, want)
		}
	}
}

// A client that does not read is disconnected, and blocks no other.
func TestSlowReader(t *testing.T) {
	control := &stub{}
	_, at := serve(t, Options{}, control)
	slow, _ := openStream(t, at, "?level=debug")
	quick, _ := openStream(t, at, "?level=debug")
	wantLines(t, slow, "retry: 2000", "")
	wantLines(t, quick, "retry: 2000", "")
	long := messages.ControlBroken{Err: strings.Repeat("x", 32<<10)}
	heard := make(chan bool)
	go func() {
		for id := 0; quick.Scan(); {
			if quick.Text() == fmt.Sprintf("id: %d", id) {
				heard <- true
				id++
			}
		}
		close(heard)
	}()
	left := 2
	for id := uint64(0); left > 1; id++ {
		if id > 3*batchesMax {
			t.Fatal("a reader that does not read is kept")
		}
		left = control.send(messages.EventBatch{Last: id, Events: []messages.EventRecord{record(id, long)}})
		if left > 0 && !<-heard {
			t.Fatal("the quick one was hung up on")
		}
	}
	if left != 1 {
		t.Errorf("%d are left, want the quick one", left)
	}
}

// Streams are limited, for each address. Those of the unix socket count apart.
func TestStreamsMax(t *testing.T) {
	control := &stub{}
	s, at := serve(t, Options{}, control)
	for range streamsEach {
		lines, status := openStream(t, at, "")
		if status != http.StatusOK {
			t.Fatal(status)
		}
		wantLines(t, lines, "retry: 2000", "")
	}
	if _, status := openStream(t, at, ""); status != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", status)
	}
	if _, done := s.streams.enter(""); done == nil {
		t.Error("the operator's stream is refused")
	}
	s.Close() // ends all of them
}

func TestStreamPools(t *testing.T) {
	var p pools
	var done []func()
	for i := range streamsMax {
		_, d := p.enter(fmt.Sprint(i / streamsEach))
		if d == nil {
			t.Fatalf("stream %d is refused", i)
		}
		done = append(done, d)
	}
	if _, d := p.enter("another"); d != nil {
		t.Error("one too many over TCP")
	}
	for range streamsEach {
		if _, d := p.enter(""); d == nil {
			t.Fatal("one of the unix socket is refused")
		}
	}
	if _, d := p.enter(""); d != nil {
		t.Error("one too many over the unix socket")
	}
	done[0]()
	if open, d := p.enter("another"); d == nil || open != streamsMax+streamsEach {
		t.Error("one that ended makes no room")
	}
}
