package config

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/discluster/control/messages"
)

// secretName matches the names of variables whose values count as secrets.
var secretName = regexp.MustCompile(`(?i)(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|AUTHORIZATION)`)

// Secrets returns every text of the configuration that must not be passed on: the secrets among the
// keys; of an address its longest part, which others cannot guess; of cluster.env the values whose
// names suggest a secret (TOKEN, SECRET, PASSWORD, API_KEY, …), and the password in a value that is
// a URL.
func (c *Config) Secrets() []messages.Secret {
	all := []messages.Secret{c.Discord.Token, c.Master.Authorization, c.Admin.Token, secretPart(c.Hooks.Webhook.Reveal())}
	if u, err := url.Parse(c.Master.URL); err == nil && u.RawQuery != "" {
		all = append(all, secretPart(c.Master.URL))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Cluster.Env)) {
		value := c.Cluster.Env[name]
		if secretName.MatchString(name) {
			all = append(all, messages.Secret(value))
		}
		if u, err := url.Parse(value); err == nil && u.User != nil {
			password, _ := u.User.Password()
			all = append(all, messages.Secret(password))
		}
	}
	return slices.DeleteFunc(all, func(s messages.Secret) bool { return s == "" })
}

// secretPart returns the longest part of the path and the query of an address.
func secretPart(address string) messages.Secret {
	u, err := url.Parse(address)
	if err != nil {
		return messages.Secret(address)
	}
	longest := ""
	for _, part := range strings.FieldsFunc(u.EscapedPath()+"?"+u.RawQuery, func(r rune) bool { return strings.ContainsRune("/?&=", r) }) {
		if len(part) > len(longest) {
			longest = part
		}
	}
	return messages.Secret(longest)
}
