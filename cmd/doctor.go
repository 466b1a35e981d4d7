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

// finding is one result of a check.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"` // fine, doubtful or bad
	Found string `json:"found"`
	Cure  string `json:"cure,omitempty"` // what to do, unless it is fine
}

const (
	fine     = "fine"
	doubtful = "doubtful"
	bad      = "bad"
)

// check is one check of doctor. It may return several findings.
type check struct {
	name string
	look func(ctx context.Context, t *target) []finding
}

// target is the configuration that is checked, and a caller of its CONTROL.
type target struct {
	conf   *config.Config
	caller *caller
}

// checks are doctor's checks in the order of the output: a cause comes before its consequences.
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
		Short: "Find problems of this machine, with what to do about each",
		Long: "Check the configuration, folders, limits, clock, the running CONTROL, Discord and MASTER. Nothing is changed, and no identify is spent.\n" +
			"The command fails if a finding is bad. A doubtful one may be intended.",
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
				return fmt.Errorf("doctor: %d of %d findings are bad", n, len(found))
			}
			return nil
		},
	}
	load = configFlags(c)
	c.Flags().BoolVar(&forPrograms, "json", false, "answer in JSON")
	return c
}

// examine runs every check. With a broken configuration it returns only the errors of that.
func examine(ctx context.Context, load func() (*config.Config, error)) (all []finding) {
	conf, err := load()
	if err != nil {
		for line := range strings.Lines(errors.Unwrap(err).Error()) {
			all = append(all, finding{"configuration", bad, strings.TrimSpace(line), "correct it, then run `control config check`"})
		}
		return all
	}
	all = append(all, finding{Check: "configuration", State: fine, Found: "it can be read"})
	t := &target{conf, newCaller(conf.State.Dir, true, io.Discard)}
	for _, c := range checks {
		for _, f := range c.look(ctx, t) {
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
