package main

import (
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/privacy"
)

// What is counted may change: visits, then blocks. A line is written now and then, and not at every step.
func TestProgressIsRare(t *testing.T) {
	var b strings.Builder
	p := &progress{w: &b, what: "visits", all: 1000, shown: time.Now().Add(time.Hour)}
	for range 1000 {
		p.step()
	}
	p.clear()
	if b.String() != "" {
		t.Errorf("%q", b.String())
	}
	p.shown = time.Time{}
	p.tell("blocks", 7, 9)
	p.clear()
	p.clear()
	if want := "\r\x1b[K7 of 9 blocks\r\x1b[K"; b.String() != want {
		t.Errorf("%q", b.String())
	}
}

// --quiet keeps warnings, and nothing below; a level above them stays.
func TestQuietLog(t *testing.T) {
	for _, test := range []struct {
		level string
		quiet bool
		want  string
	}{{"info", false, "iwe"}, {"info", true, "we"}, {"debug", true, "we"}, {"error", true, "e"}} {
		var b strings.Builder
		c := &cli{LogLevel: test.level, LogFormat: "json", Quiet: test.quiet}
		log := c.loggerOf(&privacy.Writer{To: &b, Own: probe.Host{}.OwnNow})
		log.Info().Msg("i")
		log.Warn().Msg("w")
		log.Error().Msg("e")
		got := ""
		for _, word := range []string{"i", "w", "e"} {
			if strings.Contains(b.String(), `"message":"`+word+`"`) {
				got += word
			}
		}
		if got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}
