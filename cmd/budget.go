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
	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/cmd/machine"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// budget holds Discord's limits for a bot: GET /gateway/bot (Discord docs, Gateway).
type budget struct {
	Shards         int `json:"recommended_shards"`
	Total          int `json:"total"`
	Remaining      int `json:"remaining"`
	ResetAfterMS   int `json:"reset_after_ms"`
	MaxConcurrency int `json:"max_concurrency"`
}

// reset returns when the budget is full again, as text.
func (b *budget) reset() string {
	return "in " + (time.Duration(b.ResetAfterMS) * time.Millisecond).Round(time.Minute).String()
}

// discordAnswer is Discord's answer to askDiscord.
type discordAnswer struct {
	took   time.Duration
	ahead  time.Duration // how far our clock is ahead of Discord's, to the second
	budget *budget       // nil without a token
}

// tokenRefusedError reports that Discord does not know the token.
type tokenRefusedError struct{ error }

// noRedirects returns a redirect as the answer: Discord's API sends none.
var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// askDiscord asks Discord for the budget, or, without a token, for the gateway's address. It fails
// with a tokenRefusedError if Discord does not know the token.
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
	answer, err := noRedirects.Do(r)
	if err != nil {
		return a, fmt.Errorf("%s: %w", r.URL.Host, machine.WithoutAddress(err))
	}
	defer answer.Body.Close()
	a.took = time.Since(began)
	if at, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		a.ahead = began.Add(a.took / 2).Sub(at.Add(time.Second / 2)) // Date is cut to the second
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, world.ResponseMax))
	switch {
	case answer.StatusCode == http.StatusUnauthorized:
		return a, &tokenRefusedError{errors.New("token refused: Discord does not know it (401)")}
	case err != nil:
		return a, fmt.Errorf("%s: %w", r.URL.Host, err)
	case conf.Discord.Token == "":
		if answer.StatusCode != http.StatusOK {
			return a, fmt.Errorf("%s answers %s", r.URL.Host, answer.Status)
		}
		return a, nil
	}
	g, err := plan.ReadGatewayBot(answer.StatusCode, machine.HeadersOf(answer.Header), body, time.Now())
	if err != nil {
		return a, err
	}
	a.budget = &budget{Shards: g.Shards, Total: g.Total, Remaining: g.Remaining, ResetAfterMS: int(g.ResetAfter.Milliseconds()), MaxConcurrency: g.MaxConcurrency}
	return a, nil
}

// spending is the answer of `control identify-budget --json`. A source that could not be asked is
// absent.
type spending struct {
	Discord *budget               `json:"discord,omitempty"`
	Machine *admin.IdentifyAnswer `json:"machine,omitempty"`
}

func identifyBudgetCommand() *cobra.Command {
	var load func() (*config.Config, error)
	var forPrograms, ofMaster bool
	c := &cobra.Command{
		Use:   "identify-budget",
		Short: "Show how many identifies are left today, and how many this machine spent",
		Long: "Ask Discord, if the configuration has the bot's token, and the CONTROL that runs on this machine, if there is one.\n" +
			"With --master, ask the MASTER that runs on this machine for its own count and its reserve. No identify is spent.\n" +
			"Discord allows a number of identifies within 24 hours, and resets the bot's token when a bot exceeds it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := load()
			if err != nil {
				return err
			}
			if ofMaster {
				return newCaller(conf.State.Dir, forPrograms, cmd.OutOrStdout()).at("MASTER", daemon.MasterSocket).fleetBudget(cmd.Context())
			}
			s, err := askBudgets(cmd.Context(), conf)
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
	load = configFlags(c)
	c.Flags().BoolVar(&forPrograms, "json", false, "answer in JSON")
	c.Flags().BoolVar(&ofMaster, masterFlag, false, "ask the MASTER that runs on this machine")
	return c
}

// fleetBudget prints MASTER's count of the day's identifies.
func (c *caller) fleetBudget(ctx context.Context) error {
	var v messages.FleetView
	if _, err := c.get(ctx, "/api/v1/fleet", &v); err != nil {
		return err
	}
	if v.Budget == nil {
		return errors.New("the budget is unknown: MASTER has no answer of Discord so far")
	}
	raw, err := json.Marshal(v.Budget)
	if err != nil {
		return err
	}
	c.show(raw, func(w io.Writer) { fmt.Fprintln(w, budgetLine(v.At, v.Budget)) })
	return nil
}

// askBudgets asks the CONTROL of this machine and Discord. It fails if neither answers.
func askBudgets(ctx context.Context, conf *config.Config) (s spending, err error) {
	var here admin.IdentifyAnswer
	_, err = newCaller(conf.State.Dir, true, io.Discard).get(ctx, "/api/v1/identify", &here)
	if err == nil {
		s.Machine = &here
	}
	if conf.Discord.Token == "" {
		return s, err
	}
	a, failed := askDiscord(ctx, conf)
	if s.Discord = a.budget; s.Discord != nil || s.Machine != nil && failed == nil {
		return s, nil
	}
	return s, errors.Join(failed, err)
}

func (s spending) print(w io.Writer) {
	if b := s.Discord; b != nil {
		fmt.Fprintf(w, "Discord  %d of %d identifies are left, full again %s; %d every 5 s; it recommends %d shards\n", b.Remaining, b.Total, b.reset(), b.MaxConcurrency, b.Shards)
	} else {
		fmt.Fprintln(w, "Discord  not asked: no token is configured here; set DISCORD_TOKEN, or ask on MASTER's machine")
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
