package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/telltale-probe/telltale/config/strict"
)

// DefaultPath is where the config file is looked for without a flag: the platform's own place.
func DefaultPath() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "telltale.toml"
	}
	return filepath.Join(dir, "telltale", "telltale.toml")
}

// StoreDir is where evidence is kept without a setting: systemd's state directory if there is one,
// else the platform's (XDG Base Directory Specification; Apple's and Microsoft's own).
func StoreDir() string {
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return filepath.SplitList(dir)[0]
	}
	home, _ := os.UserHomeDir()
	switch runtime.GOOS {
	case "windows":
		if dir := os.Getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, "telltale")
		}
	case "darwin":
		return filepath.Join(home, "Library", "Application Support", "telltale")
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "telltale")
	}
	return filepath.Join(home, ".local", "state", "telltale")
}

var (
	consentTable = regexp.MustCompile(`(?m)^[ \t]*\[consent\][^\n]*\n?`)
	acceptedLine = regexp.MustCompile(`^(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*accepted[ \t]*=[ \t]*(?:"[^"\n]*"|'[^'\n]*')`)
	acceptedKey  = regexp.MustCompile(`accepted[ \t]*=[ \t]*(?:"[^"\n]*"|'[^'\n]*')$`)
)

// RecordConsent writes the date of a volunteer's yes into the config file and leaves everything else
// as it is, comments too. A missing file is made. The file is replaced at once, or not at all.
func RecordConsent(path string, date time.Time) error {
	old, err := strict.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data := withConsent(old, date.Format(time.DateOnly))
	c, err := Parse(path, data)
	if line := strict.LineOf(old, "consent.accepted"); line > 0 && (err != nil || !isOn(c.Consent, date)) {
		if _, mistakes := Parse(path, old); mistakes == nil {
			return fmt.Errorf("consent is not recorded: %s has it in a form that is not changed here; write %q there by hand, at line %d", path, date.Format(time.DateOnly), line)
		}
	}
	if err != nil {
		return fmt.Errorf("consent is not recorded, since the file has mistakes:\n%w", err)
	}
	if !isOn(c.Consent, date) {
		return fmt.Errorf("consent is not recorded: %s has no place for it that we can find; give it a [consent] table", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm() // the daemon may run as another user than who says yes
	}
	return replace(path, data, mode)
}

func isOn(t, day time.Time) bool { return t.Format(time.DateOnly) == day.Format(time.DateOnly) }

// Withdrawn says whether a file that can be read, whatever other mistakes it has, holds no consent: that counts
// although nothing else of it does.
func Withdrawn(path string) bool {
	data, err := strict.ReadFile(path)
	if err != nil {
		return false
	}
	_, root, err := strict.Parse(path, data)
	return err == nil && root.Table("consent").String("accepted", "") == ""
}

func withConsent(old []byte, date string) []byte {
	line := []byte(fmt.Sprintf("accepted = %q", date))
	at := consentTable.FindIndex(old)
	if at == nil {
		if len(old) > 0 && !bytes.HasSuffix(old, []byte("\n")) {
			old = append(old, '\n')
		}
		return append(old, []byte("\n[consent]\n"+string(line)+"\n")...)
	}
	head, rest := old[:at[1]], old[at[1]:]
	if !bytes.HasSuffix(head, []byte("\n")) {
		head = append(bytes.Clone(head), '\n')
	}
	if m := acceptedLine.FindIndex(rest); m != nil {
		changed := acceptedKey.ReplaceAllLiteral(rest[:m[1]], line)
		return bytes.Join([][]byte{head, changed, rest[m[1]:]}, nil)
	}
	return bytes.Join([][]byte{head, line, []byte("\n"), rest}, nil)
}

// replace writes a file beside the old one and renames it.
func replace(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".telltale-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already after the rename
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
