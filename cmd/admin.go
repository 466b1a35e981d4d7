package cmd

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// adminSocket and masterSocket, in the state folder, are where the commands of this machine's operator reach CONTROL, and a MASTER, alone or inside a
// CONTROL.
const (
	adminSocket  = "admin.sock"
	masterSocket = "master.sock"
)

// adminRetry is how often an address that is taken is tried again.
const adminRetry = 10 * time.Second

// adminOptions is a configuration as the admin server knows it. It reads the certificate.
func adminOptions(c *config.Config) (admin.Options, error) {
	o := admin.Options{Hosts: c.Admin.Hosts, Token: c.Admin.Token}
	if host, _, err := net.SplitHostPort(c.Admin.Listen); err == nil {
		if a, err := netip.ParseAddr(host); err != nil && host != "" || err == nil && !a.IsUnspecified() {
			o.Hosts = append(slices.Clone(o.Hosts), host)
		}
	}
	if c.Admin.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(c.Admin.TLSCert, c.Admin.TLSKey)
		if err != nil {
			return o, usageError{fmt.Errorf("admin.tls_cert %s, admin.tls_key %s: %w", c.Admin.TLSCert, c.Admin.TLSKey, err)}
		}
		o.TLS = &pair
	}
	return o, nil
}

// desk is the actor that an admin server asks.
type desk struct {
	system *actor.ActorSystem
	pid    *actor.PID
}

func (d desk) Look(m messages.Look)     { d.system.Root.Send(d.pid, m) }
func (d desk) Follow(m messages.Follow) { d.system.Root.Send(d.pid, m) }
func (d desk) Order(m messages.Order)   { d.system.Root.Send(d.pid, m) }

// deskBehaviour is the desk of a machine, which has this to say at its start.
func deskBehaviour(c *config.Config, news []messages.Event) actors.Behaviour {
	host, _ := os.Hostname() // one that is not known is not shown
	return actors.Desk(actors.DeskOptions{
		Source: c.Machine.Source, Version: versionText(), Host: host, MasterURL: c.Master.URL, PID: os.Getpid(), Started: startedAt, News: news,
	})
}

// adminIn is the admin server of one CONTROL, or of a MASTER alone.
type adminIn struct {
	server  *admin.Server
	at      atomic.Pointer[string] // where it listens; nil: nowhere yet
	missing []messages.Event       // what did not work
	ended   chan struct{}
	close   func()
}

// openAdmin lets a server be reached: by a socket in the state folder, and at admin.listen. Where one of them cannot be had all else runs on without: the bots matter more.
// The address is tried again.
func openAdmin(c *config.Config, socket string, server func(admin.Options) *admin.Server, told func(messages.Event), log zerolog.Logger) (*adminIn, error) {
	o, err := adminOptions(c)
	if err != nil {
		return nil, err
	}
	o.Refused = func(e messages.AdminRefused) { told(e) }
	o.LogsLost = logsLost.Load
	o.Broken = func(route string, err error) { log.Error().Err(err).Str("route", route).Msg("admin panicked") }
	a := &adminIn{server: server(o), ended: make(chan struct{})}
	a.close = sync.OnceFunc(func() { close(a.ended); a.server.Close() })
	if err := a.server.ListenUnix(filepath.Join(c.State.Dir, socket)); err != nil {
		a.missing = append(a.missing, messages.AdminUnavailable{Listen: socket, Err: err.Error()})
	}
	if c.Admin.Listen == "" {
		return a, nil
	}
	if err := a.listen(c.Admin.Listen, log); err != nil {
		a.missing = append(a.missing, messages.AdminUnavailable{Listen: c.Admin.Listen, Err: err.Error()})
		go a.insist(c.Admin.Listen, log)
	}
	return a, nil
}

func (a *adminIn) listen(at string, log zerolog.Logger) error {
	at, err := a.server.Listen(at)
	if err == nil {
		a.at.Store(&at)
		log.Info().Str("listen", at).Msg("admin listens")
	}
	return err
}

// insist tries an address until it is free.
func (a *adminIn) insist(at string, log zerolog.Logger) {
	ticker := time.NewTicker(adminRetry)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if a.listen(at, log) == nil {
				return
			}
		case <-a.ended:
			return
		}
	}
}
