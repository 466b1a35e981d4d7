package cmd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

func askCommand() *cobra.Command {
	var connect func() (*caller, error)
	var within time.Duration
	c := &cobra.Command{
		Use:   "ask <cluster|server|all> <handler> [json]",
		Short: "Call a handler of the bot in clusters",
		Long: "Call a handler of the bot, with a value in JSON, in one cluster, in the cluster of a Discord server, or in all clusters of this machine, as clusters call each other.\n" +
			fmt.Sprintf("A number of %d digits or more is the id of a server, one of 6 or less that of a cluster. A cluster that fails costs its own answer alone; the exit code is then 1.\n", messages.GuildDigits) +
			"Every bot with a library of CONTROL's, and every gateway host, has the handler discluster.stats, which takes no value.",
		Example: "  control ask all discluster.stats\n" +
			"  control ask 3 reload '{\"commands\":true}'",
		Args: func(_ *cobra.Command, args []string) error {
			if n := len(args); n < 2 || n > 3 {
				return usageError(fmt.Errorf("want a target (all, a cluster or a server), a handler, and at most one value, in JSON and in quotes; not %d arguments", n))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			b := admin.AskBody{To: args[0], Handler: args[1], TimeoutMS: messages.Millis(within)}
			if _, err := messages.ReadAskTarget(b.To); err != nil {
				return usageError(err)
			}
			if within < time.Millisecond || within > messages.AskMax {
				return usageError(fmt.Errorf("--timeout %v: want 1ms to %v", within, messages.AskMax))
			}
			if len(args) > 2 {
				if b.Data = json.RawMessage(args[2]); !json.Valid(b.Data) {
					return usageError(fmt.Errorf(`value %.40q: want JSON, such as '{"a":1}', 7 or '"text"'`, args[2]))
				}
			}
			c, err := connect()
			if err != nil {
				return err
			}
			c.patience = within
			var a admin.AskAnswer
			raw, err := c.post(cmd.Context(), "/api/v1/ask", b, &a)
			if err != nil {
				return err
			}
			c.show(raw, func(w io.Writer) { printAnswers(w, a) })
			if n := len(a.Errors); n > 0 {
				return fmt.Errorf("no value from %d of %d clusters", n, n+len(a.Results))
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			ids := offerClusters(cmd.Context(), connect, len(args))
			if len(args) == 0 {
				ids = append(ids, cobra.CompletionWithDesc("all", "every cluster of this machine"))
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
	}
	c.Flags().DurationVar(&within, "timeout", 10*time.Second, "wait for answers")
	connect = connectFlags(c)
	return c
}

// printAnswers prints a row for each cluster that was asked, by its number.
func printAnswers(w io.Writer, a admin.AskAnswer) {
	type row struct {
		cluster messages.ClusterID
		text    string
	}
	var rows []row
	for _, r := range a.Results {
		rows = append(rows, row{r.Cluster, visible(string(r.Value))})
	}
	for _, e := range a.Errors {
		rows = append(rows, row{e.Cluster, "error: " + visible(e.Err)})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.cluster, b.cluster) })
	table(w, "CLUSTER\tANSWER", func(line func(string, ...any)) {
		for _, r := range rows {
			line("%d\t%s", r.cluster, r.text)
		}
	})
}

// visible escapes what a terminal would not print as it is: the text is a bot's.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}
