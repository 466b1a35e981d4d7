package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

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
		Short: "shows what this machine's bots wrote, whether CONTROL runs or not",
		Long: "logs shows the last lines of each cluster, or of those that are named, from the files in the state folder (state.dir, as the configuration says).\n" +
			"With -f it goes on as they grow, over restarts of the bots and of CONTROL. What is said about the lines goes to stderr.",
		RunE: func(cmd *cobra.Command, args []string) error {
			only, err := clusterIDs(args)
			if err != nil {
				return usageError{err}
			}
			if lines < 0 {
				return usageError{fmt.Errorf("--lines %d: want 0 or more", lines)}
			}
			conf, err := load()
			if err != nil {
				return err
			}
			dir := logFolder(conf)
			if err := haveRun(conf, dir, only); err != nil {
				return err
			}
			return showLogs(cmd.Context(), cmd, &botlog.Follower{Dir: dir, Only: only}, lines, ongoing)
		},
	}
	load = configured(c)
	c.Flags().IntVarP(&lines, "lines", "n", 100, "how many of the last lines of each cluster")
	c.Flags().BoolVarP(&ongoing, "follow", "f", false, "go on as the bots write")
	return c
}

// logFolder is where the bots' output is kept.
func logFolder(c *config.Config) string { return filepath.Join(c.State.Dir, "logs") }

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

// haveRun says which of the clusters have no output here.
func haveRun(c *config.Config, dir string, only []messages.ClusterID) error {
	files, err := botlog.Files(dir)
	if err != nil {
		return err
	}
	why := ""
	if c.Cluster.Logs == config.LogsInherit {
		why = "; cluster.logs is inherit: what the bots write is with CONTROL's own output"
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
			return fmt.Errorf("cluster %d has not run here: in %s is the output of %v%s", id, dir, here, why)
		}
	}
	return nil
}

// showLogs prints to the command's output, and what is said about the lines to stderr. A line bears its cluster's number where there may be several.
func showLogs(ctx context.Context, cmd *cobra.Command, w *botlog.Follower, lines int, ongoing bool) error {
	out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	files, err := botlog.Files(w.Dir)
	if err != nil {
		return err
	}
	alone := len(w.Only) == 1 || len(w.Only) == 0 && !ongoing && files[0].Cluster == files[len(files)-1].Cluster
	w.Say = func(l botlog.Line) {
		switch {
		case l.Note:
			_ = out.Flush() // so that both come in order; an error comes again
			writeLine(cmd.ErrOrStderr(), l)
		case alone:
			_, _ = out.Write(l.Text) // bufio keeps the error
			_ = out.WriteByte('\n')
		default:
			writeLine(out, l)
		}
	}
	if err := w.Begin(lines); err != nil {
		return err
	}
	if ongoing {
		return follow(ctx, w, out.Flush, func(err error) { fmt.Fprintln(os.Stderr, "control:", oneLine(err)) })
	}
	for {
		more, err := w.Round()
		if err != nil || !more || ctx.Err() != nil {
			w.Close()
			return errors.Join(err, out.Flush())
		}
	}
}
