package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/discluster/control/cmd/logbook"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// order describes a command that sends an order to CONTROL and waits for the events that end it.
type order struct {
	use, short, long string
	cluster          bool   // it takes the number of a cluster
	impact           string // its effect on the bot, for the confirmation; "": none
	path             func(id string) string
	body             func() any
	flags            func(c *cobra.Command)
	before           func(ctx context.Context, c *caller, id string) error // nil: nothing
	ended            func(e event) (over bool, err error)
	fleet            func(id string) *fleetOrder // its order to MASTER; nil: none
}

func restartCommand() *cobra.Command {
	var b admin.RestartBody
	var ofFleet bool
	const impact = "its shards are away until the new process serves them"
	return (&order{
		use: "restart <cluster>", short: "Replace the process of a cluster",
		long: "End the process of a cluster and start another, with a fresh budget of restarts. If the bot can resume, the new process resumes the sessions of the old one\n" +
			"without an identify; with --fresh it identifies every shard.",
		cluster: true, impact: impact,
		path: func(id string) string { return "/api/v1/clusters/" + id + "/restart" },
		body: func() any { return b },
		flags: func(c *cobra.Command) {
			c.Flags().BoolVar(&b.Fresh, "fresh", false, "identify every shard instead of resuming")
			c.Flags().BoolVar(&ofFleet, fleetFlag, false, "on whatever machine it runs, by the MASTER that runs on this one")
		},
		ended: startEnded,
		fleet: func(id string) *fleetOrder {
			if !ofFleet {
				return nil
			}
			return &fleetOrder{what: "restart cluster " + id, impact: impact, path: "/clusters/" + id + "/restart", body: b}
		},
	}).command()
}

func undrainCommand() *cobra.Command {
	var machine string
	return (&order{
		use: "undrain <cluster>", short: "Start a drained or stopped cluster, or take a drained machine back into use",
		long:    "Start a cluster that was drained or stopped. With --machine, take a drained machine back into use, as a spare or to serve shards.",
		cluster: true,
		flags: func(c *cobra.Command) {
			c.Flags().StringVar(&machine, machineFlag, "", "a whole machine, by the MASTER that runs on this one")
		},
		fleet: func(string) *fleetOrder {
			if machine == "" {
				return nil
			}
			return ofMachine("undrain", machine, "")
		},
		path: func(id string) string { return "/api/v1/clusters/" + id + "/restart" },
		before: func(ctx context.Context, c *caller, id string) error {
			var v messages.ClusterView
			_, err := c.get(ctx, "/api/v1/clusters/"+id, &v)
			if err == nil && v.State != messages.ClusterStopped {
				err = fmt.Errorf("cluster %s is %s: only one that was drained or stopped is started", id, v.State)
			}
			return err
		},
		ended: startEnded,
	}).command()
}

func drainCommand() *cobra.Command {
	var machine string
	return (&order{
		use: "drain <cluster>", short: "Stop a cluster and keep its sessions for a minute, or empty a machine",
		long: "End the process of a cluster and leave it stopped. Its sessions are kept: undrain within a minute resumes them.\n" +
			"With --machine, move everything that a machine serves to others, with its sessions and without an identify. It gets no shards until it is undrained.",
		flags: func(c *cobra.Command) {
			c.Flags().StringVar(&machine, machineFlag, "", "a whole machine, by the MASTER that runs on this one")
		},
		fleet: func(string) *fleetOrder {
			if machine == "" {
				return nil
			}
			return ofMachine("drain", machine, "everything on it moves to other machines")
		},
		cluster: true, impact: "its shards are away until `control undrain`",
		path:  func(id string) string { return "/api/v1/clusters/" + id + "/drain" },
		ended: stopEnded,
	}).command()
}

