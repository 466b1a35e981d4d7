package gateway

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/client"
	"github.com/discluster/control/transport/proc"
)

// This file finds a connection of the bot to Discord's gateway that does not go through its host.
// What a connection carries is not seen, and Discord's REST, gateway and files may be at one
// address. So it reports what is seen: a connection that lasts, to an address that only the
// gateway's name has.

const (
	pastEvery   = 5 * time.Second // between two looks at the bot's connections
	resolveWait = 10 * time.Second
	resolveRest = time.Minute // between two questions where Discord is
)

// lasting holds since when the bot has connections to each far end.
type lasting map[netip.AddrPort]time.Time

// look takes the current far ends, and returns those seen at every look for the time given.
func (l lasting) look(now time.Time, peers []netip.AddrPort, so time.Duration) (old []netip.AddrPort) {
	for far := range l {
		if !slices.Contains(peers, far) {
			delete(l, far)
		}
	}
	for _, far := range peers {
		since, known := l[far]
		switch {
		case !known:
			l[far] = now
		case now.Sub(since) >= so:
			old = append(old, far)
		}
	}
	return old
}

// places are the addresses of Discord.
type places struct {
	gateway map[netip.AddrPort]string // the names that have them
	other   map[netip.AddrPort]bool   // also those of REST and of files
}

// past returns the first far end that is the gateway's alone, and the name that it has.
func (p places) past(peers []netip.AddrPort) (far netip.AddrPort, name string, found bool) {
	for _, far := range peers {
		if name, is := p.gateway[far]; is && !p.other[far] {
			return far, name, true
		}
	}
	return netip.AddrPort{}, "", false
}

// others are hosts of Discord that bots speak to beside its API.
var others = []string{"https://discordapp.com", "https://cdn.discordapp.com", "https://media.discordapp.net"}

// findPlaces asks where Discord is.
func findPlaces(ctx context.Context, api string, token messages.Secret) (p places, err error) {
	ctx, cancel := context.WithTimeout(ctx, resolveWait)
	defer cancel()
	gateway, err := client.GatewayURL(ctx, api, token)
	if err != nil {
		return p, err
	}
	p = places{map[netip.AddrPort]string{}, map[netip.AddrPort]bool{}}
	at, host, err := resolve(ctx, gateway)
	for _, a := range at {
		p.gateway[a] = host
	}
	if err != nil {
		return p, err
	}
	all := []string{api}
	if u, bad := url.Parse(api); bad == nil && u.Hostname() == "discord.com" {
		all = append(all, others...)
	}
	for _, one := range all {
		at, _, err := resolve(ctx, one)
		if err != nil {
			return p, err // a place that is not known might be taken for another
		}
		for _, a := range at {
			p.other[a] = true
		}
	}
	return p, nil
}

// resolve returns the addresses of a URL's host, with its port, and the host.
func resolve(ctx context.Context, rawURL string) (at []netip.AddrPort, host string, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, "", err
	}
	port := uint64(443)
	switch {
	case u.Port() != "":
		if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil {
			return nil, "", err
		}
	case u.Scheme == "http", u.Scheme == "ws":
		port = 80
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	for _, ip := range ips {
		at = append(at, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	return at, u.Hostname(), err
}

// watchPast reports, once, a connection of a bot past this host, until ctx ends.
func (r *runner) watchPast(ctx context.Context, pid int) {
	each := time.NewTicker(pastEvery)
	defer each.Stop()
	held, asked := lasting{}, time.Time{}
	for {
		var now time.Time
		select {
		case now = <-each.C:
		case <-ctx.Done():
			return
		}
		peers, err := proc.Peers(pid)
		if err != nil {
			continue // it is gone, or nothing can be seen here
		}
		peers = slices.DeleteFunc(peers, func(a netip.AddrPort) bool { return a.String() == r.to })
		old := held.look(now, peers, r.patience)
		if len(old) == 0 || now.Sub(asked) < resolveRest {
			continue
		}
		asked = now
		discord, err := findPlaces(ctx, r.api, r.cluster.Token())
		if err != nil {
			continue
		}
		far, name, is := discord.past(old)
		if is && r.cluster.ChildTrouble(messages.ChildTrouble{Kind: messages.TroublePast, Err: fmt.Sprintf("the bot (process %d) has been connected to %s, an address of %s, for %v, past its gateway host", pid, far, name, now.Sub(held[far]).Round(time.Second))}) {
			r.log.Error("bot is connected to Discord's gateway past this host", "pid", pid, "address", far.String(), "name", name)
			return
		}
	}
}
