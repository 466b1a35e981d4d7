package fleet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/discluster/control/messages"
)

// line returns an effect as text. Timers have none: each shows when it comes.
func (s *scene) line(effect Effect) string {
	name := func(link int) string {
		for source, c := range s.machines {
			if c.link == link {
				return source
			}
		}
		return fmt.Sprintf("link %d", link)
	}
	switch e := effect.(type) {
	case After:
		return ""
	case Admit:
		return "admit " + e.Source
	case Refuse:
		return fmt.Sprintf("refuse: %d %s", e.Code, e.Reason)
	case Close:
		return fmt.Sprintf("close %s: %d %s", name(e.Link), e.Code, e.Reason)
	case End:
		return ""
	case Greet:
		return fmt.Sprintf("greet %s: %s", name(e.Link), initialise(e.Initialise))
	case Send:
		return fmt.Sprintf("%s: %s", name(e.Link), packet(e))
	case Own:
		return fmt.Sprintf("sessions of %s are %s's", e.Shards, e.Source)
	case Pace:
		return fmt.Sprintf("governor: %d shards, max_concurrency %d", e.Shards, e.MaxConcurrency)
	case Keep:
		if e.Slots == nil {
			return "governor: grant in all slots" + unmet(e)
		}
		var all []string
		for _, p := range e.Slots {
			all = append(all, slot(p))
		}
		return "governor: grant in slots " + cmp.Or(strings.Join(all, ", "), "none") + unmet(e)
	case Budget:
		return fmt.Sprintf("governor: %d of %d identifies left, reserve %d", e.Remaining, e.Total, e.Reserve) + away(e)
	case Raise:
		raw, err := json.Marshal(e.Event)
		if err != nil {
			s.t.Fatal(err)
		}
		name, _ := e.Event.Event()
		return fmt.Sprintf("event %s %s", name, raw)
	case Answer:
		return "answer: " + verdict(e.Verdict)
	case AskDiscord:
		return "ask Discord"
	case Counting:
		return "governor: Discord is being asked"
	case Unanswered:
		return "governor: Discord did not answer"
	case UsedAll:
		return fmt.Sprintf("governor: %d buckets were used until now", e.Buckets)
	case Repace:
		return fmt.Sprintf("governor: max_concurrency %d", e.MaxConcurrency)
	case Dead:
		return fmt.Sprintf("governor: %s is dead", e.Source)
	case Halt:
		return "governor: halt"
	case Resume:
		return "governor: resume"
	case Remember:
		return fmt.Sprintf("remember that Discord is not to be asked until %s", s.Since(e.NotBefore))
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T %+v", effect, effect), "fleet."))
}

func verdict(v messages.Verdict) string {
	switch {
	case v.Refusal != "":
		return fmt.Sprintf("refused (%s): %s", v.Refusal, v.Reason)
	case v.Done:
		return "done"
	}
	return "under way"
}

func unmet(k Keep) string {
	if k.Unmet {
		return "; unmet machines may have some"
	}
	return ""
}

func away(b Budget) (text string) {
	if b.Blind {
		text = ", others may identify"
	}
	if len(b.Away) > 0 {
		text += ", away: " + strings.Join(b.Away, ", ")
	}
	return text
}

func initialise(i messages.Initialise) string {
	text := fmt.Sprintf("epoch %d", i.Epoch)
	if i.ShardCount != nil {
		text += fmt.Sprintf(", %d shards in clusters of %d, max_concurrency %d", *i.ShardCount, *i.ShardsPerCluster, *i.MaxConcurrency)
	}
	if i.Machine != nil {
		text += ", slots " + slot(*i.Machine)
	}
	if i.Drained != nil && *i.Drained {
		text += ", drained"
	}
	if i.LeaseMS != nil {
		text += fmt.Sprintf(", lease %v", i.LeaseMS.Duration())
	}
	return text
}

func packet(e Send) string {
	switch p := e.Packet.(type) {
	case messages.Connect:
		switch {
		case p.Redundant:
			return "be a spare"
		case e.Confirms:
			return "keep " + p.Range.String()
		}
		return "serve " + p.Range.String()
	case messages.Offload:
		return fmt.Sprintf("let go of %s: %s", p.Range, p.Reason)
	case messages.Shutdown:
		return "shut down: " + p.Reason
	case messages.Command:
		return fmt.Sprintf("command %s %s (%s)", p.Name, p.Args, p.ID)
	}
	return fmt.Sprintf("%T", e.Packet)
}

func slot(p messages.Place) string {
	switch {
	case p.Of == 0:
		return "unknown"
	case p == messages.NoSlot:
		return "none"
	}
	return fmt.Sprintf("%d mod %d", p.Index, p.Of)
}

func served(ranges []messages.RangeInfo) string {
	var all []string
	for _, r := range ranges {
		all = append(all, fmt.Sprintf("%s %s (epoch %d)", r.Range, r.State, r.Epoch))
	}
	return cmp.Or(strings.Join(all, ", "), "nothing")
}

func timerName(e Event) string {
	switch e := e.(type) {
	case Timeout:
		return "the wait is over"
	case graceOver:
		return "the grace of " + e.source
	case forgetDue:
		return "an hour without " + e.source
	case tryAgain:
		return "try again" + map[bool]string{true: " with " + e.source}[e.source != ""]
	case turnDue:
		return fmt.Sprintf("the turn of %s, %s", e.source, e.shards)
	case askMachines:
		return "Discord takes its time"
	case Informed:
		return e.Source + " reported nothing"
	case Recount:
		return "ask Discord again"
	}
	return fmt.Sprintf("%T", e)
}
