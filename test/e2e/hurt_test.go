package e2e

import (
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// retry returns the wait that CONTROL announced before it starts a cluster again.
func (l line) retry() time.Duration {
	ms, _ := l["retry_in_ms"].(float64)
	return time.Duration(ms) * time.Millisecond
}

// backAfter waits until the cluster that died is READY again. It returns the time from began to the
// report of its death, and from the end of its wait to READY.
func (b *bots) backAfter(began time.Time, readies int) (died line, seen, back time.Duration) {
	b.t.Helper()
	died = b.line("cluster.died")
	b.logged("cluster.ready", readies+1)
	ready := b.lines("cluster.ready")[readies]
	return died, died.at(b.t).Sub(began), ready.at(b.t).Sub(died.at(b.t)) - died.retry()
}

// A bot of ten shards is killed: CONTROL notices at once, and the next process resumes all of them.
func TestBotKilled(t *testing.T) {
	t.Parallel()
	b := serving(t, 20, 10, nil)
	began := time.Now()
	b.signal(b.clusters()[0], syscall.SIGKILL)
	died, seen, back := b.backAfter(began, b.count)
	t.Logf("seen after %v; 10 shards READY %v after the wait of %v, %v in all", seen, back, died.retry(), seen+back)
	if died["exit"] != "signal killed" || died["cause"] != "exited" {
		t.Errorf("%v", died)
	}
	if wait := died.retry(); wait != 0 {
		t.Errorf("it waits %v, want none after the first short service", wait)
	}
	b.cared()
	if n := b.d.stats().Resumes; n != 10 {
		t.Errorf("%d resumes, want 10", n)
	}
	b.stop()
}

// A bot is stopped, as by a debugger or a frozen disk: after two missed heartbeats the next process
// resumes.
func TestBotStopped(t *testing.T) {
	t.Parallel()
	const beat = 500 * time.Millisecond
	b := serving(t, 4, 2, settings{"cluster.heartbeat_interval": beat.String()})
	before := b.clusters()
	began := time.Now()
	b.signal(before[0], syscall.SIGSTOP)
	died, seen, back := b.backAfter(began, b.count)
	t.Logf("seen after %v; READY %v after the wait of %v", seen, back, died.retry())
	if died["cause"] != "mute" {
		t.Errorf("%v", died)
	}
	if most := 2*beat + beat; seen > most {
		t.Errorf("want that within %v: two heartbeats, and what this machine needs", most)
	}
	if slices.Contains(b.clusters(), before[0]) {
		t.Error("the stopped process is still there")
	}
	b.cared()
	b.stop()
}

// Events are numbered: over a kill of CONTROL and one of a bot none is lost, and none reaches two
// sessions.
func TestNoEventIsLost(t *testing.T) {
	t.Parallel()
	b := serving(t, 4, 2, nil, "--events", "20")
	flow := func() {
		t.Helper()
		from := b.d.stats().Events.Delivered
		eventually(t, "events flow", func() bool { return b.d.stats().Events.Delivered >= from+40 })
	}
	flow()
	b = b.killed()
	flow()
	b.logged("cluster.adopted", b.count)
	b.signal(b.clusters()[0], syscall.SIGKILL)
	b.logged("cluster.ready", 1)
	b.cared()
	flow()
	b.stop()
	e := b.d.stats().Events
	t.Logf("%+v", e)
	if e.Lost > 0 || e.Doubled > 0 {
		t.Errorf("%d events lost, %d doubled, of %s", e.Lost, e.Doubled, strconv.FormatInt(e.Emitted, 10))
	}
}
