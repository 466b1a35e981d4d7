package cmd

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker for a release (task release).
var version = ""

// versionText returns the release, or versionOf this binary.
func versionText() string {
	info, _ := debug.ReadBuildInfo()
	return cmp.Or(version, versionOf(info))
}

// versionOf returns the version of a build that is not a release: its commit, with -dirty for
// uncommitted changes, or the version that `go install` fetched.
func versionOf(info *debug.BuildInfo) string {
	if info == nil {
		return "devel"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	switch commit, module := settings["vcs.revision"], info.Main.Version; {
	case len(commit) >= 12 && settings["vcs.modified"] == "true":
		return "devel-" + commit[:12] + "-dirty"
	case len(commit) >= 12:
		return "devel-" + commit[:12]
	case module != "" && module != "(devel)":
		return module
	}
	return "devel"
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "control %s %s/%s %s\n", versionText(), runtime.GOOS, runtime.GOARCH, runtime.Version())
			return err
		},
	}
}
