package config_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/config"
)

var day = time.Date(2026, 11, 23, 22, 30, 0, 0, time.UTC)

func TestRecordConsent(t *testing.T) {
	cases := map[string]struct{ before, after string }{
		"no table":        {"[web]\nlisten = \"127.0.0.1:1\" # ours\n", "[web]\nlisten = \"127.0.0.1:1\" # ours\n\n[consent]\naccepted = \"2026-11-23\"\n"},
		"no last newline": {"# mine", "# mine\n\n[consent]\naccepted = \"2026-11-23\"\n"},
		"empty date":      {"[consent]\n# when\naccepted = \"\" # why\n\n[web]\n", "[consent]\n# when\naccepted = \"2026-11-23\" # why\n\n[web]\n"},
		"older date":      {"# a\n[consent] # b\naccepted = \"2025-01-01\"\n", "# a\n[consent] # b\naccepted = \"2026-11-23\"\n"},
		"literal string":  {"[consent]\naccepted = ''\n", "[consent]\naccepted = \"2026-11-23\"\n"},
		"empty table":     {"[consent]\n[web]\n", "[consent]\naccepted = \"2026-11-23\"\n[web]\n"},
		"header alone":    {"[consent]", "[consent]\naccepted = \"2026-11-23\"\n"},
		"other newlines":  {"[consent]\r\n# when\r\naccepted = \"\"\r\n[web]\r\n", "[consent]\r\n# when\r\naccepted = \"2026-11-23\"\r\n[web]\r\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "telltale.toml")
			if err := os.WriteFile(path, []byte(c.before), 0o640); err != nil {
				t.Fatal(err)
			}
			if err := config.RecordConsent(path, day); err != nil {
				t.Fatal(err)
			}
			if got := read(t, path); got != c.after {
				t.Errorf("got %q, want %q", got, c.after)
			}
			if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
				t.Errorf("the mode became %v", info.Mode())
			}
		})
	}
}

// TestConsentIntoTheDocumentedFile changes one line of it.
func TestConsentIntoTheDocumentedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "telltale.toml")
	before := read(t, "telltale.toml")
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := config.RecordConsent(path, day); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != strings.Replace(before, `accepted = ""`, `accepted = "2026-11-23"`, 1) {
		t.Errorf("more changed than the date:\n%s", got)
	}
}

func TestConsentMakesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "telltale.toml")
	if err := config.RecordConsent(path, day); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil || c.Consent.Format(time.DateOnly) != "2026-11-23" {
		t.Fatalf("%v, %v", c, err)
	}
	if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// TestConsentRefused leaves a file as it is where a yes can't be recorded for certain.
func TestConsentRefused(t *testing.T) {
	for name, text := range map[string]string{
		"mistakes":       "[web]\nlisten = 1\n",
		"dotted":         "consent.accepted = \"\"\n",
		"inline":         "consent = {accepted = \"\"}\n",
		"spaced":         "[ consent ]\naccepted = \"\"\n",
		"inside a value": "[vantage]\nlabel = '''\n[consent]\n'''\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "telltale.toml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			err := config.RecordConsent(path, day)
			if err == nil {
				t.Fatal("recorded")
			}
			if byHand := strings.Contains(err.Error(), `write "2026-11-23" there by hand, at line `); byHand != (name == "dotted" || name == "inline" || name == "spaced") {
				t.Errorf("it says: %v", err)
			}
			if got := read(t, path); got != text {
				t.Errorf("changed to %q", got)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	if filepath.Base(config.DefaultPath()) != "telltale.toml" {
		t.Error(config.DefaultPath())
	}
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	t.Setenv("STATE_DIRECTORY", "")
	if got := config.StoreDir(); runtime.GOOS == "linux" && got != filepath.Join(dir, "telltale") {
		t.Error(got)
	}
	t.Setenv("XDG_STATE_HOME", "relative")
	if got := config.StoreDir(); !filepath.IsAbs(got) || filepath.Base(got) != "telltale" {
		t.Error(got)
	}
	t.Setenv("STATE_DIRECTORY", filepath.Join(dir, "a")+string(filepath.ListSeparator)+filepath.Join(dir, "b"))
	if got := config.StoreDir(); got != filepath.Join(dir, "a") {
		t.Error(got)
	}
}

func TestLoad(t *testing.T) {
	if _, err := config.Load(filepath.Join(t.TempDir(), "none.toml")); !os.IsNotExist(err) {
		t.Errorf("a missing file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "large.toml")
	if err := os.WriteFile(path, []byte(strings.Repeat("#\n", 1<<19+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
		t.Errorf("a large file: %v", err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Consent that is gone counts in a file with other mistakes, too; in one that can't be read nobody knows.
func TestWithdrawn(t *testing.T) {
	for text, want := range map[string]bool{
		"[consent]\naccepted = \"2026-11-23\"\n[schedule]\nparallel = 0\n": false,
		"[consent]\naccepted = \"\"\n[schedule]\nparallel = 0\n":           true,
		"[schedule]\nparallel = 0\n":                                       true,
		"consent.accepted = \"\"\n":                                        true,
		"[consent\naccepted = \"\"\n":                                      false,
	} {
		path := filepath.Join(t.TempDir(), "telltale.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := config.Withdrawn(path); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if config.Withdrawn(filepath.Join(t.TempDir(), "none.toml")) {
		t.Error("a file that is not there")
	}
}
