package plan

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// play plays a transcript on a pacer: each line is a moment, a command, and behind "=>" its result.
// noon is moment 0, and the beginning of an even slot.
//
//	ask owner/shard [cause [lead]] · sent|unused owner/shard [at, by the owner's clock] · drop owner · used bucket · hold until · alone index/of [ahead] · keep index/of... · next · soonest · outstanding · out
func play(t *testing.T, p *Pacer, transcript string) {
	t.Helper()
	for line := range strings.Lines(strings.TrimSpace(transcript)) {
		command, wanted, _ := strings.Cut(strings.TrimSpace(line), "=>")
		words := strings.Fields(command)
		at, err := time.ParseDuration(words[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := do(p, noon.Add(at), words[1], append(words[2:], "", "", "")); got != strings.TrimSpace(wanted) {
			t.Fatalf("%s\n got %s", strings.TrimSpace(line), got)
		}
	}
}

func do(p *Pacer, now time.Time, command string, args []string) string {
	moment := func(at time.Time) string {
		if at.IsZero() {
			return "never"
		}
		return at.Sub(noon).String()
	}
	pair := func(sep string) (string, int) {
		one, two, _ := strings.Cut(args[0], sep)
		n, err := strconv.Atoi(two)
		if err != nil {
			panic(err)
		}
		return one, n
	}
	duration := func(s string) time.Duration { d, _ := time.ParseDuration(s); return d }
	switch command {
	case "ask":
		owner, shard := pair("/")
		cause := messages.CauseStart
		if args[1] != "" {
			cause = messages.IdentifyCause(args[1])
		}
		p.Ask(Want{ID: args[0], Owner: owner, Shard: shard, Cause: cause, Since: now, Lead: duration(args[2])})
	case "kept":
		owner, shard := pair("/")
		return fmt.Sprint(p.Adopt(Want{ID: args[0], Owner: owner, Shard: shard, Hold: duration(args[1]), Kept: true}, now))
	case "sent", "unused":
		var own time.Time
		if args[1] != "" {
			own = noon.Add(duration(args[1]))
		}
		w, known := p.Report(args[0], command == "sent", now, own)
		return fmt.Sprintf("bucket %d %v", p.Bucket(w.Shard), known)
	case "drop":
		p.Drop(args[0])
	case "used":
		key, _ := strconv.Atoi(args[0])
		p.Used(key, now)
	case "reported":
		key, _ := strconv.Atoi(args[0])
		p.Reported(cmp.Or(args[2], "m"), key, p.Believed(noon.Add(duration(args[1])), now, HoldFor), now)
	case "hold":
		p.Hold(noon.Add(duration(args[0])))
	case "alone":
		index, of := pair("/")
		i, _ := strconv.Atoi(index)
		p.Alone(messages.Place{Index: i, Of: of}, duration(args[1]))
	case "keep":
		var slots []messages.Place
		for _, place := range args {
			if i, of, is := strings.Cut(place, "/"); is {
				index, _ := strconv.Atoi(i)
				n, _ := strconv.Atoi(of)
				slots = append(slots, messages.Place{Index: index, Of: n})
			}
		}
		p.Keep(slots, 0)
	case "soonest":
		return moment(p.Soonest(now))
	case "out":
		permits, identifies := p.Out(now)
		return fmt.Sprintf("%d for %d", permits, identifies)
	case "outstanding":
		return moment(usableUntil(p))
	case "next":
		grants, wake := p.Next(now)
		var granted []string
		for _, g := range grants {
			text := fmt.Sprintf("%s for %v", g.ID, g.UseWithin)
			if in := g.From.Sub(now); in > 0 {
				text += fmt.Sprintf(" in %v", in)
			}
			if !g.OwnFrom.IsZero() {
				text += " by its own clock from " + moment(g.OwnFrom)
			}
			granted = append(granted, text)
		}
		return strings.Join(append(granted, "wake "+moment(wake)), ", ")
	default:
		panic(command)
	}
	return ""
}

// usableUntil returns until when some granted permit may still be used; zero when none is.
func usableUntil(p *Pacer) (until time.Time) {
	for _, b := range p.buckets {
		if b.out != nil {
			until = later(until, b.out.expires)
		}
	}
	return until
}
