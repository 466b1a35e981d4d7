// Package stage is shared by the bots of this module: it finds Discord, prints their lines, and
// does their work in the first guild.
//
// The lines are those of ../e2e/node/clients/lines.mjs, so that one test reads every library. Each
// bot has as many shards as Discord recommends.
package stage

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
)

// The values that every bot sets and writes.
const (
	Status  = "dnd"
	Command = "ping"
	Content = "hello"
)

// Enter returns the bot's token, DISCORD_TOKEN. From then on each request to discord.com that goes
// by http.DefaultTransport goes to DISCORD_API: some libraries have a variable for every address,
// or none at all.
func Enter() (token string) {
	api, err := url.Parse(os.Getenv("DISCORD_API"))
	if err != nil || api.Host == "" {
		Exit(fmt.Errorf("DISCORD_API %q: want the address of a simulated Discord, http://host:port", os.Getenv("DISCORD_API")))
	}
	http.DefaultTransport = redirect{api, http.DefaultTransport}
	return os.Getenv("DISCORD_TOKEN")
}

// redirect sends the requests for discord.com elsewhere.
type redirect struct {
	to *url.URL
	by http.RoundTripper
}

func (r redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == "discord.com" {
		req = req.Clone(req.Context())
		req.URL.Scheme, req.URL.Host, req.Host = r.to.Scheme, r.to.Host, r.to.Host
	}
	return r.by.RoundTrip(req)
}

// Shards returns the shards that CONTROL names, and the number of all.
func Shards() (ids []int, count int, err error) {
	if err := json.Unmarshal([]byte(os.Getenv("SHARDS")), &ids); err != nil {
		return nil, 0, fmt.Errorf("SHARDS: %w", err)
	}
	if count, err = strconv.Atoi(os.Getenv("SHARD_COUNT")); err != nil {
		return nil, 0, fmt.Errorf("SHARD_COUNT: %w", err)
	}
	return ids, count, nil
}

// Exit ends the program: with 1 and a line on stderr where there is an error, else with 0.
func Exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

var mu sync.Mutex

// Say prints a line.
func Say(words ...any) {
	mu.Lock()
	defer mu.Unlock()
	fmt.Println(words...)
}

// Deeds are what a bot does in its first guild, by means of its library.
type Deeds struct {
	Commands func() (global, guild int, err error) // registers Command, and returns how many there are
	Send     func() (content string, err error)    // writes Content
	Presence func() error                          // sets Status, on every shard
	Voice    func() error                          // joins the voice channel
	Members  func() (int, error)                   // asks for all members, and returns how many came
}

// Stage notes what a bot has seen, until the guilds of all its shards are there. Its methods may be
// called from anywhere.
type Stage struct {
	mu     sync.Mutex
	shards int             // that have not identified
	listed int             // guilds in their READYs
	seen   map[string]bool // guilds
}

// New returns the stage of a bot with that many shards.
func New(shards int) *Stage { return &Stage{shards: shards, seen: map[string]bool{}} }

// Identified notes a READY that lists that many guilds.
func (s *Stage) Identified(shard, guilds int) {
	Say("identified", shard)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shards > 0 {
		s.shards--
		s.listed += guilds
	}
}

// Guild notes a guild. When the last one comes, its deeds are done, on a goroutine of their own.
func (s *Stage) Guild(id fmt.Stringer, channels, roles, members int, deeds Deeds) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[id.String()] {
		return
	}
	s.seen[id.String()] = true
	Say("guild", id, channels, roles, members)
	if s.shards == 0 && len(s.seen) == s.listed {
		go deeds.act()
	}
}

func (d Deeds) act() {
	Say("ready")
	global, guild, err := d.Commands()
	done("commands", err, global, guild)
	content, err := d.Send()
	done("sent", err, content)
	if err := d.Presence(); err != nil {
		Say("error", "presence", err)
	}
	if err := d.Voice(); err != nil {
		Say("error", "voice", err)
	}
	members, err := d.Members()
	done("members", err, members)
	Say("done")
}

func done(what string, err error, words ...any) {
	if err != nil {
		Say("error", what, strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	Say(append([]any{what}, words...)...)
}
