package cmd

import (
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/config"
)

// The level can change while derived loggers are in use; a line without a level always comes.
func TestThreshold(t *testing.T) {
	var out strings.Builder
	var from threshold
	log := newLog(&config.Config{Log: config.Log{Level: "warn", Format: config.FormatJSON}}, &from, &out)
	derived := log.With().Str("actor", "x").Logger()
	derived.Info().Msg("one")
	derived.Warn().Msg("two")
	from.set("debug")
	derived.Debug().Msg("three")
	from.set("error")
	derived.Warn().Msg("four")
	derived.Log().Msg("five")
	log.queue.flush(time.Minute)
	var said []string
	for _, word := range []string{"one", "two", "three", "four", "five"} {
		if strings.Contains(out.String(), word) {
			said = append(said, word)
		}
	}
	if got := strings.Join(said, " "); got != "two three five" {
		t.Errorf("said %s", got)
	}
}
