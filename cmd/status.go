package cmd

import (
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
	c := &cobra.Command{
		Use:   "status",
		Short: "says how this machine stands",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect()
			if err != nil {
				return err
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
	connect = asking(c)
	return c
}

// printStatus says how a machine stands: what all is well with is a line, what is not is a row.
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
	if m.Halted {
		fmt.Fprintln(w, "HALTED   Discord refuses the token or its intents: nothing identifies until there is another token")
	}
	if m.Outage {
		fmt.Fprintln(w, "OUTAGE   Discord throws out many shards: nobody is restarted for being late")
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

// counts is how many clusters do what, without those that are none.
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

// since is how long something lasts, as people say it: "4s", "12m3s", "5h2m", "3d4h".
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

// table draws rows under a head, their cells divided by tabs.
func table(w io.Writer, head string, rows func(row func(format string, args ...any))) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	rows(func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) })
	t.Flush()
}
