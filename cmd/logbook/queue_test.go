package logbook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
)

// valve is a reader of the log that takes lines, stalls, or is gone.
type valve struct {
	mu      sync.Mutex
	text    bytes.Buffer
	err     error
	stalled sync.Mutex // held: it stalls
}

func (v *valve) Write(b []byte) (int, error) {
	v.stalled.Lock()
	defer v.stalled.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		return 0, v.err
	}
	return v.text.Write(b)
}

// lines returns the lines taken so far.
func (v *valve) lines() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Split(strings.TrimSpace(v.text.String()), "\n")
}

func testLog(out io.Writer) *Book {
	return New(&config.Config{Log: config.Log{Level: "info", Format: config.FormatJSON}}, out)
}

// A reader that stalls blocks nothing. Lines that do not fit are counted, and reported as soon as
// the log is read again.
func TestLogOfAStalledReader(t *testing.T) {
	v, before := &valve{}, linesLost.Load()
	v.stalled.Lock()
	log := testLog(v)
	const lines = 100_000
	text := strings.Repeat("x", 100)
	for i := range lines {
		log.Info().Int("i", i).Msg(text)
	}
	began := time.Now()
	log.queue.flush(10 * time.Millisecond)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a flush without a reader took %v", took)
	}
	v.stalled.Unlock()
	log.Info().Msg("the last")
	log.queue.flush(time.Minute)
	got, lost := v.lines(), int(linesLost.Load()-before)
	if lost == 0 || lost == lines {
		t.Fatalf("%d lines were lost of %d", lost, lines)
	}
	if report := fmt.Sprintf(`"lines":%d,`, lost); strings.Count(strings.Join(got, "\n"), report) != 1 {
		t.Errorf("the log does not hold %s once; it ends in %s", report, got[max(0, len(got)-3):])
	}
	if kept := len(got) - 1; kept != lines+1-lost && kept != lines-lost {
		t.Errorf("%d lines came and %d were lost, of %d", kept, lost, lines+1)
	}
}

// The process goes on if the reader is gone, and reports the lost lines when it comes back.
func TestLogOfAReaderThatIsGone(t *testing.T) {
	v := &valve{err: errors.New("broken pipe")}
	log := testLog(v)
	for range 3 {
		log.Info().Msg("lost")
	}
	log.queue.flush(time.Minute)
	v.mu.Lock()
	v.err = nil
	v.mu.Unlock()
	log.Info().Msg("read")
	log.queue.flush(time.Minute)
	if got := v.lines(); len(got) != 2 || !strings.Contains(got[0], "read") || !strings.Contains(got[1], `"lines":3,`) {
		t.Errorf("got %q", got)
	}
}

// No line shows a secret, in either format.
func TestLogShowsNoSecret(t *testing.T) {
	for _, format := range []string{config.FormatJSON, config.FormatConsole} {
		v, c := &valve{}, &config.Config{Log: config.Log{Level: "info", Format: format}, Discord: config.Discord{Token: "the/token.of-this-test"}}
		c.Cluster.Env = map[string]string{"DB_PASSWORD": "a password\nof two lines"}
		log := New(c, v)
		log.Error().Err(errors.New("refused: the/token.of-\nthis-test")).Str("output", "login with a password\nof two lines").Str("id", messages.Secret("x").String()).Msg("bot failed")
		log.queue.flush(time.Minute)
		got := strings.Join(v.lines(), "\n")
		if strings.Contains(got, "this-test") || strings.Contains(got, "of two") || strings.Count(got, "[redacted]") != 3 {
			t.Errorf("%s: got %s", format, got)
		}
	}
}
