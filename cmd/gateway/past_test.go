package gateway

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A far end counts once it was there at every look for long enough; one look without it begins
// again.
func TestLasting(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.0.2.1:443"), netip.MustParseAddrPort("192.0.2.2:443")
	held, now := lasting{}, time.Unix(1_700_000_000, 0)
	for i, tc := range []struct {
		peers, old []netip.AddrPort
	}{
		{[]netip.AddrPort{a, b}, nil},
		{[]netip.AddrPort{a, b}, nil},
		{[]netip.AddrPort{a}, []netip.AddrPort{a}},
		{[]netip.AddrPort{a, b}, []netip.AddrPort{a}},
		{[]netip.AddrPort{b}, nil},
		{[]netip.AddrPort{a, b}, []netip.AddrPort{b}},
	} {
		if old := held.look(now.Add(time.Duration(5*i)*time.Second), tc.peers, 10*time.Second); !slices.Equal(old, tc.old) {
			t.Errorf("look %d: %v, want %v", i, old, tc.old)
		}
	}
}

// Only an address that the gateway alone has is one of a gateway connection.
func TestPast(t *testing.T) {
	gateway, shared, rest := netip.MustParseAddrPort("192.0.2.1:443"), netip.MustParseAddrPort("192.0.2.2:443"), netip.MustParseAddrPort("192.0.2.3:443")
	port := netip.MustParseAddrPort("192.0.2.1:80")
	p := places{map[netip.AddrPort]string{gateway: "gateway.example", shared: "gateway.example"}, map[netip.AddrPort]bool{shared: true, rest: true}}
	if far, _, found := p.past([]netip.AddrPort{shared, rest, port}); found {
		t.Errorf("%v is taken for a gateway connection", far)
	}
	if far, name, found := p.past([]netip.AddrPort{rest, gateway}); !found || far != gateway || name != "gateway.example" {
		t.Errorf("found %v, %q, %v", far, name, found)
	}
}

// A URL without a port has its scheme's.
func TestResolve(t *testing.T) {
	for raw, want := range map[string]string{
		"wss://127.0.0.1": "127.0.0.1:443", "https://127.0.0.1/api": "127.0.0.1:443", "http://127.0.0.1": "127.0.0.1:80", "ws://127.0.0.1:8645/?v=10": "127.0.0.1:8645", "ws://[::1]:1": "[::1]:1",
	} {
		at, _, err := resolve(t.Context(), raw)
		if err != nil || len(at) != 1 || at[0].String() != want {
			t.Errorf("%s: %v, %v; want %s", raw, at, err, want)
		}
	}
	for _, raw := range []string{"ws://127.0.0.1:70000", "://"} {
		if at, _, err := resolve(t.Context(), raw); err == nil {
			t.Errorf("%s: %v", raw, at)
		}
	}
}
