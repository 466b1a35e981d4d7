package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
)

// wavesShown is the number of waves that are printed one by one.
const wavesShown = 12

func planCommand() *cobra.Command {
	var load func() (*config.Config, error)
	var machines int
	var resumes, forPrograms bool
	c := &cobra.Command{
		Use:   "plan",
		Short: "Print a start or restart before it happens",
		Long: "Ask Discord for the shard count and limits, as MASTER does, and print the start: the shards of each machine, the shards that identify together,\n" +
			"the shortest time it takes, and the identifies it costs. With --restart, print the restart of a bot whose sessions are alive. Nothing is started.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			if machines < 0 || machines > 1000 {
				return usageError(fmt.Errorf("--machines %d: want 1 to 1000, or 0 for fleet.expect", machines))
			}
			if machines == 0 {
				machines = max(c.Fleet.Expect, 1)
			}
			s, reset, err := startOf(cmd.Context(), c, machines)
			if err != nil {
				return err
			}
			s.Resumes = resumes
			f := plan.Foresee(s)
			if forPrograms {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(newPlanAnswer(s, f, reset))
			}
			printPlan(cmd.OutOrStdout(), s, f, reset)
			return nil
		},
	}
	load = configFlags(c)
	c.Flags().IntVar(&machines, "machines", 0, "number of machines; 0: fleet.expect, or one")
	c.Flags().BoolVar(&resumes, "restart", false, "plan the restart of a running bot, which resumes its sessions")
	c.Flags().BoolVar(&forPrograms, "json", false, "answer in JSON")
	return c
}

// startOf returns the parameters of a start: the configured ones, and Discord's for the rest. reset
// is the time until the day's budget is full again.
func startOf(ctx context.Context, c *config.Config, machines int) (s plan.Start, reset time.Duration, err error) {
	s = plan.Start{Shards: c.Fleet.Shards, MaxConcurrency: c.Fleet.MaxConcurrency, PerCluster: c.Cluster.ShardsPerCluster, Machines: machines, Spares: c.Fleet.Spares, Margin: c.Identify.Margin}
	if c.Discord.Token != "" {
		answer, err := askDiscord(ctx, c)
		if err != nil {
			return s, 0, err
		}
		b := answer.budget
		if b.Shards < 1 || b.MaxConcurrency < 1 {
			return s, 0, fmt.Errorf("GET /gateway/bot: shards %d, max_concurrency %d: want at least 1 of each", b.Shards, b.MaxConcurrency)
		}
		if s.Shards == 0 {
			s.Shards = b.Shards
		}
		if s.MaxConcurrency == 0 {
			s.MaxConcurrency = b.MaxConcurrency
		}
		reset = messages.Milliseconds(b.ResetAfterMS).Duration()
		s.Budget = plan.NewBudget(b.Total, b.Remaining, s.Shards, time.Now().Add(reset))
	}
	if s.Shards == 0 || s.MaxConcurrency == 0 {
		return s, 0, usageError(errors.New("discord.token is not set, so Discord cannot be asked: set it, or both fleet.shards and fleet.max_concurrency"))
	}
	if s.PerCluster == 0 {
		s.PerCluster = plan.ShardsPerCluster(s.MaxConcurrency)
	}
	return s, reset, nil
}

// planAnswer is the answer of `control plan --json`.
type planAnswer struct {
	ShardCount       int                     `json:"shard_count"`
	MaxConcurrency   int                     `json:"max_concurrency"`
	ShardsPerCluster int                     `json:"shards_per_cluster"`
	Machines         [][]messages.ShardRange `json:"machines"` // the ranges of each; empty: a spare
	Waves            []planWave              `json:"waves"`
	LastMS           messages.Milliseconds   `json:"last_ms"` // at least, first to last identify
	Identifies       int                     `json:"identifies"`
	Budget           *planBudget             `json:"identify_budget,omitempty"` // absent: unknown
}

