package daemon

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

	"github.com/discluster/control/actors/status"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd/logbook"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// AdminSocket and MasterSocket name the sockets in the state folder by which commands on this
// machine reach CONTROL and MASTER (on its own or embedded in CONTROL).
const (
	AdminSocket  = "admin.sock"
	MasterSocket = "master.sock"
)

// adminRetry is the pause between two attempts to listen at an address that is taken.
const adminRetry = 10 * time.Second

// AdminOptions returns the admin server's options of a configuration. It reads the certificate.
func AdminOptions(c *config.Config) (admin.Options, error) {
	o := admin.Options{Hosts: c.Admin.Hosts, Token: c.Admin.Token}
	if host, _, err := net.SplitHostPort(c.Admin.Listen); err == nil {
		if a, err := netip.ParseAddr(host); err != nil && host != "" || err == nil && !a.IsUnspecified() {
			o.Hosts = append(slices.Clone(o.Hosts), host)
		}
	}
	if c.Admin.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(c.Admin.TLSCert, c.Admin.TLSKey)
		if err != nil {
			return o, UsageError{fmt.Errorf("admin.tls_cert %s, admin.tls_key %s: %w", c.Admin.TLSCert, c.Admin.TLSKey, err)}
		}
		o.TLS = &pair
	}
	return o, nil
}

// adminQueries passes an admin server's requests to the actor that answers them.
type adminQueries struct {
	system *actor.ActorSystem
	pid    *actor.PID
}

func (d adminQueries) GetView(m messages.GetView) { d.system.Root.Send(d.pid, m) }
func (d adminQueries) Follow(m messages.Follow)   { d.system.Root.Send(d.pid, m) }
func (d adminQueries) Order(m messages.Order)     { d.system.Root.Send(d.pid, m) }
func (d adminQueries) Ask(m messages.Ask)         { d.system.Root.Send(d.pid, m) }

// statusBehaviour returns the actor that answers the admin API; news are the events it reports when
// it starts.
func statusBehaviour(c *config.Config, news []messages.Event) world.Behaviour {
	host, _ := os.Hostname() // shown only if known
	return status.New(status.Options{
		Source: c.Machine.Source, Version: Version(), Host: host, MasterURL: c.Master.URL, PID: os.Getpid(), Started: startedAt, News: news,
	})
}

// adminListener is the admin server of a CONTROL or of a MASTER, with its two addresses.
type adminListener struct {
	server   *admin.Server
	at       atomic.Pointer[string] // the TCP address it listens at; nil: none so far
	failures []messages.Event       // addresses that were taken at the start
	ended    chan struct{}
	close    func()
}

// openAdmin starts a server on the socket in the state folder and at admin.listen. A taken address
// is no error, because the bots matter more: it is in failures, and admin.listen is retried. report
// gets the server's events.
func openAdmin(c *config.Config, socket string, server func(admin.Options) *admin.Server, report func(messages.Event), log zerolog.Logger) (*adminListener, error) {
	o, err := AdminOptions(c)
	if err != nil {
		return nil, err
	}
	o.Refused = func(e messages.AdminRefused) { report(e) }
	o.LogsLost, o.Clean = logbook.LinesLost, logbook.Secrets.Text
	o.Broken = func(route string, err error) { log.Error().Err(err).Str("route", route).Msg("admin panicked") }
	a := &adminListener{server: server(o), ended: make(chan struct{})}
	a.close = sync.OnceFunc(func() { close(a.ended); a.server.Close() })
	if err := a.server.ListenUnix(filepath.Join(c.State.Dir, socket)); err != nil {
		a.failures = append(a.failures, messages.AdminUnavailable{Listen: socket, Err: err.Error()})
	}
	if c.Admin.Listen == "" {
		return a, nil
	}
	if err := a.listen(c.Admin.Listen, log); err != nil {
		a.failures = append(a.failures, messages.AdminUnavailable{Listen: c.Admin.Listen, Err: err.Error()})
		go a.retry(c.Admin.Listen, log)
	}
	return a, nil
}

// address returns the TCP address; "" if there is none.
func (a *adminListener) address() string {
	if at := a.at.Load(); at != nil {
		return *at
	}
	return ""
}

func (a *adminListener) listen(at string, log zerolog.Logger) error {
	at, err := a.server.Listen(at)
	if err == nil {
		a.at.Store(&at)
		log.Info().Str("listen", at).Msg("admin listens")
	}
	return err
}

// retry listens at an address as soon as it is free.
func (a *adminListener) retry(at string, log zerolog.Logger) {
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
