package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/discluster/control/transport/discord/guilds"
	"github.com/discluster/control/transport/discord/rules"
)

// Limits of application commands (interactions/application-commands, "Registering a Command"): by
// scope, whatever their type; and the number of scopes.
const (
	commandsMax      = 130 // 100 slash commands, and 15 for each of two menus
	commandScopesMax = 10_000
)

// command is an application command as REST has it; unknown fields of a client are returned
// unchanged.
type command map[string]any

// commands are the application's, by scope: "" for the global ones, else a guild's id. Safe for
// concurrent use.
type commands struct {
	mu     sync.Mutex
	scopes map[string][]command
}

// routeCommands adds the registration of slash commands; api is the beginning of the addresses.
func (s *Server) routeCommands(mux *http.ServeMux, api string) {
	app := api + "/applications/{application}"
	for _, base := range []string{app + "/commands", app + "/guilds/{guild}/commands"} {
		for route, f := range map[string]func(r *http.Request, scope string) (any, *refusal){
			"GET " + base:                   s.listCommands,
			"PUT " + base:                   s.putCommands,
			"POST " + base:                  s.postCommand,
			"DELETE " + base + "/{command}": s.deleteCommand,
		} {
			mux.HandleFunc(route, s.authorized(func(w http.ResponseWriter, r *http.Request, _ rules.GatewayBot) {
				reply(w, r, func(r *http.Request) (any, *refusal) {
					scope, no := s.scope(r)
					if no != nil {
						return nil, no
					}
					return f(r, scope)
				})
			}))
		}
	}
}

// scope returns the key of the commands at an address.
func (s *Server) scope(r *http.Request) (string, *refusal) {
	if pathID(r, "application") != guilds.Bot {
		return "", unknown(codeUnknownApp, "Application")
	}
	if strings.Contains(r.Pattern, "{guild}") {
		_, no := s.guildOf(r)
		return r.PathValue("guild"), no
	}
	return "", nil
}

func (s *Server) listCommands(_ *http.Request, scope string) (any, *refusal) {
	s.commands.mu.Lock()
	defer s.commands.mu.Unlock()
	return append([]command{}, s.commands.scopes[scope]...), nil
}

// putCommands replaces all commands of a scope. One that keeps its name and type keeps its id, as
// at Discord.
func (s *Server) putCommands(r *http.Request, scope string) (any, *refusal) {
	var list []command
	if no := readForm(r, &list); no != nil {
		return nil, no
	}
	all := []command{}
	s.commands.mu.Lock()
	defer s.commands.mu.Unlock()
	for _, c := range list {
		if no := s.complete(c, scope); no != nil {
			return nil, no
		}
		all = append(all, c)
	}
	return all, s.store(scope, all)
}

// postCommand adds a command, or replaces the one of its name and type.
func (s *Server) postCommand(r *http.Request, scope string) (any, *refusal) {
	var c command
	if no := readForm(r, &c); no != nil {
		return nil, no
	}
	s.commands.mu.Lock()
	defer s.commands.mu.Unlock()
	if no := s.complete(c, scope); no != nil {
		return nil, no
	}
	others := slices.DeleteFunc(slices.Clone(s.commands.scopes[scope]), func(o command) bool { return o["id"] == c["id"] })
	return c, s.store(scope, append(others, c))
}

func (s *Server) deleteCommand(r *http.Request, scope string) (any, *refusal) {
	s.commands.mu.Lock()
	defer s.commands.mu.Unlock()
	old := s.commands.scopes[scope]
	rest := slices.DeleteFunc(slices.Clone(old), func(c command) bool { return c["id"] == r.PathValue("command") })
	if len(rest) == len(old) {
		return nil, unknown(codeUnknownCommand, "application command")
	}
	return nil, s.store(scope, rest)
}

// store keeps the commands of a scope. The caller has the lock.
func (s *Server) store(scope string, all []command) *refusal {
	_, known := s.commands.scopes[scope]
	switch {
	case len(all) > commandsMax:
		return &refusal{http.StatusBadRequest, codeInvalidForm, fmt.Sprintf("Invalid Form Body: %d commands, want %d at most", len(all), commandsMax)}
	case !known && len(s.commands.scopes) == commandScopesMax:
		return &refusal{http.StatusBadRequest, codeGeneral, fmt.Sprintf("the simulated Discord keeps the commands of %d guilds at most", commandScopesMax)}
	case s.commands.scopes == nil:
		s.commands.scopes = map[string][]command{}
	}
	s.commands.scopes[scope] = all
	return nil
}

// complete adds Discord's fields to a command. The caller has the lock.
func (s *Server) complete(c command, scope string) *refusal {
	name, _ := c["name"].(string)
	if name == "" || len(name) > 32*4 {
		return &refusal{http.StatusBadRequest, codeInvalidForm, "Invalid Form Body: name: Must be between 1 and 32 in length."}
	}
	for key, usual := range map[string]any{
		"type": 1.0, "description": "", "name_localizations": nil, "description_localizations": nil, "options": []any{},
		"default_member_permissions": nil, "dm_permission": true, "nsfw": false, "contexts": nil, "integration_types": []int{0},
	} {
		if _, has := c[key]; !has {
			c[key] = usual
		}
	}
	c["application_id"] = guilds.Text(guilds.Bot)
	c["version"] = guilds.Text(s.messageID())
	c["id"] = c["version"]
	if scope != "" {
		c["guild_id"] = scope
	}
	for _, old := range s.commands.scopes[scope] {
		if old["name"] == c["name"] && old["type"] == c["type"] {
			c["id"] = old["id"]
		}
	}
	return nil
}

// count returns the number of registered commands, over all scopes.
func (c *commands) count() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, all := range c.scopes {
		n += len(all)
	}
	return n
}
