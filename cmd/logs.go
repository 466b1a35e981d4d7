package cmd

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/cmd/logbook"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/botlog"
)

func logsCommand() *cobra.Command {
	var load func() (*config.Config, error)
	var lines int
	var ongoing bool
	c := &cobra.Command{
		Use:   "logs [flags] [cluster ...]",
		Short: "Show the output of this machine's bots, whether CONTROL runs or not",
		Long: "Show the last lines of each cluster, or of the clusters named, from the files in the state folder (state.dir of the configuration).\n" +
			"With -f, go on as they grow, over restarts of the bots and of CONTROL. Notes about the files go to stderr.\n" +
			"The bot's token and the secrets of the configuration are not shown, but they are in the files if a bot wrote them.",
		RunE: func(cmd *cobra.Command, args []string) error {
			only, err := clusterIDs(args)
			if err != nil {
				return usageError(err)
			}
			if lines < 0 {
				return usageError(fmt.Errorf("--lines %d: want 0 or more", lines))
			}
			conf, err := load()
			if err != nil {
				return err
			}
			logbook.Secrets.Learn(conf.Secrets()...)
			dir := daemon.LogFolder(conf)
			if err := checkRan(conf, dir, only); err != nil {
				return err
			}
			return logbook.Print(cmd.Context(), &botlog.Follower{Dir: dir, Only: only}, cmd.OutOrStdout(), cmd.ErrOrStderr(), lines, ongoing)
		},
	}
	load = configFlags(c)
	c.Flags().IntVarP(&lines, "lines", "n", 100, "how many lines of each cluster to show")
	c.Flags().BoolVarP(&ongoing, "follow", "f", false, "print further lines as the bots write them")
	return c
}

// clusterIDs reads the clusters of a command line.
func clusterIDs(args []string) (ids []messages.ClusterID, err error) {
	for _, arg := range args {
		n, err := strconv.Atoi(arg)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("cluster %q: want its number, such as 0", arg)
		}
		ids = append(ids, messages.ClusterID(n))
	}
	return ids, nil
}

// checkRan fails if one of the clusters, or every cluster if only is empty, has no output in dir.
func checkRan(c *config.Config, dir string, only []messages.ClusterID) error {
	files, err := botlog.Files(dir)
	if err != nil {
		return err
	}
	why := ""
	if c.Cluster.Logs == config.LogsInherit {
		why = "; cluster.logs is inherit: the bots' output is in CONTROL's own"
	}
	var here []messages.ClusterID
	for _, f := range files {
		here = append(here, f.Cluster)
	}
	here = slices.Compact(here)
	if len(here) == 0 {
		return fmt.Errorf("no cluster has run here: there is no output in %s%s", dir, why)
	}
	for _, id := range only {
		if !slices.Contains(here, id) {
			return fmt.Errorf("cluster %d has not run here: %s holds the output of %v%s", id, dir, here, why)
		}
	}
	return nil
}
