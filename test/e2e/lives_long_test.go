//go:build e2e

package e2e

import (
	"fmt"
	"testing"
)

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
