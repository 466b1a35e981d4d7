package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// machineFlag and fleetFlag make an order one to MASTER: of a machine as a whole, or of a cluster wherever it is.
const (
	machineFlag = "machine"
	fleetFlag   = "fleet"
)

// fleetOrder is an order to the MASTER of this machine. It is waited for by the events that bear its id.
type fleetOrder struct {
	what  string // "drain machine m2"
	hurts string // what it does to the bot, for the question whether that is meant; "": nothing
	path  string // behind /api/v1/fleet
	body  any    // nil: none
}

// ofMachine is an order that concerns one machine.
func ofMachine(verb, source, hurts string) *fleetOrder {
	return &fleetOrder{what: verb + " machine " + source, hurts: hurts, path: "/machines/" + url.PathEscape(source) + "/" + verb}
}

func resumeFleetCommand() *cobra.Command {
	return fleetCommand(&cobra.Command{
		Use: "resume-fleet", Short: "ends a halt of the fleet",
		Long: "resume-fleet lets a fleet start again that was halted because Discord refused the bot's token or its intents. That is to be mended first. Sessions that\n" +
			"are young enough are resumed, all other shards identify. MASTER runs on this machine.",
		Args: cobra.NoArgs,
	}, false, func([]string) *fleetOrder { return &fleetOrder{what: "resume fleet", path: "/resume"} })
}

func forgetMachineCommand() *cobra.Command {
	return fleetCommand(&cobra.Command{
		Use: "forget-machine <machine>", Short: "gives the shards of a machine that is dead to others",
		Long: "forget-machine gives what a machine served to others at once, without the grace, and frees its name. The machine has no link to MASTER, and is known to be dead: where\n" +
			"its bots still run, its shards have two owners. MASTER runs on this machine.",
		Args: cobra.ExactArgs(1),
	}, true, func(args []string) *fleetOrder {
		return ofMachine("forget", args[0], "its shards are given to others, whether it is dead or not")
	})
}

// fleetCommand is a command that gives an order to MASTER alone.
func fleetCommand(c *cobra.Command, hurts bool, order func(args []string) *fleetOrder) *cobra.Command {
	var connect func() (*caller, error)
	var how manner
	c.RunE = func(cmd *cobra.Command, args []string) error {
		to, err := connect()
		if err != nil {
			return err
		}
		return order(args).carryOut(cmd, to, how)
	}
	c.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 || c.Use == c.Name() {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offerMachines(cmd.Context(), connect), cobra.ShellCompDirectiveNoFileComp
	}
	how.flags(c, hurts)
	connect = asking(c)
	return c
}

// manner is how an order is given.
type manner struct {
	sure  bool // that it is meant
	leave bool // it is not waited for
}

func (m *manner) flags(c *cobra.Command, hurts bool) {
	if hurts {
		c.Flags().BoolVarP(&m.sure, "yes", "y", false, "do not ask whether that is meant")
	}
	c.Flags().BoolVar(&m.leave, "no-wait", false, "give the order, and do not wait for its end")
}

// offerMachines is what a shell may offer for a machine: every one that MASTER knows.
func offerMachines(ctx context.Context, connect func() (*caller, error)) (all []cobra.Completion) {
	c, err := connect()
	if err != nil {
		return nil
	}
	var v messages.FleetView
	if _, err := c.at("MASTER", masterSocket).get(ctx, "/api/v1/fleet", &v); err != nil {
		return nil
	}
	for _, m := range v.Machines {
		all = append(all, cobra.CompletionWithDesc(m.Source, m.Host))
	}
	return all
}

// carryOut gives the order, once it is meant, and waits for its end.
func (o *fleetOrder) carryOut(cmd *cobra.Command, c *caller, how manner) error {
	if o.hurts != "" && !how.sure {
		if err := confirm(cmd, o.what+": "+o.hurts); err != nil {
			return err
		}
	}
	if err := o.give(cmd.Context(), c.at("MASTER", masterSocket), how.leave); err != nil {
		return fmt.Errorf("%s: %w", o.what, err)
	}
	return nil
}

// give gives the order. To a MASTER that was started anew meanwhile it is given again: that one goes on with it.
func (o *fleetOrder) give(ctx context.Context, c *caller, leave bool) error {
	body := o.body
	if body == nil {
		body = struct{}{}
	}
	c.key = rand.Text()
	for first := true; ; first = false {
		var given admin.FleetOrderAnswer
		if _, err := c.post(ctx, "/api/v1/fleet"+o.path, body, &given); err != nil || leave || given.Done && !first {
			return err
		}
		if again, err := o.wait(ctx, c, given); !again {
			return err
		}
	}
}

// wait waits for the end of an order that was given. again: some events are not kept, and it may have ended.
func (o *fleetOrder) wait(ctx context.Context, c *caller, given admin.FleetOrderAnswer) (again bool, err error) {
	var ended error
	err = c.follow(ctx, given.After, messages.LevelInfo, func(e event) (over bool) {
		if again = e.gap; again {
			c.printEvent(e)
			return true
		}
		if e.field["order_id"] != given.ID {
			return false
		}
		c.printEvent(e)
		switch state, _ := e.field["state"].(string); messages.FleetOrderState(state) {
		case messages.FleetOrderDone:
			return true
		case messages.FleetOrderFailed, messages.FleetOrderRefused:
			ended = fmt.Errorf("%v", e.field["err"])
			return true
		}
		return false
	})
	if errors.Is(err, context.Canceled) {
		return false, errors.New("not waited for: the order stands")
	}
	return again, errors.Join(err, ended)
}
