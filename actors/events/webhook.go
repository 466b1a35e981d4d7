package events

import (
	"fmt"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// WebhookOptions selects the events to post, and the Discord webhook.
type WebhookOptions struct {
	URL     messages.Secret
	Events  []string // names; none: every event of level warn or error
	Machine string   // this machine's name in the fleet
}

// webhookTimeout is the time for Discord's answer.
const webhookTimeout = 10 * time.Second

// Webhook returns the behaviour that posts events to a channel of Discord, one embed per event and
// several in a message when they come together. It keeps Discord's limits (plan.WebhookMessage,
// plan.WebhookWait) and retries a refused message for a minute. The address is the only secret of a
// webhook and is never shown.
func Webhook(o WebhookOptions) world.Behaviour {
	return world.Behaviour{Name: "webhook", Actor: func(w *world.World, addresses world.Addresses) actor.Actor {
		log := w.Log.With().Str("actor", "webhook").Logger()
		return &webhook{w: w, addresses: addresses, options: o, waiting: backlog[plan.Alert]{log: log}, losses: losses{by: messages.AlertWebhook, events: addresses.Events}}
	}}
}

type webhook struct {
	w         *world.World
	addresses world.Addresses
	options   WebhookOptions

	waiting backlog[plan.Alert]
	busy    bool        // a request or a wait is under way
	body    []byte      // of the message being sent; nil: none
	batch   int         // number of waiting events in body
	tries   int         // how often body was sent
	sent    []time.Time // times of the latest requests
	losses  losses
}

type (
	// posted is the answer to a request.
	posted struct {
		messages.MayBeLost
		answer world.Response
		err    error
	}
	// waited ends a pause.
	waited struct{ messages.MayBeLost }
)

// Receive handles every message; there is one state.
func (h *webhook) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(h.addresses.Events, messages.Subscribe{})
	case messages.Event:
		if plan.Alerts(messages.AlertWebhook, m, h.options.Events) {
			if !h.waiting.add(plan.Alert{Event: m, At: time.Now(), Machine: h.options.Machine}) {
				h.losses.count(ctx, 1)
			}
			h.next(ctx)
		}
	case posted:
		h.busy = false
		h.answered(ctx, m)
		h.next(ctx)
	case waited:
		h.busy = false
		h.next(ctx)
	}
}

// next sends the waiting events, or waits until a request is allowed.
func (h *webhook) next(ctx actor.Context) {
	if h.busy || len(h.waiting.items) == 0 {
		return
	}
	now := time.Now()
	if d := plan.WebhookWait(h.sent, now); d > 0 {
		h.wait(ctx, d)
		return
	}
	if h.body == nil {
		h.body, h.batch = plan.WebhookMessage(h.waiting.items)
		h.tries = 0
	}
	h.tries++
	h.busy = true
	h.sent = append(h.sent[max(0, len(h.sent)-plan.WebhookBurst):], now)
	send := world.Sender(ctx)
	h.w.Fetch(world.Request{
		Method: "POST", URL: h.options.URL.Reveal(), Header: map[string]string{"Content-Type": "application/json"}, Body: h.body, Timeout: webhookTimeout,
	}, func(r world.Response, err error) { send(posted{answer: r, err: err}) })
}

func (h *webhook) wait(ctx actor.Context, d time.Duration) {
	h.busy = true
	send := world.Sender(ctx)
	h.w.After(d, func() { send(waited{}) })
}

// answered retries the message, or drops it as sent or lost.
func (h *webhook) answered(ctx actor.Context, m posted) {
	status := m.answer.Status
	if m.err != nil {
		status = 0
	}
	outcome, d := plan.WebhookAnswer(status, m.answer.Body, h.tries, h.w.Rand())
	switch outcome {
	case plan.WebhookAgain:
		h.waiting.log.Debug().Int("status", status).Int("tries", h.tries).Dur("retry_in_ms", d).Msg("retrying webhook")
		h.wait(ctx, d)
		return
	case plan.WebhookRefused, plan.WebhookLost:
		h.losses.report(ctx, h.batch, h.complaint(m, status))
	}
	h.body = nil
	h.waiting.drop(h.batch)
}

// complaint returns why a message was refused, without the address.
func (h *webhook) complaint(m posted, status int) string {
	why := fmt.Sprintf("status %d", status)
	if m.err != nil {
		why = strings.ReplaceAll(m.err.Error(), h.options.URL.Reveal(), h.options.URL.String())
	}
	return fmt.Sprintf("webhook refuses events: %s, request %d of %d", why, h.tries, plan.WebhookTries)
}
