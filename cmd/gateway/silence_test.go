package gateway

import (
	"testing"
	"time"
)

// A bot that never connected is reported once and lives; one that did in an earlier run hangs, and
// has longer.
func TestSilence(t *testing.T) {
	for name, tc := range map[string]struct {
		before    bool
		connectAt int // look; 0: never
		report    int // looks until it is due; 0: never
		kill      int
	}{
		"never":              {false, 0, 30, 0},
		"in time":            {false, 29, 0, 0},
		"late":               {false, 40, 30, 0},
		"another run, never": {true, 0, 0, 180},
		"another run, late":  {true, 179, 0, 0},
	} {
		s, report, kill := silence{limit: silentMax}, 0, 0
		for look := 1; look <= 400 && kill == 0; look++ {
			switch s.look(tc.connectAt == look, tc.before, 30*time.Second) {
			case silentReport:
				report, s.reported = look, true
			case silentKill:
				kill = look
			}
		}
		if report != tc.report || kill != tc.kill {
			t.Errorf("%s: reported at look %d, killed at %d; want %d and %d", name, report, kill, tc.report, tc.kill)
		}
	}
}
