package cmd

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

func clustersCommand() *cobra.Command {
	var connect func() (*caller, error)
	c := &cobra.Command{
		Use:   "clusters",
		Short: "List this machine's clusters",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			var v messages.View
			raw, err := c.get(cmd.Context(), "/api/v1/clusters", &v)
			if err != nil {
				return err
			}
			c.show(raw, func(w io.Writer) { printClusters(w, time.Now(), v.Clusters) })
			return nil
		},
	}
	connect = connectFlags(c)
	return c
}

func printClusters(w io.Writer, now time.Time, all []messages.ClusterView) {
	table(w, "CLUSTER\tSHARDS\tSTATE\tFOR\tREADY\tLATENCY\tGUILDS\tPID\tHOST MEMORY\tRESTARTS\tLAST DEATH", func(row func(string, ...any)) {
		for _, c := range all {
			pid, death := "-", "-"
			if c.PID > 0 {
				pid = strconv.Itoa(c.PID)
			}
			if c.Death != nil {
				death = fmt.Sprintf("%s, %s ago", c.Death.Cause, since(now, c.Death.At))
			}
			ready := fmt.Sprintf("%d/%d", c.ShardsReady, c.Shards.Len())
			if c.Assumed {
				ready += " assumed"
			}
			row("%d\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%d\t%s", c.Cluster, c.Shards, c.State, since(now, c.Since), ready,
				latencyText(worst(c.LatencyMS)), c.Guilds, pid, memoryText(c.Host), c.Restarts, death)
		}
	})
	for _, c := range all {
		if c.WaitsFor != "" {
			fmt.Fprintf(w, "cluster %d waits for %s\n", c.Cluster, c.WaitsFor)
		}
	}
}

// memoryText shows what a gateway host keeps: "guilds 5.4 MB, events 0.1 of 300.0 MB".
func memoryText(m *messages.HostMemory) string {
	if m == nil {
		return "-"
	}
	const mega = 1e6
	return fmt.Sprintf("guilds %.1f MB, events %.1f of %.1f MB", float64(m.GuildsBytes)/mega, float64(m.EventsBytes)/mega, float64(m.EventsMax)/mega)
}

// worst returns the highest latency.
func worst(all []messages.Milliseconds) (most messages.Milliseconds) {
	for _, l := range all {
		most = max(most, l)
	}
	return most
}

func latencyText(l messages.Milliseconds) string {
	if l == 0 {
		return "-"
	}
	return l.Duration().String()
}

// rateText shows how many events a shard gets, "2.5".
func rateText(s admin.ShardView) string {
	text := "-"
	if s.Events >= 0 {
		text = fmt.Sprint(s.Events)
	}
	if s.Deaf {
		text += ", deaf"
	}
	return text
}

// waitingText shows what a shard's bot has not acknowledged, "12 for 3.4s".
func waitingText(s admin.ShardView) string {
	switch {
	case s.Waiting == nil:
		return "-"
	case *s.Waiting == 0:
		return "0"
	case s.Lagging:
		return fmt.Sprintf("%d for %v, lagging", *s.Waiting, s.WaitingMS.Duration())
	}
	return fmt.Sprintf("%d for %v", *s.Waiting, s.WaitingMS.Duration())
}

func shardsCommand() *cobra.Command {
	var connect func() (*caller, error)
	c := &cobra.Command{
		Use:   "shards",
		Short: "List this machine's shards",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			var all admin.ShardsAnswer
			raw, err := c.get(cmd.Context(), "/api/v1/shards", &all)
			if err != nil {
				return err
			}
			c.show(raw, func(w io.Writer) {
				table(w, "SHARD\tCLUSTER\tSTATE\tLATENCY\tEVENTS/S\tWAITING", func(row func(string, ...any)) {
					for _, s := range all.Shards {
						row("%d\t%d\t%s\t%s\t%s\t%s", s.Shard, s.Cluster, s.State, latencyText(s.LatencyMS), rateText(s), waitingText(s))
					}
				})
			})
			return nil
		},
	}
	connect = connectFlags(c)
	return c
}
