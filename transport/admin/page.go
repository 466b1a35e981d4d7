package admin

import (
	"embed"
	"fmt"
	"net/http"
	"path"
)

// page is the status page, of a machine or of the fleet: plain files without a build, which use the
// routes of the API only.
//
//go:embed page
var page embed.FS

// pageTypes are the content types of its files.
var pageTypes = map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

// pagePolicy lets the page run its own files and use its own server, and lets no other page frame
// it.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (s *Server) front(w http.ResponseWriter, r *http.Request) {
	name := "machine.html"
	if s.control == nil {
		name = "fleet.html"
	}
	pageFile(w, r, name)
}

func (s *Server) pageFile(w http.ResponseWriter, r *http.Request) {
	pageFile(w, r, r.PathValue("file"))
}

// pageFile answers with a file of the page. A browser caches it, and revalidates it each time.
func pageFile(w http.ResponseWriter, r *http.Request, name string) {
	text, err := page.ReadFile("page/" + name)
	if err != nil {
		refuse(w, http.StatusNotFound, "no_route", fmt.Sprintf("the page has no file %.40q", name))
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	send(w, r, pageTypes[path.Ext(name)], text, nil)
}