func stopCommand() *cobra.Command {
	return (&order{
		use: "stop <cluster>", short: "Stop a cluster and end its sessions",
		long:    "End the process of a cluster and its sessions, and leave it stopped. undrain starts it again; every shard identifies then.",
		cluster: true, impact: "its shards are away, and their sessions lost",
		path:  func(id string) string { return "/api/v1/clusters/" + id + "/stop" },
		ended: stopEnded,
	}).command()
}

func rollingRestartCommand() *cobra.Command {
	var ofFleet bool
	return (&order{
		use: "rolling-restart", short: "Replace every process, one at a time",
		long: "Replace the process of every serving cluster of this machine, one after another. Each new process starts before the old one drains: if the bot can resume,\n" +
			"it costs no identify and no event. Stop at the first cluster that does not come up. With --fleet, do so on all machines, one after the other.",
		impact: "every process of this machine is replaced",
		flags: func(c *cobra.Command) {
			c.Flags().BoolVar(&ofFleet, fleetFlag, false, "every machine, by the MASTER that runs on this one")
		},
		fleet: func(string) *fleetOrder {
			if !ofFleet {
				return nil
			}
			return &fleetOrder{what: "rolling restart of the fleet", impact: "every process of every machine is replaced", path: "/rolling-restart"}
		},
		path: func(string) string { return "/api/v1/rolling-restart" },
		ended: func(e event) (bool, error) {
			switch {
			case e.name == "rolling_restart.moved" && e.field["state"] == "done":
				return true, nil
			case e.name == "rolling_restart.moved" && e.field["state"] == "stopped", e.name == "order.refused":
				return true, fmt.Errorf("%v", e.field["err"])
			}
			return false, nil
		},
	}).command()
}

func acceptMasterCommand() *cobra.Command {
	return (&order{
		use: "accept-master", short: "Accept the current MASTER even though a newer one was seen",
		long: "Accept a MASTER that this machine refuses (close code 4007) because its epoch is lower than that of an earlier one: its clock went back, or it is another MASTER.\n" +
			"Clusters keep serving. Run it on every machine that refuses that MASTER. Make sure first that no other MASTER is left, or shards may run twice.",
		impact: "a MASTER with a lower epoch than an earlier one is accepted; if that one still runs, shards run twice",
		path:   func(string) string { return "/api/v1/accept-master" },
		ended: func(e event) (bool, error) {
			switch e.name {
			case "master.linked":
				return true, nil
			case "master.refused", "master.unreachable", "order.refused":
				return true, fmt.Errorf("%v", e.field["err"])
			}
			return false, nil
		},
	}).command()
}

// startEnded reports whether an event ends the wait for a cluster's start, with the error if it
// failed.
func startEnded(e event) (over bool, err error) {
	switch e.name {
	case "cluster.ready", "cluster.adopted": // adopted: CONTROL's own code failed on the way
		return true, nil
	case "cluster.gave_up", "cluster.fatal", "cluster.identify_storm", "fleet.halted", "order.refused":
		return true, errors.New(strings.TrimSpace(eventLine(e)))
	case "cluster.held":
		if e.field["on"] == true {
			return true, errors.New(strings.TrimSpace(eventLine(e)))
		}
	case "order.given":
		if by := e.field["order"]; by == messages.OrderStop || by == messages.OrderDrain {
			return true, fmt.Errorf("superseded by another order: %v", by)
		}
	}
	return false, nil
}

// stopEnded reports whether an event ends the wait for a cluster's stop, with the error if it
// failed.
func stopEnded(e event) (over bool, err error) {
	switch e.name {
	case "order.refused":
		return true, fmt.Errorf("%v", e.field["err"])
	case "order.given":
		if e.field["order"] == messages.OrderRestart {
			return true, errors.New("superseded by another order: restart")
		}
	}
	return e.name == "cluster.stopped", nil
}

