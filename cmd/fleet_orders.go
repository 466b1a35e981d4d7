package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// machineFlag and fleetFlag send an order to MASTER: for a whole machine, or for a cluster on
// whatever machine it runs.
const (
	machineFlag = "machine"
	fleetFlag   = "fleet"
)

// fleetOrder is an order to the MASTER of this machine. The events with its id report how it ends.
type fleetOrder struct {
	what   string // "drain machine m2"
	impact string // its effect on the bot, for the confirmation; "": none
	path   string // behind /api/v1/fleet
	body   any    // nil: none
}

// ofMachine returns an order for one machine.
func ofMachine(verb, source, impact string) *fleetOrder {
	return &fleetOrder{what: verb + " machine " + source, impact: impact, path: "/machines/" + url.PathEscape(source) + "/" + verb}
}

func resumeFleetCommand() *cobra.Command {
	return fleetCommand(&cobra.Command{
		Use: "resume-fleet", Short: "End a halt of the fleet",
		Long: "Start a fleet again that was halted because Discord refused the bot's token or its intents. Correct those first.\n" +
			"Sessions that Discord still knows are resumed; all other shards identify. Run it on MASTER's machine.",
		Args: cobra.NoArgs,
	}, false, func([]string) *fleetOrder { return &fleetOrder{what: "resume fleet", path: "/resume"} })
}

func forgetMachineCommand() *cobra.Command {
	return fleetCommand(&cobra.Command{
		Use: "forget-machine <machine>", Short: "Give the shards of a dead machine to others",
		Long: "Give the shards of a machine to others at once, without waiting for the grace, and free its name and what it was lent of the day's identifies.\n" +
			"The machine has no link to MASTER. Make sure that it is dead: if its bots still run, its shards have two owners. If it comes back on the same day, remove its state folder first. Run it on MASTER's machine.",
		Args: cobra.ExactArgs(1),
	}, true, func(args []string) *fleetOrder {
		return ofMachine("forget", args[0], "its shards are given to others, whether it is dead or not")
	})
}

// fleetCommand returns a command that sends an order to MASTER. harmful: it asks for confirmation.
func fleetCommand(c *cobra.Command, harmful bool, order func(args []string) *fleetOrder) *cobra.Command {
	var connect func() (*caller, error)
	var how orderFlags
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
	how.flags(c, harmful)
	connect = connectFlags(c)
	return c
}

// orderFlags are the flags of every order.
type orderFlags struct {
	yes    bool // do not ask for confirmation
	noWait bool // do not wait for the end
}

func (o *orderFlags) flags(c *cobra.Command, harmful bool) {
	if harmful {
		c.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask for confirmation")
	}
	c.Flags().BoolVar(&o.noWait, "no-wait", false, "send the order without waiting for its end")
}

// offerMachines returns the shell completions of a machine's name: every machine that MASTER knows.
func offerMachines(ctx context.Context, connect func() (*caller, error)) (all []cobra.Completion) {
	c, err := connect()
	if err != nil {
		return nil
	}
	var v messages.FleetView
	if _, err := c.at("MASTER", daemon.MasterSocket).get(ctx, "/api/v1/fleet", &v); err != nil {
		return nil
	}
	for _, m := range v.Machines {
		all = append(all, cobra.CompletionWithDesc(m.Source, m.Host))
	}
	return all
}

// carryOut asks for confirmation, sends the order and waits for its end.
func (o *fleetOrder) carryOut(cmd *cobra.Command, c *caller, how orderFlags) error {
	if o.impact != "" && !how.yes {
		if err := confirm(cmd, o.what+": "+o.impact); err != nil {
			return err
		}
	}
	if err := o.send(cmd.Context(), c.at("MASTER", daemon.MasterSocket), how.noWait); err != nil {
		return fmt.Errorf("%s: %w", o.what, err)
	}
	return nil
}

// send sends the order and waits for its end unless noWait. To a MASTER that was restarted since it
// sends the order again: that MASTER goes on with it.
func (o *fleetOrder) send(ctx context.Context, c *caller, noWait bool) error {
	body := o.body
	if body == nil {
		body = struct{}{}
	}
	c.key = rand.Text()
	for first := true; ; first = false {
		var answer admin.FleetOrderAnswer
		if _, err := c.post(ctx, "/api/v1/fleet"+o.path, body, &answer); err != nil || noWait || answer.Done && !first {
			return err
		}
		if again, err := o.wait(ctx, c, answer); !again {
			return err
		}
	}
}

// wait waits for the end of an order that was sent. It returns again if events are missing, so that
// the order may have ended unseen.
func (o *fleetOrder) wait(ctx context.Context, c *caller, answer admin.FleetOrderAnswer) (again bool, err error) {
	var failed error
	err = c.follow(ctx, answer.After, messages.LevelInfo, func(e event) (stop bool) {
		if again = e.gap; again {
			c.printEvent(e)
			return true
		}
		if e.field["order_id"] != answer.ID {
			return false
		}
		c.printEvent(e)
		switch state, _ := e.field["state"].(string); messages.FleetOrderState(state) {
		case messages.FleetOrderDone:
			return true
		case messages.FleetOrderFailed, messages.FleetOrderRefused:
			failed = fmt.Errorf("%v", e.field["err"])
			return true
		}
		return false
	})
	if errors.Is(err, context.Canceled) {
		return false, errors.New("stopped waiting; the order is still carried out")
	}
	return again, errors.Join(err, failed)
}
