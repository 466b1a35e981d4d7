package cmd

import (
	"os"

	"github.com/spf13/cobra"
)

func botCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "bot",
		Short: "is the reference cluster process; CONTROL starts it",
		Long: "bot is a real gateway client on the Go SDK: it asks for permits, resumes, reports its shards and drains. It keeps no state, so it may resume.\n" +
			"DISCORD_API names another API than Discord's.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBot(cmd.Context(), os.Stderr) },
	}
}