// planWave holds the shards that identify together, AtMS after the first.
type planWave struct {
	AtMS   messages.Milliseconds `json:"at_ms"`
	Shards messages.ShardRange   `json:"shards"`
}

// planBudget holds the day's identifies before the start, and those left after it (negative:
// missing).
type planBudget struct {
	Total        int                   `json:"total"`
	Remaining    int                   `json:"remaining"`
	Left         int                   `json:"left"`
	Reserve      int                   `json:"reserve"`
	ResetAfterMS messages.Milliseconds `json:"reset_after_ms"`
}

func newPlanAnswer(s plan.Start, f plan.Forecast, reset time.Duration) planAnswer {
	a := planAnswer{ShardCount: s.Shards, MaxConcurrency: s.MaxConcurrency, ShardsPerCluster: s.PerCluster, Waves: []planWave{}, LastMS: messages.Millis(f.Last), Identifies: f.Identifies}
	for _, ranges := range f.Machines {
		a.Machines = append(a.Machines, append([]messages.ShardRange{}, ranges...))
	}
	for _, w := range f.Waves {
		a.Waves = append(a.Waves, planWave{messages.Millis(w.At), w.Shards})
	}
	if b := s.Budget; b.Total > 0 {
		a.Budget = &planBudget{b.Total, b.Remaining, f.Left, b.Reserve, messages.Millis(reset)}
	}
	return a
}

func printPlan(out io.Writer, s plan.Start, f plan.Forecast, reset time.Duration) {
	kind := "start"
	if s.Resumes {
		kind = "restart"
	}
	fmt.Fprintf(out, "%s of %d shards, max_concurrency %d, clusters of %d shards\n", kind, s.Shards, s.MaxConcurrency, s.PerCluster)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nMACHINE\tSHARDS\tCLUSTERS\t")
	for i, ranges := range f.Machines {
		clusters := 0
		var texts []string
		for _, r := range ranges {
			clusters += len(plan.Cut(r, s.PerCluster))
			texts = append(texts, r.String())
		}
		if len(texts) == 0 {
			texts = []string{"a spare"}
		}
		fmt.Fprintf(t, "%d\t%s\t%d\t\n", i+1, strings.Join(texts, " "), clusters)
	}
	if len(f.Waves) > 0 {
		fmt.Fprintln(t, "\nWAVE\tAT\tSHARDS THAT IDENTIFY\t")
	}
	for i, w := range f.Waves {
		if i >= wavesShown-1 && i < len(f.Waves)-1 {
			continue
		}
		if i == len(f.Waves)-1 && i >= wavesShown {
			fmt.Fprintln(t, "…\t\t\t")
		}
		fmt.Fprintf(t, "%d\t%v\t%s\t\n", i+1, w.At, w.Shards)
	}
	t.Flush()
	if s.Resumes {
		fmt.Fprintln(out, "\nevery session is resumed: no identify, no wave, one cluster after the other")
	} else {
		fmt.Fprintf(out, "\nthe last identify is %v after the first, at best\n", f.Last)
	}
	switch {
	case s.Budget.Total == 0:
		fmt.Fprintf(out, "identifies: %d; the day's budget is unknown\n", f.Identifies)
	case f.Left < 0:
		fmt.Fprintf(out, "identifies: %d of %d left today: %d too few; there are %d again in %v\n", f.Identifies, s.Budget.Remaining, -f.Left, s.Budget.Total, reset.Round(time.Second))
	default:
		fmt.Fprintf(out, "identifies: %d of %d left today, %d remain; there are %d again in %v\n", f.Identifies, s.Budget.Remaining, f.Left, s.Budget.Total, reset.Round(time.Second))
		if f.Low {
			fmt.Fprintf(out, "that is below the reserve of %d: a bot that crashes after it and cannot resume waits until then\n", s.Budget.Reserve)
		}
	}
}
