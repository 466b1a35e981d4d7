package cmd

import (
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/discluster/control/config"
)

// reloadable are the settings that a SIGHUP applies. Actors read all others once in their life; an upgrade, to the same program too, gives them another life at no cost.
var reloadable = map[string]func(d *daemon, c *config.Config){
	"log.level": func(d *daemon, c *config.Config) {
		d.config.Log.Level = c.Log.Level
		d.level.set(c.Log.Level)
	},
	"cluster.on_stop": func(d *daemon, c *config.Config) { d.config.Cluster.OnStop = c.Cluster.OnStop },
}

// restartOnly are the settings that even an upgrade does not take: the bots that run are found by them.
var restartOnly = []string{"state.dir"}

// reload reads the configuration anew, applies what can be applied, and says by key what was changed and what that needs. A broken one changes nothing.
func (d *daemon) reload() {
	c, err := d.load()
	if err != nil {
		d.log.Error().Str("err", oneLine(err)).Msg("configuration is broken: nothing is changed")
		return
	}
	applied, needUpgrade, needRestart := []string{}, []string{}, []string{}
	for _, key := range config.Changed(d.config, c) {
		switch apply := reloadable[key]; {
		case apply != nil:
			apply(d, c)
			applied = append(applied, key)
		case slices.Contains(restartOnly, key):
			needRestart = append(needRestart, key)
		default:
			needUpgrade = append(needUpgrade, key)
		}
	}
	// The level is a field of a line without one: who asks is answered at every log.level.
	d.log.Log().Str(zerolog.LevelFieldName, zerolog.LevelInfoValue).
		Strs("applied", applied).Strs("need_upgrade", needUpgrade).Strs("need_restart", needRestart).Msg("configuration reloaded")
}

// oneLine is an error of several lines in one.
func oneLine(err error) string { return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ") }
