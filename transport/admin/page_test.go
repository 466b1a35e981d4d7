package admin

import (
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"
)

// The page may run its own files, and nothing else: a bot's output stays text.
func TestPageHeaders(t *testing.T) {
	_, at := serve(t, Options{}, &stub{})
	for route, kind := range map[string]string{"/": "text/html", "/page/machine.js": "text/javascript", "/page/page.css": "text/css"} {
		r, err := http.Get("http://" + at + route)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		h := r.Header
		if r.StatusCode != 200 || h.Get("Content-Type") != kind+"; charset=utf-8" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %s %v", route, r.Status, h)
		}
		if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'; script-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %s", route, policy)
		}
		if status, _ := request(t, at, "GET", route, "", "If-None-Match: "+h.Get("ETag")); status != http.StatusNotModified {
			t.Errorf("%s: %d for one that the browser has", route, status)
		}
	}
	if status, answer := request(t, at, "GET", "/page/nothing.js", ""); status != http.StatusNotFound || !strings.Contains(answer, "nothing.js") {
		t.Errorf("%d %s", status, answer)
	}
}

// The page is complete, works without internet, treats no data as markup, and stays small.
func TestPageFiles(t *testing.T) {
	const most = 36 << 10
	markup := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function|srcdoc`)
	inline := regexp.MustCompile(`<style|\sstyle=|\son[a-z]+=|<script[^>]*>[^<]`)
	elsewhere := regexp.MustCompile(`(?:src|href|import|from|fetch|url)\W{1,3}(?:https?:)?//`)
	named := regexp.MustCompile(`(?:"\./|"page/)([a-z]+\.(?:js|css))"`)
	files, err := page.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	there, used, sum := map[string]bool{}, map[string]bool{"machine.html": true, "fleet.html": true}, 0
	for _, f := range files {
		text, err := page.ReadFile("page/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		there[f.Name()] = true
		sum += len(text)
		if pageTypes[path.Ext(f.Name())] == "" {
			t.Errorf("%s has no content type", f.Name())
		}
		for _, barred := range []*regexp.Regexp{markup, elsewhere} {
			if found := barred.Find(text); found != nil {
				t.Errorf("%s: %s", f.Name(), found)
			}
		}
		if found := inline.Find(text); found != nil && path.Ext(f.Name()) == ".html" {
			t.Errorf("%s: %s, which the policy forbids", f.Name(), found)
		}
		for _, name := range named.FindAllSubmatch(text, -1) {
			used[string(name[1])] = true
		}
	}
	for name := range used {
		if !there[name] {
			t.Errorf("%s is not there", name)
		}
	}
	for name := range there {
		if !used[name] {
			t.Errorf("%s is not used", name)
		}
	}
	t.Logf("%d bytes", sum)
	if sum > most {
		t.Errorf("%d bytes, want no more than %d", sum, most)
	}
}
