package daemon

import (
	"runtime/debug"
	"testing"
)

func TestVersionOf(t *testing.T) {
	build := func(module string, settings ...string) *debug.BuildInfo {
		info := &debug.BuildInfo{Main: debug.Module{Version: module}}
		for i := 0; i < len(settings); i += 2 {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: settings[i], Value: settings[i+1]})
		}
		return info
	}
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for name, c := range map[string]struct {
		info *debug.BuildInfo
		want string
	}{
		"nothing known":    {nil, "devel"},
		"no commit":        {build("(devel)"), "devel"},
		"a commit":         {build("v0.0.0-20261123063434-0123456789ab", "vcs.revision", commit, "vcs.modified", "false"), "devel-0123456789ab"},
		"and more":         {build("(devel)", "vcs.revision", commit, "vcs.modified", "true"), "devel-0123456789ab-dirty"},
		"go install of it": {build("v1.2.3"), "v1.2.3"},
	} {
		if got := versionOf(c.info); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
