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

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// order is one command that changes something: what it asks for, and which events say how it ended.
type order struct {
	use, short, long string
	cluster          bool   // it is for one
	hurts            string // what it does to the bot, for the question whether that is meant; "": nothing
	path             func(id string) string
	body             func() any
	flags            func(c *cobra.Command)
	before           func(ctx context.Context, c *caller, id string) error // nil: nothing
	over             func(e event) (over bool, err error)
	fleet            func(id string) *fleetOrder // what it is as an order to MASTER; nil: its flags say that it is none
}

func restartCommand() *cobra.Command {
	var b admin.RestartBody
	var ofFleet bool
	const hurts = "its shards are away until the new process has them"
	return (&order{
		use: "restart <cluster>", short: "gives a cluster a new process",
		long: "restart ends the process of a cluster and starts another, with a fresh budget of restarts. The new one resumes the sessions of the old one, at no identify, " +
			"where the bot can; with --fresh it identifies every shard anew.",
		cluster: true, hurts: hurts,
		path: func(id string) string { return "/api/v1/clusters/" + id + "/restart" },
		body: func() any { return b },
		flags: func(c *cobra.Command) {
			c.Flags().BoolVar(&b.Fresh, "fresh", false, "identify every shard anew")
			c.Flags().BoolVar(&ofFleet, fleetFlag, false, "wherever in the fleet it is, by the MASTER that runs on this machine")
		},
		over: comesUp,
		fleet: func(id string) *fleetOrder {
			if !ofFleet {
				return nil
			}
			return &fleetOrder{what: "restart cluster " + id, hurts: hurts, path: "/clusters/" + id + "/restart", body: b}
		},
	}).command()
}

func undrainCommand() *cobra.Command {
	var machine string
	return (&order{
		use: "undrain <cluster>", short: "starts a cluster that was drained or stopped, or lets a drained machine serve again",
		long:    "undrain starts a cluster that was drained or stopped. With --machine a machine that was drained is a spare again, or serves.",
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
		over: comesUp,
	}).command()
}

func drainCommand() *cobra.Command {
	var machine string
	return (&order{
		use: "drain <cluster>", short: "ends a cluster's process, its sessions kept for a minute, or empties a machine",
		long: "drain ends the process of a cluster and leaves it stopped. Its sessions are kept: undrain within a minute resumes them.\n" +
			"With --machine everything that a machine serves moves to others, with its sessions, at no identify; it is given nothing until it is undrained.",
		flags: func(c *cobra.Command) {
			c.Flags().StringVar(&machine, machineFlag, "", "a whole machine, by the MASTER that runs on this one")
		},
		fleet: func(string) *fleetOrder {
			if machine == "" {
				return nil
			}
			return ofMachine("drain", machine, "everything on it moves to other machines")
		},
		cluster: true, hurts: "its shards are away until `control undrain`",
		path: func(id string) string { return "/api/v1/clusters/" + id + "/drain" },
		over: goesDown,
	}).command()
}

func stopCommand() *cobra.Command {
	return (&order{
		use: "stop <cluster>", short: "ends a cluster's process and its sessions",
		long:    "stop ends the process of a cluster, and its sessions, and leaves it stopped. undrain starts it again; every shard identifies then.",
		cluster: true, hurts: "its shards are away, and their sessions lost",
		path: func(id string) string { return "/api/v1/clusters/" + id + "/stop" },
		over: goesDown,
	}).command()
}

