package cmd

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/discluster/control/transport/admin"
)

func whereisCommand() *cobra.Command {
	var connect func() (*caller, error)
	c := &cobra.Command{
		Use:   "whereis <guild id>",
		Short: "Show the shard and cluster of a guild",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			var is admin.WhereisAnswer
			raw, err := c.get(cmd.Context(), "/api/v1/whereis/"+args[0], &is)
			if err != nil {
				return err
			}
			c.show(raw, func(w io.Writer) {
				fmt.Fprintf(w, "guild %s is on shard %d of %d", is.Guild, is.Shard, is.ShardCount)
				switch {
				case !is.Here:
					fmt.Fprintln(w, ", which this machine does not serve")
				case is.State == "": // MASTER does not know it
					fmt.Fprintf(w, ": cluster %d on %s\n", *is.Cluster, is.Machine)
				default:
					fmt.Fprintf(w, ": cluster %d on %s, %s\n", *is.Cluster, is.Machine, is.State)
				}
			})
			return nil
		},
	}
	c.Flags().Bool(masterFlag, false, "ask the MASTER that runs on this machine")
	connect = connectFlags(c)
	return c
}