func (o *order) command() *cobra.Command {
	var connect func() (*caller, error)
	var how orderFlags
	c := &cobra.Command{
		Use: o.use, Short: o.short, Long: o.long,
		Args: o.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			id := ""
			if len(args) > 0 {
				id = args[0]
				if n, err := strconv.Atoi(id); err != nil || n < 0 {
					return usageError(fmt.Errorf("cluster %q: want its number, as `control clusters` shows it", id))
				}
			}
			c, err := connect()
			if err != nil {
				return err
			}
			if o.fleet != nil {
				if f := o.fleet(id); f != nil {
					return f.carryOut(cmd, c, how)
				}
			}
			if o.impact != "" && !how.yes {
				if err := confirm(cmd, o.what(id)+": "+o.impact); err != nil {
					return err
				}
			}
			return o.send(cmd.Context(), c, id, how.noWait)
		},
	}
	if o.cluster {
		c.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return offerClusters(cmd.Context(), connect, len(args)), cobra.ShellCompDirectiveNoFileComp
		}
	}
	how.flags(c, o.impact != "")
	if o.flags != nil {
		o.flags(c)
	}
	if c.Flags().Lookup(machineFlag) != nil {
		if err := c.RegisterFlagCompletionFunc(machineFlag, func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return offerMachines(cmd.Context(), connect), cobra.ShellCompDirectiveNoFileComp
		}); err != nil {
			panic(err) // the flag exists
		}
	}
	connect = connectFlags(c)
	return c
}

// args requires the number of a cluster if the order takes one, unless a flag names a machine.
func (o *order) args(c *cobra.Command, args []string) error {
	machine := c.Flags().Lookup(machineFlag)
	switch named := machine != nil && machine.Changed; {
	case named && machine.Value.String() == "":
		return fmt.Errorf("--%s: want the name of a machine, as `control status --master` shows it", machineFlag)
	case named || !o.cluster:
		return cobra.NoArgs(c, args)
	}
	return cobra.ExactArgs(1)(c, args)
}

// offerClusters returns the shell completions of the first argument: every cluster with its state.
func offerClusters(ctx context.Context, connect func() (*caller, error), args int) (ids []cobra.Completion) {
	c, err := connect()
	if err != nil || args > 0 {
		return nil
	}
	var all admin.ClustersAnswer
	if _, err := c.get(ctx, "/api/v1/clusters", &all); err != nil {
		return nil
	}
	for _, one := range all.Clusters {
		ids = append(ids, cobra.CompletionWithDesc(one.Cluster.String(), fmt.Sprintf("shards %s, %s", one.Shards, one.State)))
	}
	return ids
}

func (o *order) what(id string) string {
	verb, _, _ := strings.Cut(o.use, " ")
	if id == "" {
		return verb
	}
	return verb + " cluster " + id
}

// send sends the order and waits for its end unless noWait.
func (o *order) send(ctx context.Context, c *caller, id string, noWait bool) error {
	if o.before != nil {
		if err := o.before(ctx, c, id); err != nil {
			return err
		}
	}
	var body any = struct{}{}
	if o.body != nil {
		body = o.body()
	}
	var answer admin.OrderAnswer
	if _, err := c.post(ctx, o.path(id), body, &answer); err != nil {
		return fmt.Errorf("%s: %w", o.what(id), err)
	}
	if noWait {
		return nil
	}
	var failed error
	err := c.follow(ctx, answer.After, messages.LevelInfo, func(e event) bool {
		if o.cluster && e.name != "order.refused" && e.name != "fleet.halted" && fmt.Sprint(e.field["cluster"]) != id {
			return false // of another cluster or of none
		}
		c.printEvent(e)
		over, err := o.ended(e)
		failed = err
		return over
	})
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: stopped waiting; the order is still carried out", o.what(id))
	}
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("%s: %w", o.what(id), err)
	}
	return nil
}

// confirm asks the person at the terminal for confirmation. It fails without a terminal.
func confirm(cmd *cobra.Command, what string) error {
	if !logbook.IsTerminal(os.Stdin) {
		return usageError(fmt.Errorf("%s; stdin is not a terminal: confirm with --yes", what))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s. Do it? [y/N] ", what)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
		return nil
	}
	return errors.New("nothing was done")
}
