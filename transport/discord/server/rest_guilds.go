package server

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"

	"github.com/discluster/control/transport/discord/guilds"
	"github.com/discluster/control/transport/discord/rules"
)

// Error codes of Discord's JSON errors (topics/opcodes-and-status-codes, "JSON Error Codes").
const (
	codeGeneral        = 0
	codeUnknownApp     = 10002
	codeUnknownChannel = 10003
	codeUnknownGuild   = 10004
	codeUnknownMember  = 10007
	codeUnknownMessage = 10008
	codeUnknownUser    = 10013
	codeUnknownCommand = 10063
	codeEmptyMessage   = 50006
	codeInvalidForm    = 50035
)

// membersPage is the number of members in GET /guilds/{id}/members, by default and at most
// (resources/guild, "List Guild Members").
const (
	membersPage    = 1
	membersPageMax = 1000
)

// routeGuilds adds the routes of guilds, their channels and members; api is the beginning of the
// addresses.
func (s *Server) routeGuilds(mux *http.ServeMux, api string) {
	get := func(path string, f func(*http.Request) (any, *refusal)) {
		mux.HandleFunc("GET "+api+path, s.authorized(func(w http.ResponseWriter, r *http.Request, _ rules.GatewayBot) {
			reply(w, r, f)
		}))
	}
	get("/users/@me/guilds", s.ownGuilds)
	get("/users/{user}", s.getUser)
	get("/guilds/{guild}", func(r *http.Request) (any, *refusal) {
		guild, no := s.guildOf(r)
		return s.shape.Guild(guild), no
	})
	get("/guilds/{guild}/channels", func(r *http.Request) (any, *refusal) {
		guild, no := s.guildOf(r)
		return s.shape.ChannelList(guild, true), no
	})
	get("/guilds/{guild}/roles", func(r *http.Request) (any, *refusal) {
		guild, no := s.guildOf(r)
		return s.shape.RoleList(guild), no
	})
	get("/guilds/{guild}/members", s.listMembers)
	get("/guilds/{guild}/members/{user}", s.getMember)
	get("/channels/{channel}", func(r *http.Request) (any, *refusal) {
		channel, _, no := s.channelOf(r)
		return channel, no
	})
}

// refusal is the reason why a request is not served.
type refusal struct {
	status, code int
	message      string
}

func unknown(code int, what string) *refusal {
	return &refusal{http.StatusNotFound, code, "Unknown " + what}
}

// reply answers a request with the result of f.
func reply(w http.ResponseWriter, r *http.Request, f func(*http.Request) (any, *refusal)) {
	v, no := f(r)
	switch {
	case no != nil:
		failCode(w, no.status, no.code, no.message)
	case v == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		answer(w, http.StatusOK, v)
	}
}

// pathID reads an id of the address; 0 if it is not one.
func pathID(r *http.Request, name string) uint64 {
	id, _ := strconv.ParseUint(r.PathValue(name), 10, 64)
	return id
}

// guildOf returns the guild of an address.
func (s *Server) guildOf(r *http.Request) (uint64, *refusal) {
	id := pathID(r, "guild")
	if k := guilds.Number(id); k < 1 || k > s.config.Guilds || guilds.ID(k) != id {
		return 0, unknown(codeUnknownGuild, "Guild")
	}
	return id, nil
}

// channelOf returns the channel of an address, and its guild.
func (s *Server) channelOf(r *http.Request) (guilds.Channel, uint64, *refusal) {
	id := r.PathValue("channel")
	guild, ok := s.shape.InChannel(pathID(r, "channel"))
	if ok && guilds.Number(guild) <= s.config.Guilds {
		for _, c := range s.shape.ChannelList(guild, true) {
			if c.ID == id {
				return c, guild, nil
			}
		}
	}
	return guilds.Channel{}, 0, unknown(codeUnknownChannel, "Channel")
}

// ownGuilds lists guilds in the form of the bot's user, by id: limit (200) of them after an id.
func (s *Server) ownGuilds(r *http.Request) (any, *refusal) {
	type partial struct {
		ID          string   `json:"id"`
		Name        string   `json:"name"`
		Icon        *string  `json:"icon"`
		Owner       bool     `json:"owner"`
		Permissions string   `json:"permissions"`
		Features    []string `json:"features"`
	}
	after, limit, no := page(r, 200, 200)
	list := []partial{}
	for k := guilds.Number(after) + 1; k <= s.config.Guilds && len(list) < limit; k++ {
		g := s.shape.Guild(guilds.ID(k))
		list = append(list, partial{ID: g.ID, Name: g.Name, Permissions: g.Roles[0].Permissions, Features: g.Features})
	}
	return list, no
}

// page reads "after" and "limit" of a query.
func page(r *http.Request, usual, most int) (after uint64, limit int, no *refusal) {
	q := r.URL.Query()
	after, err := strconv.ParseUint(cmp.Or(q.Get("after"), "0"), 10, 64)
	limit, err2 := strconv.Atoi(cmp.Or(q.Get("limit"), strconv.Itoa(usual)))
	if err != nil || err2 != nil || limit < 1 || limit > most {
		return 0, 0, &refusal{http.StatusBadRequest, codeInvalidForm, fmt.Sprintf("Invalid Form Body: after is an id, limit 1 to %d", most)}
	}
	return after, limit, nil
}

// listMembers lists members by their number: user ids rise with it, and the bot, whatever its id,
// is the first.
func (s *Server) listMembers(r *http.Request) (any, *refusal) {
	guild, no := s.guildOf(r)
	if no != nil {
		return nil, no
	}
	after, limit, no := page(r, membersPage, membersPageMax)
	if no != nil {
		return nil, no
	}
	n := 0
	if after > 0 {
		last, ok := s.shape.ByUser(guild, after)
		if !ok {
			return []guilds.Member{}, nil
		}
		n = last + 1
	}
	return s.shape.MemberList(guild, n, limit), nil
}

func (s *Server) getMember(r *http.Request) (any, *refusal) {
	guild, no := s.guildOf(r)
	if no != nil {
		return nil, no
	}
	n, ok := s.shape.ByUser(guild, pathID(r, "user"))
	if !ok {
		return nil, unknown(codeUnknownMember, "Member")
	}
	return s.shape.Member(guild, n), nil
}

// getUser returns the bot or a member of some guild.
func (s *Server) getUser(r *http.Request) (any, *refusal) {
	id := pathID(r, "user")
	guild := guilds.ID(guilds.Number(id))
	n, ok := s.shape.ByUser(guild, id)
	if !ok || n > 0 && guilds.Number(id) > s.config.Guilds {
		return nil, unknown(codeUnknownUser, "User")
	}
	return s.shape.Member(guild, n).User, nil
}
