package daemon

import (
	"slices"

	"github.com/rs/zerolog"

	"github.com/discluster/control/cmd/logbook"
	"github.com/discluster/control/config"
)

// reloadable holds the settings that a SIGHUP applies. Actors read all others when they start; an
// upgrade, also to the same program, restarts them at no cost.
var reloadable = map[string]func(d *daemon, c *config.Config){
	"log.level": func(d *daemon, c *config.Config) {
		d.config.Log.Level = c.Log.Level
		d.log.SetLevel(c.Log.Level)
	},
	"cluster.on_stop": func(d *daemon, c *config.Config) { d.config.Cluster.OnStop = c.Cluster.OnStop },
}

// restartOnly holds the settings that even an upgrade does not apply: running bots are found by
// them.
var restartOnly = []string{"state.dir"}

// reload reads the configuration again and applies the settings that can be. It logs the keys of
// all changed settings by what they need. A broken configuration changes nothing.
func (d *daemon) reload() {
	c, err := d.Load()
	if err != nil {
		d.log.Error().Str("err", logbook.OneLine(err)).Msg("configuration is broken, nothing changed")
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
	// A line without a level is written at every log.level; its level is a field.
	d.log.Log().Str(zerolog.LevelFieldName, zerolog.LevelInfoValue).
		Strs("applied", applied).Strs("need_upgrade", needUpgrade).Strs("need_restart", needRestart).Msg("configuration reloaded")
}
