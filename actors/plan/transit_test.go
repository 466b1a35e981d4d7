package plan

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestTransit(t *testing.T) {
	var transit Transit
	for _, c := range []struct{ sent, received, took time.Duration }{ // the sender's clock is 1 h ahead
		{time.Hour, 50 * time.Millisecond, 0},
		{time.Hour + time.Second, 1080 * time.Millisecond, 30*time.Millisecond - 103*time.Microsecond}, // 100 ppm of 1.03 s
		{time.Hour + time.Second, 1010 * time.Millisecond, 0},
		{time.Hour + time.Second, 1015 * time.Millisecond, 5*time.Millisecond - 500*time.Nanosecond},
	} {
		if took := transit.Delay(noon.Add(c.sent), noon.Add(c.received)); took != c.took {
			t.Errorf("sent %v, received %v: took %v, want %v", c.sent, c.received, took, c.took)
		}
	}
	if ahead := transit.Ahead(); ahead > time.Hour || ahead < time.Hour-11*time.Millisecond {
		t.Errorf("ahead %v", ahead)
	}
}

// However far the clocks are apart, the first message is the quickest so far.
func TestTransitOfTheFirstMessage(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, ahead := range []time.Duration{-year, 0, year} {
		var transit Transit
		if took := transit.Delay(noon.Add(ahead), noon); took != 0 || transit.Ahead() != ahead {
			t.Errorf("the sender's clock is %v ahead: took %v, ahead %v", ahead, took, transit.Ahead())
		}
	}
}

// One of the clocks is set: an answer that came at once shows it, another message does not, for it
// may have waited.
func TestTransitAfterAClockWasSet(t *testing.T) {
	for _, set := range []time.Duration{time.Hour, -time.Hour} { // the sender's
		for _, quick := range []bool{true, false} {
			var transit Transit
			transit.Heard(noon, noon.Add(10*time.Millisecond), true, time.Second)
			got := transit.Heard(noon.Add(set+time.Minute), noon.Add(time.Minute+20*time.Millisecond), quick, time.Second)
			want := set - 20*time.Millisecond
			if set < 0 && !quick {
				want = -16001 * time.Microsecond // 10 ms, and what the clocks may diverge in a minute
			}
			if diff := got - want; diff.Abs() > time.Millisecond {
				t.Errorf("set by %v, quick %v: ahead %v, want %v", set, quick, got, want)
			}
		}
	}
}

// Clocks diverge by up to 50 ppm each: the known time of the sender's clock never exceeds the
// truth, and is close to it.
func TestTransitWhileClocksDrift(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		skew, ppm := time.Duration(r.IntN(7200)-3600)*time.Second, float64(r.IntN(200)-100)/1e6
		var transit Transit
		for at := time.Duration(0); at < time.Hour; at += time.Duration(r.IntN(20_000)) * time.Millisecond {
			ahead := skew + time.Duration(ppm*float64(at))
			way := 5*time.Millisecond + time.Duration(r.IntN(80_000))*time.Microsecond
			transit.Delay(noon.Add(at+ahead-time.Duration(ppm*float64(way))), noon.Add(at+way))
			now := ahead + time.Duration(ppm*float64(way))
			if known := transit.Ahead(); known > now || at > time.Minute && known < now-90*time.Millisecond {
				t.Fatalf("seed %d after %v: ahead %v, known as %v", seed, at, now, known)
			}
		}
	}
}
