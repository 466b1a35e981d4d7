package cmd

import (
	"errors"
	"os"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/spf13/cobra"

	"github.com/discluster/control/config"
)

func (p *program) master() *cobra.Command {
	var load func() (*config.Config, error)
	c := &cobra.Command{
		Use:   "master",
		Short: "Run MASTER for several machines",
		Long:  "Divide the shards of one bot over its CONTROLs. Every CONTROL needs the same master.authorization.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			if err := c.ValidateMaster(); err != nil {
				return usageError{err}
			}
			c.Admin.Listen = c.AdminOfMaster()
			if _, err := adminOptions(c); err != nil {
				return err
			}
			_ = makeFolder(c.State.Dir) // for the socket, which reports an error
			book := newLog(c, new(threshold), os.Stderr)
			p.log.Store(book)
			log := book.Logger
			unlock, err := lockToken(c, "MASTER", log)
			if err != nil {
				return err
			}
			defer unlock()
			m, err := startMaster(cmd.Context(), newSystem(log), masterOptions(c), c.State.Dir, log)
			if err != nil {
				return err
			}
			shown, err := openMasterAdmin(c, m, log)
			if err != nil {
				return errors.Join(err, m.stop())
			}
			defer shown.close()
			systemd, err := newSystemd(os.Getenv)
			if err != nil {
				log.Warn().Err(err).Msg("cannot notify systemd")
			}
			if systemd.conn != nil {
				m.system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return newWatchdog(newWorld(m.files, log), systemd, nil, m.root) }))
			}
			systemd.notify("READY=1", "STATUS=listening at "+m.at)
			log.Info().Str("version", versionText()).Str("listen", m.at).Msg("master runs")
			select {
			case <-cmd.Context().Done():
				systemd.notify("STOPPING=1")
				return m.stop()
			case err := <-m.failed:
				_ = m.stop()
				return err
			}
		},
	}
	load = configFlags(c)
	return c
}