func rollingRestartCommand() *cobra.Command {
	var ofFleet bool
	return (&order{
		use: "rolling-restart", short: "gives every cluster a new process, one at a time",
		long: "rolling-restart gives every serving cluster of this machine a new process, one after another, each started before the old one drains: no identify and no event is " +
			"lost where the bot can resume. It stops at the first cluster that does not come up. With --fleet it is all machines, one after the other.",
		hurts: "every process of this machine is replaced",
		flags: func(c *cobra.Command) {
			c.Flags().BoolVar(&ofFleet, fleetFlag, false, "every machine, by the MASTER that runs on this one")
		},
		fleet: func(string) *fleetOrder {
			if !ofFleet {
				return nil
			}
			return &fleetOrder{what: "rolling restart of the fleet", hurts: "every process of every machine is replaced", path: "/rolling-restart"}
		},
		path: func(string) string { return "/api/v1/rolling-restart" },
		over: func(e event) (bool, error) {
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
		use: "accept-master", short: "obeys the MASTER that is there, though a later one was known",
		long: "accept-master lets this machine obey a MASTER that it refuses (close code 4007): one whose epoch is lower than that of a MASTER obeyed before, because its clock went back, " +
			"or it is another one. What is served goes on. Say it on every machine that refuses it, and see first that no other MASTER is left: shards may run twice then.",
		hurts: "a MASTER with a lower epoch than one obeyed before is obeyed; where that one lives, shards run twice",
		path:  func(string) string { return "/api/v1/accept-master" },
		over: func(e event) (bool, error) {
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

// comesUp is how a cluster's start ends.
func comesUp(e event) (over bool, err error) {
	switch e.name {
	case "cluster.ready", "cluster.adopted": // adopted: our own code failed on the way
		return true, nil
	case "cluster.gave_up", "cluster.fatal", "cluster.identify_storm", "fleet.halted", "order.refused":
		return true, errors.New(strings.TrimSpace(eventLine(e)))
	case "cluster.held":
		if e.field["on"] == true {
			return true, errors.New(strings.TrimSpace(eventLine(e)))
		}
	case "order.given":
		if by := e.field["order"]; by == messages.OrderStop || by == messages.OrderDrain {
			return true, fmt.Errorf("%v was ordered meanwhile", by)
		}
	}
	return false, nil
}

// goesDown is how a cluster's stop ends.
func goesDown(e event) (over bool, err error) {
	switch e.name {
	case "order.refused":
		return true, fmt.Errorf("%v", e.field["err"])
	case "order.given":
		if e.field["order"] == messages.OrderRestart {
			return true, errors.New("a restart was ordered meanwhile")
		}
	}
	return e.name == "cluster.stopped", nil
}

func (o *order) command() *cobra.Command {
	var connect func() (*caller, error)
	var how manner
	c := &cobra.Command{
		Use: o.use, Short: o.short, Long: o.long,
		Args: o.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			id := ""
			if len(args) > 0 {
				id = args[0]
				if n, err := strconv.Atoi(id); err != nil || n < 0 {
					return usageError{fmt.Errorf("cluster %q: want its number, as `control clusters` shows it", id)}
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
			if o.hurts != "" && !how.sure {
				if err := confirm(cmd, o.what(id)+": "+o.hurts); err != nil {
					return err
				}
			}
			return o.give(cmd.Context(), c, id, how.leave)
		},
	}
	if o.cluster {
		c.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return offerClusters(cmd.Context(), connect, len(args)), cobra.ShellCompDirectiveNoFileComp
		}
	}
	how.flags(c, o.hurts != "")
	if o.flags != nil {
		o.flags(c)
	}
	if c.Flags().Lookup(machineFlag) != nil {
		if err := c.RegisterFlagCompletionFunc(machineFlag, func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return offerMachines(cmd.Context(), connect), cobra.ShellCompDirectiveNoFileComp
		}); err != nil {
			panic(err) // the flag is there
		}
	}
	connect = asking(c)
	return c
}

// args wants a cluster where the order is for one. A machine is named in its place.
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

// offerClusters is what a shell may offer for the first argument: every cluster, and how it stands.
func offerClusters(ctx context.Context, connect func() (*caller, error), given int) (ids []cobra.Completion) {
	c, err := connect()
	if err != nil || given > 0 {
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

// give gives the order, and waits for its end.
func (o *order) give(ctx context.Context, c *caller, id string, leave bool) error {
	if o.before != nil {
		if err := o.before(ctx, c, id); err != nil {
			return err
		}
	}
	var body any = struct{}{}
	if o.body != nil {
		body = o.body()
	}
	var given admin.OrderAnswer
	if _, err := c.post(ctx, o.path(id), body, &given); err != nil {
		return fmt.Errorf("%s: %w", o.what(id), err)
	}
	if leave {
		return nil
	}
	var ended error
	err := c.follow(ctx, given.After, messages.LevelInfo, func(e event) bool {
		if o.cluster && e.name != "order.refused" && e.name != "fleet.halted" && fmt.Sprint(e.field["cluster"]) != id {
			return false // of another cluster, or of none
		}
		c.printEvent(e)
		over, err := o.over(e)
		ended = err
		return over
	})
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: not waited for: the order stands", o.what(id))
	}
	if err = errors.Join(err, ended); err != nil {
		return fmt.Errorf("%s: %w", o.what(id), err)
	}
	return nil
}

// confirm asks a person whether that is meant. Without one it wants --yes.
func confirm(cmd *cobra.Command, what string) error {
	if !isTerminal(os.Stdin) {
		return usageError{fmt.Errorf("%s; nobody is there to ask: say --yes", what)}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s. Do it? [y/N] ", what)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
		return nil
	}
	return errors.New("nothing was done")
}
