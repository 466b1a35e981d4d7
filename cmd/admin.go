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

// adminSocket, in the state folder, is where the commands of this machine's operator reach CONTROL.
const adminSocket = "admin.sock"

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

// adminIn is the admin server of one CONTROL.
type adminIn struct {
	server *admin.Server
	at     atomic.Pointer[string] // where it listens; nil: nowhere yet
	ended  chan struct{}
	close  func()
}

// desk is the actor that an admin server asks.
type desk struct {
	system *actor.ActorSystem
	pid    *actor.PID
}

func (d desk) Look(m messages.Look)     { d.system.Root.Send(d.pid, m) }
func (d desk) Follow(m messages.Follow) { d.system.Root.Send(d.pid, m) }
func (d desk) Order(m messages.Order)   { d.system.Root.Send(d.pid, m) }

// deskBehaviour is the desk of a machine.
func deskBehaviour(c *config.Config) actors.Behaviour {
	host, _ := os.Hostname() // one that is not known is not shown
	return actors.Desk(actors.DeskOptions{Source: c.Machine.Source, Version: versionText(), Host: host, MasterURL: c.Master.URL, PID: os.Getpid(), Started: startedAt})
}

// startAdmin lets a CONTROL be seen and commanded: by the socket in its state folder, and at listen. What does not work is said, and CONTROL runs on: its bots matter more.
func startAdmin(o admin.Options, m *control, dir, listen string, log zerolog.Logger) *adminIn {
	o.Mailboxes = m.mailboxes.depths
	child := func(name string) *actor.PID { return actor.NewPID(m.root.Address, m.root.Id+"/"+name) }
	a := &adminIn{server: admin.New(o, desk{m.system, child(actors.DeskName)}), ended: make(chan struct{})}
	a.close = sync.OnceFunc(func() { close(a.ended); a.server.Close() })
	missing := func(at string, err error) {
		m.system.Root.Send(child("herald"), messages.AdminUnavailable{Listen: at, Err: err.Error()})
	}
	if err := a.server.ListenUnix(filepath.Join(dir, adminSocket)); err != nil {
		missing(adminSocket, err)
	}
	if listen == "" {
		return a
	}
	err := a.listen(listen, log)
	if err != nil {
		missing(listen, err)
		go a.insist(listen, log)
	}
	return a
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
