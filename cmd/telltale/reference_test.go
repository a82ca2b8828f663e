package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/reference"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/probe/netlab"
)

func serving() *config.Config {
	cfg := config.Default()
	cfg.Reference.Serve = true
	return cfg
}

func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	kept, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	return kept
}

// A round of a telltale that serves becomes an answer that others can open with its public key: with the
// default catalogue, in a small part of the bound.
func TestSpeakerAnswersWithItsLastRound(t *testing.T) {
	kept := openStore(t, t.TempDir())
	speak := &speaker{log: zerolog.Nop(), keys: kept}
	if _, serves := speak.say(); serves {
		t.Error("it serves without being told to")
	}
	if err := speak.configure(serving()); err != nil {
		t.Fatal(err)
	}
	if answer, serves := speak.say(); !serves || len(answer) != 0 {
		t.Errorf("before the first round: %d bytes, serves %v", len(answer), serves)
	}
	public := speak.key.Public().(ed25519.PublicKey)
	synctest.Test(t, func(t *testing.T) {
		cfg := serving()
		world, err := netlab.New(netlab.Options{Apps: cfg.Apps, Controls: cfg.Controls, Trusted: cfg.Trusted})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = world.Close() }()
		cfg.Apps = world.Apps(cfg.Apps...)
		plan, err := newPlan(cfg, world.Host())
		if err != nil {
			t.Fatal(err)
		}
		round := plan.Run(context.Background())
		verdict := measurements.Judge(&round, nil)
		speak.hear(&round, &verdict)
		answer, _ := speak.say()
		t.Logf("an answer has %d bytes", len(answer))
		opened, err := reference.Open(answer, public, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if len(opened.Apps) != len(cfg.Apps) {
			t.Errorf("%d apps, want %d", len(opened.Apps), len(cfg.Apps))
		}
		for _, app := range opened.Apps {
			for _, target := range app.Targets {
				for _, l := range target.Layers {
					if l.State != measurements.OK {
						t.Errorf("%s/%s %s %s is %s in a world where all is well", app.App, target.Target, l.Layer, l.Family, l.State)
					}
				}
			}
		}
		if len(answer) > reference.MaxBytes/4 {
			t.Errorf("the answer has %d bytes", len(answer))
		}
		// A round on a dead line says nothing: the last answer stands until it is stale.
		verdict.Network.State = measurements.Inconclusive
		speak.hear(&round, &verdict)
		if again, _ := speak.say(); string(again) != string(answer) {
			t.Error("a round on a dead line changed the answer")
		}
	})
	if err := speak.configure(config.Default()); err != nil {
		t.Fatal(err)
	}
	if _, serves := speak.say(); serves {
		t.Error("it serves after it was switched off")
	}
}

// The key is made once, is nobody else's to read, and is never replaced by itself.
func TestReferenceKeyIsKept(t *testing.T) {
	dir := t.TempDir()
	kept := openStore(t, dir)
	if _, err := loadKey(kept); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the first start: %v", err)
	}
	first, err := loadOrMakeKey(kept)
	if err != nil {
		t.Fatal(err)
	}
	second, err := loadOrMakeKey(kept)
	if err != nil || !first.Equal(second) {
		t.Errorf("the second start has another key (%v)", err)
	}
	file := filepath.Join(dir, "state-"+stateReference+".json")
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
	for _, damaged := range []string{"", "{}", `{"seed":"c2hvcnQ="}`} {
		if err := os.WriteFile(file, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadOrMakeKey(kept); !errors.Is(err, errDamagedKey) {
			t.Errorf("%q: %v", damaged, err)
		}
		if now, _ := os.ReadFile(file); string(now) != damaged {
			t.Errorf("%q was replaced", damaged)
		}
	}
}

// check tells what others need, once there is a key.
func TestCheckPrintsThePublicKey(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "telltale.toml")
	if err := os.WriteFile(file, []byte("[reference]\nserve = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	args := []string{"--config.file=" + file, "--store.path=" + state, "check"}
	if code, out, errs := telltale(t, "", args...); code != exitDone || !strings.Contains(out, "made at the first") {
		t.Errorf("before the first run: exit %d\n%s%s", code, out, errs)
	}
	kept := openStore(t, state)
	key, err := loadOrMakeKey(kept)
	if err != nil {
		t.Fatal(err)
	}
	want := base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	if code, out, errs := telltale(t, "", args...); code != exitDone || !strings.Contains(out, `public_key = "`+want+`"`) {
		t.Errorf("after it: exit %d\n%s%s", code, out, errs)
	}
	if code, out, _ := telltale(t, "", "--store.path="+state, "check"); code != exitDone || strings.Contains(out, "reference") {
		t.Errorf("a telltale that is no reference: exit %d\n%s", code, out)
	}
}
