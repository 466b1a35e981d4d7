package plan

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestReadGatewayBot(t *testing.T) {
	const ok = `{"shards":24,"session_start_limit":{"total":1000,"remaining":976,"reset_after":14400000,"max_concurrency":16}}`
	limit := func(s string) string { return `{"shards":24,"session_start_limit":{` + s + `}}` }
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	html := map[string]string{"Content-Type": "text/html; charset=UTF-8"}
	for name, c := range map[string]struct {
		status int
		header map[string]string
		body   string
		want   string // of the error
		wait   time.Duration
	}{
		"good":                     {200, nil, ok, "", 0},
		"reset_after in fractions": {200, nil, limit(`"total":1000,"remaining":976,"reset_after":14399999.25,"max_concurrency":16`), "", 0},
		"no limit":                 {200, nil, `{"shards":24}`, "status 200: session_start_limit is missing", 0},
		"no total":                 {200, nil, limit(`"remaining":1,"max_concurrency":1`), "session_start_limit.total is missing", 0},
		"no shards":                {200, nil, `{"session_start_limit":{}}`, "shards is missing", 0},
		"0 shards":                 {200, nil, strings.Replace(ok, "24", "0", 1), "shards 0: want a whole number from 1 to 100000", 0},
		"a shard too many":         {200, nil, strings.Replace(ok, "24", "100001", 1), "shards 100001: want a whole number from 1 to 100000", 0},
		"2.5 shards":               {200, nil, strings.Replace(ok, "24", "2.5", 1), "shards 2.5: want a whole number", 0},
		"no concurrency":           {200, nil, strings.Replace(ok, ":16", ":0", 1), "session_start_limit.max_concurrency 0: want", 0},
		"huge shards":              {200, nil, strings.Replace(ok, "24", "1"+strings.Repeat("0", 40), 1), "shards 10000000000000000000: want", 0},
		"huge reset":               {200, nil, strings.Replace(ok, "14400000", "1e300", 1), `session_start_limit.reset_after "1e300": want milliseconds from 0 to 172800000`, 0},
		"a reset before now":       {200, nil, strings.Replace(ok, "14400000", "-1", 1), `reset_after "-1": want`, 0},
		"remaining below 0":        {200, nil, strings.Replace(ok, "976", "-1", 1), "session_start_limit.remaining -1: want", 0},
		"a text":                   {200, nil, strings.Replace(ok, "1000", `"many"`, 1), "no JSON of the kind that is documented: ", 0},
		"a list":                   {200, nil, "[1]", "no JSON of the kind that is documented: want an object, got array (\"[1]\")", 0},
		"a list for the limit":     {200, nil, `{"shards":1,"session_start_limit":[]}`, "documented: session_start_limit: want an object, got array (", 0},
		"null":                     {200, nil, "null", "status 200: null: want an object", 0},
		"HTML":                     {200, html, "<html>maintenance</html>", `no JSON of the kind that is documented: invalid character '<' looking for beginning of value ("<html>maintenance</html>")`, 0},
		"empty":                    {200, nil, "", "no JSON of the kind", 0},
		"500":                      {500, nil, "upstream connect error", "status 500: want 200", 0},
		"503 with a wait":          {503, map[string]string{"Retry-After": "120"}, "", "status 503: want 200; it wants not to be asked for 2m0s", 2 * time.Minute},
		"a redirect":               {302, map[string]string{"Location": "https://portal.example/login"}, "", `redirected to "https://portal.example/login"`, 0},
		"429 by its header":        {429, map[string]string{"Retry-After": "82800"}, `{"retry_after":1}`, "status 429: too many requests; it wants not to be asked for 23h0m0s", 23 * time.Hour},
		"429 by its body":          {429, nil, `{"message":"You are being rate limited.","retry_after":64.5,"global":true}`, "for 1m5s", 64500 * time.Millisecond},
		"429 by a date":            {429, map[string]string{"Retry-After": "Fri, 02 Jan 2026 04:00:00 GMT"}, "", "for 1h0m0s", time.Hour},
		"429 of a proxy": {429, map[string]string{"Retry-After": "3600", "Content-Type": "text/html"}, "<html>", "too many requests (text/html: of a proxy before Discord); it wants",
			time.Hour},
		"503 without a wait":      {503, nil, "", "status 503: want 200", 0},
		"503 for less than 0":     {503, map[string]string{"Retry-After": "-5"}, "", "status 503: want 200", 0},
		"429 that does not say":   {429, nil, "", "too many requests; it does not say for how long", time.Minute},
		"429 for years":           {429, map[string]string{"Retry-After": "1e30"}, "", "for 24h0m0s", 24 * time.Hour},
		"429 for less than 0":     {429, map[string]string{"Retry-After": "-5"}, "", "does not say", time.Minute},
		"429 for NaN":             {429, map[string]string{"Retry-After": "NaN"}, "", "does not say", time.Minute},
		"429 for Inf":             {429, map[string]string{"Retry-After": "Inf"}, "", "does not say", time.Minute},
		"429 for words":           {429, map[string]string{"Retry-After": "soon"}, "", "does not say", time.Minute},
		"429 of a body below 0":   {429, nil, `{"retry_after":-5}`, "does not say", time.Minute},
		"429 of a header below 0": {429, map[string]string{"Retry-After": "-5"}, `{"retry_after":3}`, "for 3s", 3 * time.Second},
		"429 at once":             {429, map[string]string{"Retry-After": "0"}, "", "for 1s", time.Second},
	} {
		g, err := ReadGatewayBot(c.status, c.header, []byte(c.body), now)
		if c.want == "" {
			if want := (GatewayBot{24, 1000, 976, 4 * time.Hour, 16}); err != nil || g != want {
				t.Errorf("%s: %+v, %v", name, g, err)
			}
			continue
		}
		var e *GatewayBotError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "Discord: GET /api/v10/gateway/bot: status ") || e.Wait != c.wait || e.Stated != strings.Contains(err.Error(), "wants not to be asked") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestAskDiscordAfter(t *testing.T) {
	away, broken, limited := &GatewayBotError{Status: 503}, &GatewayBotError{Status: 500}, &GatewayBotError{Status: 429, Wait: 23 * time.Hour}
	for _, c := range []struct {
		err         error
		tries       int
		least, most time.Duration
	}{
		{errors.New("no route to host"), 0, 900 * time.Millisecond, 1100 * time.Millisecond},
		{errors.New("no route to host"), 100, 14 * time.Second, 18 * time.Second},
		{away, 6, 54 * time.Second, 66 * time.Second},
		{away, 1000, 54 * time.Second, 66 * time.Second},
		{broken, 0, 900 * time.Millisecond, 1100 * time.Millisecond},
		{broken, 6, 57 * time.Second, 71 * time.Second},
		{broken, 1000, 270 * time.Second, 330 * time.Second},
		{limited, 0, 23 * time.Hour, 23*time.Hour + 30*time.Second},
		{limited, 9, 23 * time.Hour, 23*time.Hour + 30*time.Second},
	} {
		for _, random := range []float64{0, 0.5, 0.999} {
			if got := AskDiscordAfter(c.err, c.tries, random); got < c.least || got > c.most {
				t.Errorf("%v, %d tries: %v, want %v to %v", c.err, c.tries, got, c.least, c.most)
			}
		}
	}
}
