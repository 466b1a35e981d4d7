package logbook

import (
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/config"
)

// The level can change while derived loggers are in use; a line without a level is always written.
func TestThreshold(t *testing.T) {
	var out strings.Builder
	log := New(&config.Config{Log: config.Log{Level: "warn", Format: config.FormatJSON}}, &out)
	derived := log.With().Str("actor", "x").Logger()
	derived.Info().Msg("one")
	derived.Warn().Msg("two")
	log.SetLevel("debug")
	derived.Debug().Msg("three")
	log.SetLevel("error")
	derived.Warn().Msg("four")
	derived.Log().Msg("five")
	log.queue.flush(time.Minute)
	var written []string
	for _, word := range []string{"one", "two", "three", "four", "five"} {
		if strings.Contains(out.String(), word) {
			written = append(written, word)
		}
	}
	if got := strings.Join(written, " "); got != "two three five" {
		t.Errorf("written: %s", got)
	}
}
