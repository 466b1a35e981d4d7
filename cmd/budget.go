package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// budget is what Discord allows a bot: GET /gateway/bot (Discord docs, Gateway).
type budget struct {
	Shards         int `json:"recommended_shards"`
	Total          int `json:"total"`
	Remaining      int `json:"remaining"`
	ResetAfterMS   int `json:"reset_after_ms"`
	MaxConcurrency int `json:"max_concurrency"`
}

// reset is when the budget is full again.
func (b *budget) reset() string {
	return "in " + (time.Duration(b.ResetAfterMS) * time.Millisecond).Round(time.Minute).String()
}

// discordAnswer is what Discord said.
type discordAnswer struct {
	took   time.Duration
	ahead  time.Duration // our clock before Discord's, to the second
	budget *budget       // nil without a token
}

// refusedToken is Discord's word that it does not know the token.
type refusedToken struct{ error }

// staying takes a redirect for an answer: Discord's API sends none.
var staying = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// askDiscord asks for the budget, or, without a token, for the gateway's address.
func askDiscord(ctx context.Context, conf *config.Config) (a discordAnswer, err error) {
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	path := "/api/v10/gateway"
	if conf.Discord.Token != "" {
		path += "/bot"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, conf.Discord.API+path, nil)
	if err != nil {
		return a, err
	}
	if conf.Discord.Token != "" {
		r.Header.Set("Authorization", "Bot "+conf.Discord.Token.Reveal())
	}
	began := time.Now()
	answer, err := staying.Do(r)
	if err != nil {
		return a, fmt.Errorf("%s: %w", r.URL.Host, withoutAddress(err))
	}
	defer answer.Body.Close()
	a.took = time.Since(began)
	if at, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		a.ahead = began.Add(a.took / 2).Sub(at.Add(time.Second / 2)) // its second is cut off
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, world.ResponseMax))
	switch {
	case answer.StatusCode == http.StatusUnauthorized:
		return a, &refusedToken{errors.New("token refused: Discord does not know it (401)")}
	case err != nil:
		return a, fmt.Errorf("%s: %w", r.URL.Host, err)
	case conf.Discord.Token == "":
		if answer.StatusCode != http.StatusOK {
			return a, fmt.Errorf("%s answers %s", r.URL.Host, answer.Status)
		}
		return a, nil
	}
	g, err := plan.ReadGatewayBot(answer.StatusCode, headersOf(answer.Header), body, time.Now())
	if err != nil {
		return a, err
	}
	a.budget = &budget{Shards: g.Shards, Total: g.Total, Remaining: g.Remaining, ResetAfterMS: int(g.ResetAfter.Milliseconds()), MaxConcurrency: g.MaxConcurrency}
	return a, nil
}

// spending is what `control identify-budget --json` says. What could not be asked is absent.
type spending struct {
	Discord *budget               `json:"discord,omitempty"`
	Machine *admin.IdentifyAnswer `json:"machine,omitempty"`
}

func identifyBudgetCommand() *cobra.Command {
	var load func() (*config.Config, error)
	var forPrograms, ofMaster bool
	c := &cobra.Command{
		Use:   "identify-budget",
		Short: "says how many identifies Discord allows yet, and what this machine spent",
		Long: "identify-budget asks Discord, where the configuration here has the bot's token, and the CONTROL that runs here, if one does; with --master it asks the MASTER that runs\n" +
			"here what it counts itself, with what it keeps for a start. It spends no identify.\n" +
			"Discord allows a number of them within 24 hours, and resets the bot's token when they are exceeded.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := load()
			if err != nil {
				return err
			}
			if ofMaster {
				return newCaller(conf.State.Dir, forPrograms, cmd.OutOrStdout()).at("MASTER", masterSocket).fleetBudget(cmd.Context())
			}
			s, err := spent(cmd.Context(), conf)
			if err != nil {
				return err
			}
			if forPrograms {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(s)
			}
			s.print(cmd.OutOrStdout())
			return nil
		},
	}
	load = configured(c)
	c.Flags().BoolVar(&forPrograms, "json", false, "answer in JSON")
	c.Flags().BoolVar(&ofMaster, masterFlag, false, "ask the MASTER that runs on this machine")
	return c
}

// fleetBudget says what MASTER counts.
func (c *caller) fleetBudget(ctx context.Context) error {
	var v messages.FleetView
	if _, err := c.get(ctx, "/api/v1/fleet", &v); err != nil {
		return err
	}
	if v.Budget == nil {
		return errors.New("MASTER does not know what Discord allows: it has not been told yet")
	}
	raw, err := json.Marshal(v.Budget)
	if err != nil {
		return err
	}
	c.show(raw, func(w io.Writer) { fmt.Fprintln(w, budgetLine(v.At, v.Budget)) })
	return nil
}

// spent asks both who know; it fails when neither can be asked.
func spent(ctx context.Context, conf *config.Config) (s spending, err error) {
	var here admin.IdentifyAnswer
	_, err = newCaller(conf.State.Dir, true, io.Discard).get(ctx, "/api/v1/identify", &here)
	if err == nil {
		s.Machine = &here
	}
	if conf.Discord.Token == "" {
		return s, err
	}
	a, unheard := askDiscord(ctx, conf)
	if s.Discord = a.budget; s.Discord != nil || s.Machine != nil && unheard == nil {
		return s, nil
	}
	return s, errors.Join(unheard, err)
}

func (s spending) print(w io.Writer) {
	if b := s.Discord; b != nil {
		fmt.Fprintf(w, "Discord  %d of %d identifies are left, full again %s; %d every 5 s; it recommends %d shards\n", b.Remaining, b.Total, b.reset(), b.MaxConcurrency, b.Shards)
	} else {
		fmt.Fprintln(w, "Discord  not asked: there is no token in the configuration here; ask on MASTER's machine")
	}
	m := s.Machine
	if m == nil {
		fmt.Fprintln(w, "machine  no CONTROL runs here")
		return
	}
	var causes []string
	for _, cause := range slices.Sorted(maps.Keys(m.ByCause)) {
		causes = append(causes, fmt.Sprintf("%d %s", m.ByCause[cause], cause))
	}
	if len(causes) == 0 {
		causes = []string{"none"}
	}
	fmt.Fprintf(w, "machine  %d identifies since %s (%s), after a wait of %v on average\n", m.Identifies, messages.Stamp(m.Since), strings.Join(causes, ", "), m.WaitedMS.Duration())
}
