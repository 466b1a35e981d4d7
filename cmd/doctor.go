package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/discluster/control/config"
)

// finding is what one check found.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"` // fine, doubtful or bad
	Found string `json:"found"`
	Cure  string `json:"cure,omitempty"` // what to do, where it is not fine
}

const (
	fine     = "fine"
	doubtful = "doubtful"
	bad      = "bad"
)

// check is one thing that doctor looks at. It may find several things.
type check struct {
	name string
	look func(ctx context.Context, p *patient) []finding
}

// patient is what the checks look at.
type patient struct {
	conf   *config.Config
	caller *caller
}

// checks is everything that doctor looks at, in the order in which it is told: what comes first is the cause of what comes behind it.
var checks = []check{
	{"command", checkCommand},
	{"folders", checkFolders},
	{"limits", checkLimits},
	{"CONTROL", checkControl},
	{"logs", checkLogs},
	{"API", checkAPI},
	{"Discord", checkDiscord},
	{"MASTER", checkMaster},
}

func doctorCommand() *cobra.Command {
	var load func() (*config.Config, error)
	var forPrograms bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "looks for what is wrong on this machine, and says what to do",
		Long: "doctor looks at the configuration, folders, limits, clock, the running CONTROL, Discord and MASTER. It changes nothing, and spends no identify.\n" +
			"It fails when something is bad; what is doubtful may be meant.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := examine(cmd.Context(), load)
			if err := printFindings(cmd.OutOrStdout(), found, forPrograms); err != nil {
				return err
			}
			n := 0
			for _, f := range found {
				if f.State == bad {
					n++
				}
			}
			if n > 0 {
				return fmt.Errorf("doctor: %d of %d checks are bad", n, len(found))
			}
			return nil
		},
	}
	load = configured(c)
	c.Flags().BoolVar(&forPrograms, "json", false, "answer in JSON")
	return c
}

// examine makes every check there can be: with a broken configuration, that is one.
func examine(ctx context.Context, load func() (*config.Config, error)) (all []finding) {
	conf, err := load()
	if err != nil {
		for line := range strings.Lines(errors.Unwrap(err).Error()) {
			all = append(all, finding{"configuration", bad, strings.TrimSpace(line), "correct it; `control config check` says when it is good"})
		}
		return all
	}
	all = append(all, finding{Check: "configuration", State: fine, Found: "it can be read"})
	p := &patient{conf, newCaller(conf.State.Dir, true, io.Discard)}
	for _, c := range checks {
		for _, f := range c.look(ctx, p) {
			f.Check = c.name
			all = append(all, f)
		}
	}
	return all
}

func printFindings(w io.Writer, all []finding, forPrograms bool) error {
	if forPrograms {
		return json.NewEncoder(w).Encode(all)
	}
	table(w, "CHECK\tSTATE\tFOUND", func(row func(string, ...any)) {
		for _, f := range all {
			row("%s\t%s\t%s", f.Check, f.State, f.Found)
			if f.Cure != "" {
				row("\t\t→ %s", f.Cure)
			}
		}
	})
	return nil
}
