package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/discluster/control/transport/discord/guilds"
	"github.com/discluster/control/transport/discord/rules"
)

// contentMax is the maximum content of a message, in characters (resources/message, "Create
// Message").
const contentMax = 2000

// routeMessages adds the routes of messages; api is the beginning of the addresses.
func (s *Server) routeMessages(mux *http.ServeMux, api string) {
	handle := func(route string, f func(*http.Request) (any, *refusal)) {
		method, path, _ := strings.Cut(route, " ")
		mux.HandleFunc(method+" "+api+path, s.authorized(func(w http.ResponseWriter, r *http.Request, _ rules.GatewayBot) { reply(w, r, f) }))
	}
	handle("POST /channels/{channel}/messages", s.postMessage)
	handle("GET /channels/{channel}/messages/{message}", func(*http.Request) (any, *refusal) {
		return nil, unknown(codeUnknownMessage, "Message") // none is kept
	})
	handle("POST /channels/{channel}/typing", func(r *http.Request) (any, *refusal) {
		_, _, no := s.channelOf(r)
		return nil, no
	})
}

// postMessage creates a message, which its guild gets as MESSAGE_CREATE and which is not kept.
func (s *Server) postMessage(r *http.Request) (any, *refusal) {
	_, guild, no := s.channelOf(r)
	if no != nil {
		return nil, no
	}
	var body struct {
		Content    string `json:"content"`
		TTS        bool   `json:"tts"`
		Embeds     []any  `json:"embeds"`
		Components []any  `json:"components"`
		Flags      int    `json:"flags"`
		Nonce      any    `json:"nonce"`
	}
	if no := readForm(r, &body); no != nil {
		return nil, no
	}
	switch {
	case utf8.RuneCountInString(body.Content) > contentMax:
		return nil, &refusal{http.StatusBadRequest, codeInvalidForm, "Invalid Form Body: content: Must be 2000 or fewer in length."}
	case body.Content == "" && len(body.Embeds) == 0 && len(body.Components) == 0:
		return nil, &refusal{http.StatusBadRequest, codeEmptyMessage, "Cannot send an empty message"}
	}
	m := guilds.Sent(s.messageID(), pathID(r, "channel"), body.Content)
	m.TTS, m.Flags, m.Nonce = body.TTS, body.Flags, body.Nonce
	m.Embeds, m.Components = append(m.Embeds, body.Embeds...), append(m.Components, body.Components...)
	dispatched := m
	member := s.shape.Member(guild, 0)
	member.User = nil
	dispatched.GuildID, dispatched.Member = guilds.Text(guild), &member
	s.messages.Add(1)
	s.input(rules.Dispatch{Guild: guild, Type: "MESSAGE_CREATE", Data: guilds.JSON(dispatched)})
	return m, nil
}

// messageID returns the id of a message that is created now: later ones have higher ids.
func (s *Server) messageID() uint64 {
	for {
		last, id := s.message.Load(), guilds.At(time.Now())
		if id <= last {
			id = last + 1
		}
		if s.message.CompareAndSwap(last, id) {
			return id
		}
	}
}

// readForm decodes a body as Discord does: JSON, or a form with JSON in payload_json (with files,
// which are dropped). Unknown fields are ignored, as at Discord.
func readForm(r *http.Request, v any) *refusal {
	bad := func(err error) *refusal {
		return &refusal{http.StatusBadRequest, codeInvalidForm, "Invalid Form Body: " + err.Error()}
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		if err := json.NewDecoder(r.Body).Decode(v); err != nil {
			return bad(err)
		}
		return nil
	}
	if err := r.ParseMultipartForm(bodyMax); err != nil {
		return bad(err)
	}
	if err := json.Unmarshal([]byte(r.FormValue("payload_json")), v); err != nil {
		return bad(err)
	}
	return nil
}
