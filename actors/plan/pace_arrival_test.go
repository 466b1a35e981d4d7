package plan

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// usedAtNoon grants a permit to a shard at noon and reports it as sent 20 ms later.
func usedAtNoon(t *testing.T, p *Pacer, own time.Time) {
	t.Helper()
	p.Ask(Want{ID: "1", Owner: "a", Shard: 0, Cause: messages.CauseStart, Since: noon})
	if grants, _ := p.Next(noon); len(grants) != 1 {
		t.Fatalf("%d grants", len(grants))
	}
	if _, known := p.Report("1", true, noon.Add(20*time.Millisecond), own); !known {
		t.Fatal("the permit is not known")
	}
}

// freeAfter returns when the next permit is granted, after noon.
func freeAfter(p *Pacer) time.Duration {
	p.Ask(Want{ID: "next", Owner: "a", Shard: 0, Cause: messages.CauseStart, Since: noon})
	_, at := p.Next(noon.Add(ms(200)))
	return at.Sub(noon)
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// When a bucket is free, by the reports of the previous identify.
func TestArrived(t *testing.T) {
	again := func(shard int, owner string, cause messages.IdentifyCause, after time.Duration) func(*Pacer) {
		return func(p *Pacer) {
			p.Ask(Want{ID: "2", Owner: owner, Shard: shard, Cause: cause, Since: noon.Add(after)})
			p.Drop(owner)
		}
	}
	answer := func(id string, after time.Duration) func(*Pacer) {
		return func(p *Pacer) { p.Arrived(id, noon.Add(after), time.Time{}) }
	}
	for name, c := range map[string]struct {
		heard []func(*Pacer)
		want  time.Duration
	}{
		"nothing":                         {nil, ms(5120)},
		"an answer soon":                  {[]func(*Pacer){answer("1", ms(30))}, ms(5031)},
		"an answer after the margin":      {[]func(*Pacer){answer("1", ms(150))}, ms(5120)},
		"an answer to another permit":     {[]func(*Pacer){answer("2", ms(30))}, ms(5120)},
		"a second answer":                 {[]func(*Pacer){answer("1", ms(40)), answer("1", ms(30))}, ms(5041)},
		"another use beside it":           {[]func(*Pacer){func(p *Pacer) { p.Used(0, noon.Add(ms(25))) }, answer("1", ms(30))}, ms(5125)},
		"an earlier use beside it":        {[]func(*Pacer){func(p *Pacer) { p.Used(0, noon) }, answer("1", ms(30))}, ms(5031)},
		"a use that another reported":     {[]func(*Pacer){func(p *Pacer) { p.Reported("b", 0, noon.Add(ms(500)), noon) }, answer("1", ms(30))}, ms(5600)},
		"it is refused":                   {[]func(*Pacer){again(0, "a", messages.CauseReidentify, time.Second)}, ms(5370)},
		"it is refused, and answered":     {[]func(*Pacer){again(0, "a", messages.CauseReidentify, time.Second), answer("1", ms(30))}, ms(5370)},
		"it is answered, and asks again":  {[]func(*Pacer){answer("1", ms(30)), again(0, "a", messages.CauseReidentify, time.Second)}, ms(5031)},
		"asks again long after":           {[]func(*Pacer){again(0, "a", messages.CauseReidentify, 11*time.Second)}, ms(5120)},
		"its cluster crashed":             {[]func(*Pacer){again(0, "a", messages.CauseCrash, time.Second)}, ms(5120)},
		"another shard asks again":        {[]func(*Pacer){again(1, "a", messages.CauseReidentify, time.Second)}, ms(5120)},
		"the shard of another owner does": {[]func(*Pacer){again(0, "b", messages.CauseReidentify, time.Second)}, ms(5120)},
	} {
		t.Run(name, func(t *testing.T) {
			p := NewPacer(1, 2*time.Second, ms(100))
			usedAtNoon(t, p, time.Time{})
			for _, hear := range c.heard {
				hear(p)
			}
			if got := freeAfter(p); got != c.want {
				t.Errorf("free after %v, want %v", got, c.want)
			}
		})
	}
}

// Each refusal widens the distance twice as far, up to a second; answers narrow it again.
func TestRefusedWidens(t *testing.T) {
	p := NewPacer(1, 2*time.Second, ms(100))
	for i, want := range []time.Duration{ms(250), ms(500), time.Second, time.Second} {
		p.bucket(0).flight = &inFlight{id: "1", owner: "a", at: noon}
		p.Ask(Want{ID: string(rune('a' + i)), Owner: "a", Cause: messages.CauseReidentify, Since: noon})
		if p.wider != want {
			t.Errorf("refusal %d: %v, want %v", i+1, p.wider, want)
		}
	}
	if again := p.Repaced(2, noon); again.wider != time.Second {
		t.Errorf("%v with other buckets, want a second still", again.wider)
	}
	for answers := 1; p.wider > 0; answers++ {
		if p.bucket(0).flight = (&inFlight{id: "1"}); answers > 200 {
			t.Fatalf("%v after 200 answers", p.wider)
		}
		p.Arrived("1", noon, time.Time{})
	}
}

// The next permit of the same owner carries the time when its bucket is free by the owner's own
// clock.
func TestArrivedByTheOwnersClock(t *testing.T) {
	own := noon.Add(7 * time.Hour)
	for name, c := range map[string]struct {
		answered time.Time // by the owner's clock
		want     time.Time
	}{
		"not answered":                  {want: own.Add(ms(5120))},
		"answered":                      {answered: own.Add(ms(50)), want: own.Add(ms(5051))},
		"answered, by an unknown owner": {want: time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			p := NewPacer(1, 2*time.Second, ms(100))
			usedAtNoon(t, p, own.Add(ms(20)))
			if name != "not answered" {
				p.Arrived("1", noon.Add(ms(51)), c.answered)
			}
			p.Ask(Want{ID: "2", Owner: "a", Cause: messages.CauseStart, Since: noon, Lead: Lead})
			grants, _ := p.Next(p.Soonest(noon).Add(-Lead))
			if len(grants) != 1 || !grants[0].OwnFrom.Equal(c.want) {
				t.Errorf("%+v, want from %v by the owner's clock", grants, c.want)
			}
		})
	}
}

// After a refusal identifies are further apart, those after an answer too.
func TestArrivedWhileItIsWider(t *testing.T) {
	p := NewPacer(1, 2*time.Second, ms(100))
	p.wider = ms(250)
	usedAtNoon(t, p, time.Time{})
	p.Arrived("1", noon.Add(ms(30)), time.Time{})
	if got, want := freeAfter(p), ms(5281); got != want {
		t.Errorf("free after %v, want %v", got, want)
	}
}
