package measurements

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// Whatever a stranger serves, it is a block page only by a page's own words: what a verified service says never is
// one, more text around the words takes nothing away, and a page that is none stays none when it is cut short.
func FuzzBlockPage(f *testing.F) {
	for _, p := range blockPages {
		f.Add("", []byte("<html>"+p.pattern+"</html>"))
		f.Add("http://"+p.pattern+"/", []byte(nil))
	}
	f.Add("http://10.10.34.34/?type=Invalid", []byte(nil))
	f.Add("http://[d0::11]:80/", []byte(nil))
	f.Add("//%zz", []byte("warning.or"))
	f.Fuzz(func(t *testing.T, location string, body []byte) {
		cc := knownBlockPage(&HTTP{Location: location, Body: body})
		if cc != "" && (len(cc) != 2 || strings.ToUpper(cc) != cc) {
			t.Errorf("%q is no country", cc)
		}
		if knownBlockPage(&HTTP{Location: location, Body: body, Verified: true}) != "" {
			t.Error("a verified service's own word is called a block page")
		}
		if around := slices.Concat([]byte("<p>"), body, []byte("</p>")); cc != "" && knownBlockPage(&HTTP{Location: location, Body: around}) == "" {
			t.Errorf("%q, and not with more around it", cc)
		}
		if cc == "" && knownBlockPage(&HTTP{Location: location, Body: body[:len(body)/2]}) != "" {
			t.Error("half of what is no block page is one")
		}
		if ours := slices.ContainsFunc(blockPages, func(p struct{ pattern, country string }) bool {
			return bytes.Contains(body, []byte(p.pattern))
		}); ours && cc == "" {
			t.Error("a block page's own words are not known")
		}
	})
}
