package ipc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/discluster/control/messages"
)

// recorded is one frame of the real peers, see testdata/README.md.
type recorded struct {
	where       string // file:line
	fromManager bool
	raw         []byte
}

// recordings returns every frame of testdata, the strace included.
func recordings(t testing.TB) []recorded {
	t.Helper()
	var all []recorded
	for _, pattern := range []string{"*.jsonl", "*.log"} {
		files, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no testdata/%s: %v", pattern, err)
		}
		for _, file := range files {
			all = append(all, tapped(t, file)...)
		}
	}
	return append(all, traced(t)...)
}

// tapped reads JSON lines with "raw"; "dir" is "M>I" or "I>M", and a line without it came from the
// official manager to a fake cluster process.
func tapped(t testing.TB, file string) []recorded {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []recorded
	lines := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		var line struct{ Dir, Raw string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s:%d: %v", file, number, err)
		}
		if line.Raw != "" {
			all = append(all, recorded{where: file + ":" + strconv.Itoa(number), fromManager: line.Dir != "I>M", raw: []byte(line.Raw)})
		}
	}
	return all
}

// traced reads the system calls of the official manager: it writes its own packets and reads the
// instance's. The separator is removed.
func traced(t testing.TB) []recorded {
	t.Helper()
	const file = "testdata/official-strace.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []recorded
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if strings.HasPrefix(line, "connect(") {
			continue
		}
		quoted := line[strings.Index(line, `"`) : strings.LastIndex(line, `"`)+1]
		raw, err := strconv.Unquote(quoted)
		frame, whole := strings.CutSuffix(raw, "\f")
		if err != nil || !whole {
			t.Fatalf("%s:%d: no frame (%v)", file, i+1, err)
		}
		all = append(all, recorded{where: file + ":" + strconv.Itoa(i+1), fromManager: strings.HasPrefix(line, "write("), raw: []byte(frame)})
	}
	return all
}

// again decodes and encodes a frame. message is nil where it could not be decoded.
func again(fromManager bool, frame []byte) (message any, out []byte, err error) {
	if fromManager {
		m, err := DecodeFromManager(frame)
		if err != nil {
			return nil, nil, err
		}
		out, err = EncodeFromManager(m)
		return m, out, err
	}
	m, err := DecodeFromInstance(frame)
	if err != nil {
		return nil, nil, err
	}
	out, err = EncodeFromInstance(m)
	return m, out, err
}

// meaning returns a JSON text as a value, its numbers as written.
func meaning(t testing.TB, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func TestEveryRecordedFrameComesBackEqual(t *testing.T) {
	all := recordings(t)
	if len(all) < 100 {
		t.Fatalf("only %d recorded frames", len(all))
	}
	for _, r := range all {
		_, out, err := again(r.fromManager, r.raw)
		if err != nil {
			t.Errorf("%s: %v", r.where, err)
		} else if !reflect.DeepEqual(meaning(t, out), meaning(t, r.raw)) {
			t.Errorf("%s:\n got %s\nwant %s", r.where, out, r.raw)
		}
	}
}

func TestTracedBytesComeBackExactly(t *testing.T) {
	for _, r := range traced(t) {
		if _, out, err := again(r.fromManager, r.raw); err != nil || !bytes.Equal(out, r.raw) {
			t.Errorf("%s: %v\n got %s\nwant %s", r.where, err, out, r.raw)
		}
	}
}

// The whole conversation of PROTOCOL A3, as values.
func TestTracedConversation(t *testing.T) {
	const (
		boss     = "14386345434290659167418524605215670272"
		bot      = "14386345434600144177235209336163139585"
		hello    = "14386345745245722785410322068662124546"
		goodbye  = "14386345889233623604791115292866510851"
		interval = 5000
	)
	want := []any{
		messages.Hello{ID: boss, EventID: hello, HeartbeatIntervalMS: interval, Shards: []int{0, 1}, TotalShards: 2},
		messages.Identify{ID: bot, EventID: hello},
		messages.Connected{EventID: bot},
		messages.Destroying{EventID: goodbye},
		messages.Destroying{EventID: goodbye},
	}
	all := traced(t)
	if len(all) != len(want) {
		t.Fatalf("%d frames, want %d", len(all), len(want))
	}
	for i, r := range all {
		if m, _, err := again(r.fromManager, r.raw); err != nil || !reflect.DeepEqual(m, want[i]) {
			t.Errorf("%s: got %#v, %v; want %#v", r.where, m, err, want[i])
		}
	}
}

// Each start failure that was recorded is a Failure with upstream's text.
func TestRecordedFailures(t *testing.T) {
	for file, want := range map[string]messages.FailureError{
		"official-fail-rest401.wire.jsonl":          {Name: "ValidationError", Message: "[GatewayManager] Invalid token provided"},
		"official-fail-close-4004.wire.jsonl":       {Name: "DiscordooError", Message: "[WebSocketManager] Shard 0 can not be connected because it received close code 4004 with reason fake 4004"},
		"official-fail-close-4014-catch.wire.jsonl": {Name: "DiscordooError", Message: "[WebSocketManager] Shard 0 can not be connected because it received close code 4014 with reason fake 4014"},
	} {
		count := 0
		for _, r := range tapped(t, filepath.Join("testdata", file)) {
			m, _, err := again(r.fromManager, r.raw)
			if err != nil {
				t.Fatalf("%s: %v", r.where, err)
			}
			if f, ok := m.(messages.Failure); ok {
				count++
				got := f.Error
				if got.Stack == "" {
					t.Errorf("%s: no stack", r.where)
				}
				if got.Stack = ""; got != want {
					t.Errorf("%s: got %+v, want %+v", r.where, got, want)
				}
			}
		}
		if count != 3 { // the official manager tries three times
			t.Errorf("%s: %d failures, want 3", file, count)
		}
	}
}
