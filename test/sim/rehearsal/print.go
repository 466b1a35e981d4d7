package rehearsal

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/discluster/control/messages"
)

// linesMax bounds the lines of a printed timeline.
const linesMax = 100

// Print writes the report for people.
func (r *Report) Print(out io.Writer) {
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s: %s on %s, max_concurrency %d, seed %d, %s\n", r.Name, amount(r.Shards, "shard"), amount(r.Machines, "machine"), r.MaxConcurrency, r.Seed, r.UntilMS.Duration())
	r.printTimeline(t)
	r.printFaults(t)
	r.printDowntime(t)
	r.printSums(t)
	_ = t.Flush()
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(out, strings.TrimRight(line, " \n"))
	}
}

func (r *Report) printTimeline(t io.Writer) {
	fmt.Fprint(t, "\nTIME\tWHAT\tWHERE\n")
	for i, e := range r.Timeline {
		if i == linesMax {
			fmt.Fprintf(t, "…\t%s more: --json has them all\n", grouped(len(r.Timeline)-i))
			break
		}
		what, text := e.What, e.Text
		if e.Count > 1 {
			what, text = fmt.Sprintf("%s ×%d", e.What, e.Count), ""
			if e.LastMS.Duration()-e.AtMS.Duration() >= time.Second {
				text = "until " + clock(e.LastMS)
			}
		}
		where := strings.Join(e.Where, " ")
		if len(e.Where) > 3 {
			where = amount(len(e.Where), "place")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", clock(e.AtMS), what, where, text)
	}
}

func (r *Report) printFaults(t io.Writer) {
	if len(r.Faults) == 0 {
		return
	}
	fmt.Fprint(t, "\nFAULT\tAT\tSHARDS DOWN\tNOTICED\tALL READY AGAIN\n")
	for i, b := range r.Faults {
		if i == linesMax {
			fmt.Fprintf(t, "…\t%s more: --json has them all\n", grouped(len(r.Faults)-i))
			break
		}
		noticed, ready := "-", "-"
		if b.Noticed != nil {
			noticed = fmt.Sprintf("after %s by %s", span(b.Noticed.AfterMS), b.Noticed.Event)
		}
		switch {
		case b.ReadyAfterMS != nil:
			ready = "after " + span(*b.ReadyAfterMS)
		case b.Shards > 0:
			ready = "never"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", b.What, clock(b.AtMS), grouped(b.Shards), noticed, ready)
	}
}

func (r *Report) printDowntime(t io.Writer) {
	d := r.Downtime
	if d.Shards == 0 {
		return
	}
	fmt.Fprint(t, "\nDOWNTIME\tSHARDS\tMIN\tMEDIAN\tP99\tMAX\n")
	fmt.Fprintf(t, "each in all\t%s\t%s\t%s\t%s\t%s\n", grouped(d.Shards), span(d.MinMS), span(d.MedianMS), span(d.P99MS), span(d.MaxMS))
	fmt.Fprint(t, "\nWORST\tLAST OWNER\tTIMES\tIN ALL\tLONGEST\n")
	for _, s := range d.Worst {
		still := ""
		if s.Still {
			still = "\tdown at the end"
		}
		fmt.Fprintf(t, "shard %d\t%s\t%d\t%s\t%s%s\n", s.Shard, s.Owner, s.Times, span(s.TotalMS), span(s.LongestMS), still)
	}
}

func (r *Report) printSums(t io.Writer) {
	ready := "never at once"
	if r.ReadyMS != nil {
		ready = "after " + span(*r.ReadyMS)
		if r.FirstIdentifyMS != nil {
			ready += fmt.Sprintf(", %s after the first IDENTIFY; Discord's floor is %s", span(*r.ReadyMS-*r.FirstIdentifyMS), span(r.FloorMS))
		}
	}
	fmt.Fprintf(t, "\nevery shard READY\t%s\n", ready)
	fmt.Fprintf(t, "at the end\t%s down\n", amount(r.DownAtEnd, "shard"))
	fmt.Fprintf(t, "identifies\t%s of the day's %s spent, %s left\n", grouped(r.Identifies.Spent), grouped(r.Identifies.Total), grouped(r.Identifies.Remaining))
	if r.Identifies.TokenResets > 0 {
		fmt.Fprint(t, "\tDiscord took the token away: the budget was overdrawn\n")
	}
	fmt.Fprintf(t, "resumes\t%s, %s refused\n", grouped(r.Resumes), grouped(r.ResumesRefused))
	fmt.Fprintf(t, "violations\t%d of the identify limit\n", r.Violations)
	fmt.Fprintf(t, "duplicates\t%s that a shard had two owners\n", amount(r.Duplicates, "time"))
	var events []string
	for _, name := range slices.Sorted(maps.Keys(r.Events)) {
		events = append(events, fmt.Sprintf("%s %s", name, grouped(r.Events[name])))
	}
	fmt.Fprintf(t, "events\t%s\n", strings.Join(events, ", "))
	for _, m := range r.Missed {
		fmt.Fprintf(t, "MISSED\t%s\n", m)
	}
}

// clock returns a time of the run as text: 10:35.2, 1:02:03.4.
func clock(ms messages.Milliseconds) string {
	tenths := int64(ms.Duration().Round(100*time.Millisecond) / (100 * time.Millisecond))
	s, m, h := tenths/10%60, tenths/600%60, tenths/36000
	if h > 0 {
		return fmt.Sprintf("%d:%02d:%02d.%d", h, m, s, tenths%10)
	}
	return fmt.Sprintf("%d:%02d.%d", m, s, tenths%10)
}
