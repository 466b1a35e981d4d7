package bot

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discluster/control/messages"
)

// died returns the causes of the deaths that a CONTROL heard of, each with the time to the restart.
func died(l *control) (all []string) {
	for _, line := range l.heard() {
		var at, packet string
		_, _ = fmt.Sscan(line, &at)
		packet = line[len(at)+1:]
		var m messages.ChildDied
		if json.Unmarshal([]byte(packet), &m) == nil {
			all = append(all, fmt.Sprintf("%s, %d ms", m.Cause, m.RetryInMS))
		}
	}
	return all
}

// CONTROL hears of the deaths of the child, those while it was away included, if it takes them.
func TestChildDied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hello()
		h.Features = []string{messages.FeatureChild}
		m, l := join(t, newWorld(t), h, nil)
		m.ChildDied("exit code 1", "tail", time.Second)
		want(t, "linked", died(l), []string{"exit code 1, 1000 ms"})
		l.hangUp(errors.New("killed"))
		synctest.Wait()
		var newest []string
		for n := range deathsMax + 4 {
			m.ChildDied(fmt.Sprint("exit code ", n), "tail", time.Second)
			newest = append(newest, fmt.Sprintf("exit code %d, 0 ms", n))
		}
		next := m.w.dial()
		next.send(h)
		want(t, "back", died(next), newest[4:])
		next.hangUp(errors.New("killed"))
		synctest.Wait()
		m.ChildDied("exit code 2", "tail", time.Second)
		old := m.w.dial()
		old.send(hello())
		want(t, "a CONTROL that takes no deaths", died(old), nil)
		m.finish(old)
	})
}
