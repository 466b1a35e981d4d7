package daemon

import (
	"slices"
	"testing"

	"github.com/discluster/control/config"
)

// Requests may be for the host that admin.listen names; an unspecified address names none.
func TestAdminHosts(t *testing.T) {
	for listen, want := range map[string][]string{
		"127.0.0.1:8643": {"a.example", "127.0.0.1"}, "10.0.0.5:8643": {"a.example", "10.0.0.5"}, "box.example:1": {"a.example", "box.example"},
		"[fd00::5]:1": {"a.example", "fd00::5"}, ":8643": {"a.example"}, "0.0.0.0:8643": {"a.example"}, "[::]:8643": {"a.example"}, "": {"a.example"},
	} {
		c := &config.Config{Admin: config.Admin{Listen: listen, Hosts: []string{"a.example"}}}
		o, err := AdminOptions(c)
		if err != nil || !slices.Equal(o.Hosts, want) {
			t.Errorf("%q: %v %v, want %v", listen, o.Hosts, err, want)
		}
		if !slices.Equal(c.Admin.Hosts, []string{"a.example"}) {
			t.Errorf("%q: the configuration was changed: %v", listen, c.Admin.Hosts)
		}
	}
}
