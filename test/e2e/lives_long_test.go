//go:build e2e

package e2e

import "testing"

func TestControlKilledWhileItStartsOften(t *testing.T) {
	t.Parallel()
	t.Run("all at once", func(t *testing.T) {
		t.Parallel()
		killedWhileStarting(t, 60, 0)
	})
	t.Run("in two waves", func(t *testing.T) {
		t.Parallel()
		killedWhileStarting(t, 24, 1)
	})
}
