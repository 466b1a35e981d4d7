package daemon

import (
	"cmp"
	"runtime/debug"
)

// version is set by the linker for a release (task release).
var version = ""

// Version returns the release, or versionOf this binary.
func Version() string {
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
