package cmd

import (
	"os"

	"github.com/spf13/cobra"
)

func botCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "bot",
		Short: "Run the reference bot as a cluster process of CONTROL",
		Long: "Run a gateway client on the Go SDK that asks for permits, resumes, reports its shards and drains. It keeps no state, so it may resume.\n" +
			"CONTROL starts it. DISCORD_API replaces the address of Discord's API.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBot(cmd.Context(), os.Stderr) },
	}
}
