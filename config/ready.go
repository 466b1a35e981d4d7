package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/discluster/control/messages"
)

// patternMax limits the pattern of a log rule, in bytes.
const patternMax = 1024

// ReadyRule reads cluster.ready: after 30s, http://127.0.0.1:{9000+cluster}/ready, or log "regular
// expression".
func (c *Cluster) ReadyRule() (rule messages.ReadyRule, err error) {
	word, rest, _ := strings.Cut(c.Ready, " ")
	switch {
	case word == "after":
		d, err := time.ParseDuration(rest)
		if err != nil || d < time.Second || d > waitMax {
			return rule, fmt.Errorf("want after and a duration from %s to %s, such as after 30s", time.Second, waitMax)
		}
		return messages.ReadyRule{After: d}, nil
	case word == "log":
		text, err := strconv.Unquote(rest)
		if err != nil || text == "" || len(text) > patternMax {
			return rule, fmt.Errorf("want log and a regular expression in double quotes, at most %d bytes", patternMax)
		}
		line, err := regexp.Compile(text)
		if err != nil {
			return rule, err
		}
		return messages.ReadyRule{Log: line}, nil
	case goodBotURL(c.Ready):
		return messages.ReadyRule{URL: c.Ready}, nil
	default:
		return rule, errors.New(`want after 30s, log "regular expression", or an http:// address of the bot`)
	}
}

// goodBotURL reports whether a text is a valid address of a bot.
func goodBotURL(text string) bool {
	u, err := url.Parse(messages.ClusterID(0).In(text))
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && goodHost(u) && u.Fragment == ""
}
