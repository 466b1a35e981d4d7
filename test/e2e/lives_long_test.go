//go:build e2e

package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

func TestControlOf32ClustersKilled(t *testing.T) {
	t.Parallel()
	controlKilled(t, 32)
}

// A bot that served for a minute is restarted at once.
func TestBotKilledAfterAMinute(t *testing.T) {
	t.Parallel()
	b := serving(t, 20, 10, nil)
	<-time.After(61 * time.Second) // a cluster counts as healthy after a minute
	began := time.Now()
	b.signal(b.clusters()[0], syscall.SIGKILL)
	died, seen, back := b.backAfter(began, b.count)
	t.Logf("seen after %v; 10 shards READY %v after the kill", seen, seen+back)
	if died.retry() != 0 {
		t.Errorf("want no wait: %v", died)
	}
	b.cared()
	b.stop()
}

func TestControlKilledWhileItStartsOften(t *testing.T) {
	t.Parallel()
	for i := range 12 {
		t.Run(fmt.Sprintf("from nothing %d", i), func(t *testing.T) {
			t.Parallel()
			killedWhileStarting(t, 3, 0)
		})
	}
	t.Run("all at once", func(t *testing.T) {
		t.Parallel()
		killedWhileStarting(t, 40, 0)
	})
	t.Run("in two waves", func(t *testing.T) {
		t.Parallel()
		killedWhileStarting(t, 24, 1)
	})
}
