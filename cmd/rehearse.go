package cmd

import (
	"cmp"
	efs "embed"
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

	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/test/sim/rehearsal"
)

// shipped holds the scenarios that come with the program.
//
//go:embed control/dist/rehearsals/*.yaml
var shipped efs.FS

const (
	shippedDir  = "control/dist/rehearsals"
	scenarioExt = ".yaml"
	// scenarioMax bounds the size of a scenario, in bytes.
	scenarioMax = 1 << 20
)

// rehearse holds the flags of `control rehearse`.
type rehearse struct {
	list, json bool
	seed       int
	load       func() (*config.Config, error)
}

// externalMaster makes a configuration that of a machine whose MASTER runs on another one, as in
// every rehearsal.
const externalMaster = "CONTROL_MASTER__URL=ws://127.0.0.1:8642"

func rehearseCommand() *cobra.Command {
	r := &rehearse{}
	c := &cobra.Command{
		Use:   "rehearse [flags] scenario",
		Short: "Simulate the whole fleet with faults, and print what would happen",
		Long: "Run a fleet, MASTER and a simulated Discord in simulated time, inject the faults of a scenario, and print the results: how long the start takes,\n" +
			"the effect of each fault and when it is over, downtime by shard, identifies spent, events raised. No process, socket or file is touched.\n\n" +
			"The scenario is a YAML file or the name of one that comes with this program (--list), and sets the size of the fleet. Your configuration sets the rest: timeouts,\n" +
			"paces, the kind of bot. Every machine has the same configuration, and MASTER a machine of its own. The same seed gives the same report.\n\n" +
			"The command fails if an expectation of the scenario was not met, or if Discord's identify limit was broken.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case r.list:
				return listScenarios(cmd.OutOrStdout())
			case len(args) == 0:
				return usageError(errors.New("rehearse: want a scenario; --list names those that come with this program"))
			}
			s, err := readScenario(args[0])
			if err != nil {
				return usageError(err)
			}
			if cmd.Flags().Changed("seed") {
				s.Seed = r.seed
			}
			return r.run(cmd, s)
		},
	}
	r.load = configFlags(c, externalMaster)
	f := c.Flags()
	f.BoolVar(&r.list, "list", false, "list the scenarios that come with this program")
	f.BoolVar(&r.json, "json", false, "print the whole report as JSON")
	f.IntVar(&r.seed, "seed", 1, "seed of everything random, instead of the scenario's")
	return c
}

// run rehearses a scenario with the configuration and prints the report.
func (r *rehearse) run(cmd *cobra.Command, s rehearsal.Scenario) error {
	c, err := r.load()
	if err != nil {
		return err
	}
	if ready, _ := c.Cluster.ReadyRule(); c.Bot.Protocol == string(messages.ProtocolEnv) && (ready.After == 0 || c.Cluster.Probe != "") {
		return usageError(errors.New("rehearse: with protocol: env want ready: after …, and no probe: what your bot prints and answers is unknown"))
	}
	debug.SetGCPercent(200) // a simulation makes much garbage and keeps little
	began := time.Now()
	var report *rehearsal.Report
	sim.Bubble(func() {
		report, err = rehearsal.Run(s, rehearsal.Settings{Control: daemon.ControlOptions(c, "", nil), Master: daemon.MasterOptions(c)}, func() bool { return cmd.Context().Err() != nil })
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%v simulated in %.1f s\n", s.Until, time.Since(began).Seconds())
	if r.json {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		report.Print(cmd.OutOrStdout())
	}
	if len(report.Missed) > 0 {
		err = fmt.Errorf("%s: not as expected: %s", s.Name, strings.Join(report.Missed, "; "))
	}
	return err
}

// readScenario reads a file, or the shipped scenario of that name.
func readScenario(name string) (s rehearsal.Scenario, err error) {
	var text []byte
	if name == filepath.Base(name) && filepath.Ext(name) == "" {
		if text, err = shipped.ReadFile(path.Join(shippedDir, name+scenarioExt)); err != nil {
			return s, fmt.Errorf("scenario %q: no scenario of that name comes with this program, see --list; name a file with its extension", name)
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

// listScenarios prints the name of each shipped scenario and the first line of its comment.
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
