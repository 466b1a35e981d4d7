package cmd

import (
	"cmp"
	files "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/discluster/control/config"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/test/sim/rehearsal"
)

// shipped are the scenarios that come with the program.
//
//go:embed control/dist/rehearsals/*.yaml
var shipped files.FS

const (
	shippedDir  = "control/dist/rehearsals"
	scenarioExt = ".yaml"
	// scenarioMax is how many bytes a scenario may have.
	scenarioMax = 1 << 20
	// rehearsalMemory is what a simulation, which makes much garbage and keeps little, may hold before that is collected as eagerly as in a daemon.
	rehearsalMemory = 512 << 20
)

func rehearseCommand() *cobra.Command {
	var list, asJSON bool
	var seed int
	c := &cobra.Command{
		Use:   "rehearse [flags] scenario",
		Short: "tells what would happen: the whole fleet with faults, in simulated time",
		Long: "rehearse runs a fleet, MASTER and a simulated Discord in simulated time, by your own configuration, makes go wrong what the scenario says, and prints what came of it:\n" +
			"how long the start takes, what each fault does and how soon it is over, downtime by shard, identifies spent, events raised. No process, socket or file is touched.\n\n" +
			"scenario is a YAML file, or the name of one that comes with this program (--list). The same seed gives the same report.\n" +
			"It ends with 1 where something that the scenario expects did not come out, or Discord's identify limit was broken.",
		Args: cobra.MaximumNArgs(1),
	}
	load := configured(c, "CONTROL_MASTER__URL="+elsewhere)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		out := cmd.OutOrStdout()
		if list {
			return listScenarios(out)
		}
		if len(args) == 0 {
			return usageError{errors.New("rehearse: want a scenario; --list names those that come with this program")}
		}
		s, err := readScenario(args[0])
		if err != nil {
			return usageError{err}
		}
		if cmd.Flags().Changed("seed") {
			s.Seed = seed
		}
		conf, err := load()
		if err != nil {
			return err
		}
		began := time.Now()
		report, err := rehearse(s, conf, func() bool { return cmd.Context().Err() != nil })
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%v simulated in %.1f s\n", s.Until, time.Since(began).Seconds())
		if asJSON {
			e := json.NewEncoder(out)
			e.SetIndent("", "  ")
			err = e.Encode(report)
		} else {
			report.Print(out)
		}
		if n := len(report.Missed); err == nil && n > 0 {
			err = fmt.Errorf("%s: not as expected: %s", s.Name, strings.Join(report.Missed, "; "))
		}
		return err
	}
	f := c.Flags()
	f.BoolVar(&list, "list", false, "name the scenarios that come with this program")
	f.BoolVar(&asJSON, "json", false, "print the whole report as JSON")
	f.IntVar(&seed, "seed", 1, "draw what is left to chance from another seed than the scenario's")
	return c
}

// elsewhere makes a configuration that of a machine whose MASTER is on another one, as it is in every rehearsal.
const elsewhere = "ws://127.0.0.1:8642"

// rehearse runs a scenario by a configuration.
func rehearse(s rehearsal.Scenario, c *config.Config, stopped func() bool) (report *rehearsal.Report, err error) {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(rehearsalMemory)
	settings := rehearsal.Settings{Control: controlOptions(c, "", nil), Master: masterOptions(c)}
	sim.Bubble(func() { report, err = rehearsal.Run(s, settings, stopped) })
	return report, err
}

// readScenario reads a file, or what was shipped by that name.
func readScenario(name string) (s rehearsal.Scenario, err error) {
	var text []byte
	if name == filepath.Base(name) && filepath.Ext(name) == "" {
		if text, err = shipped.ReadFile(path.Join(shippedDir, name+scenarioExt)); err != nil {
			return s, fmt.Errorf("scenario %q: none of that name comes with this program: --list names them; a file is named with its ending", name)
		}
	} else if text, err = readScenarioFile(name); err != nil {
		return s, fmt.Errorf("scenario: %w", err)
	}
	if s, err = rehearsal.Parse(text); err != nil {
		return s, fmt.Errorf("scenario %s:\n%w", name, err)
	}
	s.Name = cmp.Or(s.Name, strings.TrimSuffix(filepath.Base(name), scenarioExt))
	return s, nil
}

func readScenarioFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, scenarioMax+1))
	if err == nil && len(text) > scenarioMax {
		err = fmt.Errorf("%s: over %d bytes", name, scenarioMax)
	}
	return text, err
}

// listScenarios prints the name of each, and the first line of its comment.
func listScenarios(out io.Writer) error {
	files, err := shipped.ReadDir(shippedDir)
	if err != nil {
		return err
	}
	for _, f := range files {
		text, err := shipped.ReadFile(path.Join(shippedDir, f.Name()))
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(string(text), "\n")
		fmt.Fprintf(out, "%-16s %s\n", strings.TrimSuffix(f.Name(), scenarioExt), strings.TrimPrefix(first, "# "))
	}
	return nil
}
