package cmd

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/discluster/control/messages"
)

func statusCommand() *cobra.Command {
	var connect func() (*caller, error)
	var ofMaster bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the status of this machine or, with --master, of the fleet",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			if ofMaster {
				return c.fleetStatus(cmd.Context())
			}
			var v messages.View
			raw, err := c.get(cmd.Context(), "/api/v1/machine", &v)
			if err != nil {
				return err
			}
			c.show(raw, func(w io.Writer) { printStatus(w, v) })
			return nil
		},
	}
	c.Flags().BoolVar(&ofMaster, masterFlag, false, "ask the MASTER that runs on this machine")
	connect = connectFlags(c)
	return c
}

// fleetStatus prints the status of the fleet.
func (c *caller) fleetStatus(ctx context.Context) error {
	var v messages.FleetView
	raw, err := c.get(ctx, "/api/v1/fleet", &v)
	if err != nil {
		return err
	}
	c.show(raw, func(w io.Writer) { printFleet(w, v) })
	return nil
}

func printFleet(w io.Writer, v messages.FleetView) {
	fmt.Fprintf(w, "MASTER   %s, up %s\nshards   %d of %d READY on machines that are linked\n", v.State, since(v.At, v.Started), v.ShardsReady, v.ShardCount)
	if v.Halted {
		fmt.Fprintln(w, halted+", or `control resume-fleet`")
	}
	switch b := v.Budget; {
	case b == nil:
	case b.Low():
		fmt.Fprintf(w, "LOW      %s: a bot that crashes and cannot resume waits until then\n", budgetLine(v.At, b))
	case b.Lent > 0:
		fmt.Fprintf(w, "budget   %s\n", budgetLine(v.At, b))
	}
	fmt.Fprintln(w)
	table(w, "MACHINE\tHOST\tLINK\tSHARDS\tREADY\tCLUSTERS", func(row func(string, ...any)) {
		for _, m := range v.Machines {
			link, shards, all := "up", []string{}, 0
			switch {
			case m.State == messages.MachineIsLost:
				link = "lost"
			case !m.Linked:
				link = "away"
			}
			if m.AwaySince != nil {
				link += " for " + since(v.At, *m.AwaySince)
			}
			for _, r := range m.Granted {
				shards = append(shards, r.String())
				all += r.Len()
			}
			clusters := counts(messages.ClusterCount{Serving: m.Clusters.Serving, Starting: m.Clusters.Starting, Failed: m.Clusters.Failed})
			switch {
			case m.State == messages.MachineIsLost && len(shards) == 0:
				row("%s\t%s\t%s\tnone\t-\tunknown", m.Source, m.Host, link)
				continue
			case m.Drained:
				shards = append(shards, "drained")
			case len(shards) == 0:
				shards = []string{"spare"}
			}
			if len(m.Ranges) > 0 && m.Clusters == (messages.ClusterCounts{}) {
				clusters = "unknown"
			}
			row("%s\t%s\t%s\t%s\t%d/%d\t%s", m.Source, m.Host, link, strings.Join(shards, " "), m.ShardsReady, all, clusters)
		}
	})
}

// budgetLine returns a line about the identifies that are left at a time.
func budgetLine(at time.Time, b *messages.IdentifyBudget) string {
	lent := ""
	if b.Lent > 0 {
		lent = fmt.Sprintf(", %d lent to machines that are away", b.Lent)
	}
	return fmt.Sprintf("%d of %d identifies are left, %d of them kept for a start%s, full again in %s", b.Remaining, b.Total, min(b.Reserve, b.Remaining), lent, since(b.ResetAt, at))
}

const halted = "HALTED   Discord refuses the token or its intents: nothing identifies until there is another token"

// printStatus prints a machine's status: its totals on lines, and a row for each cluster with a
// problem.
func printStatus(w io.Writer, v messages.View) {
	m := v.Machine
	fmt.Fprintf(w, "CONTROL  %s, version %s, pid %d on %s, up %s\n", m.Source, m.Version, m.PID, m.Host, since(v.At, m.Started))
	switch {
	case m.Master.Up:
		fmt.Fprintf(w, "MASTER   %s, linked for %s\n", m.Master.URL, since(v.At, m.Master.Since))
	default:
		fmt.Fprintf(w, "MASTER   %s, no link for %s: %s\n", m.Master.URL, since(v.At, m.Master.Since), m.Master.Err)
	}
	fmt.Fprintf(w, "shards   %d of %d READY (%d in the whole bot)\n", m.ShardsReady, m.Shards, m.ShardCount)
	fmt.Fprintf(w, "clusters %s\n", counts(m.Clusters))
	if m := hostMemory(v.Clusters); m != nil {
		fmt.Fprintf(w, "hosts    %s\n", memoryText(m))
	}
	if ready, why := v.Ready(); !ready {
		fmt.Fprintf(w, "UNREADY  %s\n", why)
	}
	if m.Halted {
		fmt.Fprintln(w, halted)
	}
	if m.Outage {
		fmt.Fprintln(w, "OUTAGE   many shards cannot reach Discord: no cluster is restarted for being late")
	}
	if r := m.Rolling; r != nil {
		fmt.Fprintf(w, "rolling restart %s %s ago: %d done, %d left %s\n", r.State, since(v.At, r.At), r.Done, r.Left, r.Err)
	}
	var odd []messages.ClusterView
	for _, c := range v.Clusters {
		if c.State != messages.ClusterServing || c.ShardsReady < c.Shards.Len() {
			odd = append(odd, c)
		}
	}
	if len(odd) > 0 {
		fmt.Fprintln(w)
		printClusters(w, v.At, odd)
	}
}

// hostMemory returns what all gateway hosts keep; nil: there is none.
func hostMemory(all []messages.ClusterView) (sum *messages.HostMemory) {
	for _, c := range all {
		if c.Host == nil {
			continue
		}
		if sum == nil {
			sum = &messages.HostMemory{}
		}
		*sum = sum.Add(*c.Host)
	}
	return sum
}

// counts returns the numbers of clusters by state, without zeros, as text.
func counts(n messages.ClusterCount) string {
	var all []string
	for _, one := range []struct {
		n    int
		what string
	}{{n.Serving, "serving"}, {n.Starting, "on the way"}, {n.Stopped, "stopped"}, {n.Failed, "failed"}} {
		if one.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", one.n, one.what))
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// since returns the time from t to now as text: "4s", "12m3s", "5h2m", "3d4h".
func since(now, t time.Time) string {
	d := max(now.Sub(t), 0).Round(time.Second)
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return d.String()
}

// table prints rows under a head in aligned columns. Tabs divide the cells.
func table(w io.Writer, head string, rows func(row func(format string, args ...any))) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	rows(func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) })
	t.Flush()
}
