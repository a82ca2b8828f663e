package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/store"
)

// judgeCmd reads evidence and says what it means by today's rules, or by others. It dials nothing.
type judgeCmd struct {
	Files   []string `arg:"" optional:"" name:"file" help:"A store's folder or its database; or measurements, one a line: what 'export' or 'once --format=ooni' printed, or - for stdin. Without any: the configured store."`
	Format  string   `enum:"table,json" default:"table" help:"One of ${enum}."`
	Rules   string   `placeholder:"VERSION" help:"Judge by this set of rules instead of today's."`
	Compare string   `placeholder:"VERSION" help:"Show what changed against this set of rules, instead of against what was said at the time."`
	List    bool     `help:"List the rules of the set instead."`
}

// Run judges all rounds in the order of time, each with the history of those before it in these files.
// Lines that can't be used are told, the others judged; then it fails.
func (j *judgeCmd) Run(c *cli, t terminal) error {
	if t.err = (plain{t.err}); j.Format == "table" {
		t.out = plain{t.out}
	}
	by, other, err := j.sets()
	if err != nil {
		return err
	}
	if j.List {
		return listRules(t.out, by)
	}
	named := len(j.Files) > 0
	if !named {
		cfg, err := c.config()
		if err != nil {
			return err
		}
		j.Files = []string{cfg.StorePath}
	}
	refused := &refusals{w: t.err}
	archive, err := store.OpenArchive(j.Files, t.in, refused.add)
	if !named && c.StorePath == "" && errors.Is(err, fs.ErrNotExist) {
		return noStore(j.Files[0])
	}
	if err != nil {
		return usageError{err}
	}
	defer func() { _ = archive.Close() }() // opened to read: nothing can be lost
	b := &bench{by: by, other: other, show: j.show(t), total: judgeTotal{bySet: other.version != ""}}
	bar := c.progress(t.err, "rounds", archive.Len())
	for e := range archive.Rounds() {
		bar.clear()
		if err := b.round(&e); err != nil {
			return err
		}
		bar.step()
	}
	bar.clear()
	b.total.Refused = refused.n
	b.total.sort()
	b.show.summary(&b.total)
	switch {
	case refused.n > 0:
		return fmt.Errorf("lines that could not be used, and were left out: %d", refused.n)
	case b.total.Rounds == 0:
		return errors.New("there is no measurement in it; verdicts alone (--format=json) can't be judged again")
	}
	return nil
}

// ruleSet is a set of rules with its version.
type ruleSet struct {
	version string
	rules   []measurements.Rule
}

// sets gives the rules to judge by, and those to compare with; the second has no version where what was
// said at the time is compared with.
func (j *judgeCmd) sets() (by, other ruleSet, err error) {
	for _, s := range []struct {
		flag, version string
		to            *ruleSet
	}{{"rules", orToday(j.Rules), &by}, {"compare", j.Compare, &other}} {
		if s.version == "" {
			continue
		}
		rules, known := measurements.RulesOf(s.version)
		if !known {
			return by, other, usagef("--%s=%s: no such rules; there are %s", s.flag, s.version, strings.Join(measurements.RulesVersions, ", "))
		}
		*s.to = ruleSet{s.version, rules}
	}
	return by, other, nil
}

func orToday(version string) string {
	if version == "" {
		return measurements.RulesVersion
	}
	return version
}

// bench judges rounds. Each set of rules grows histories of its own, one for each vantage: evidence of
// several homes never mixes.
type bench struct {
	by, other ruleSet
	show      judgeView
	histories map[historyKey]*measurements.History
	total     judgeTotal
}

type historyKey struct {
	version        string
	country, label string
	asn            int
}

// maxVantages bounds the homes in one run, at some hundred KiB of history each. Chosen by us.
const maxVantages = 256

// judged is one round, judged.
type judged struct {
	Schema  string    `json:"schema"`
	Round   string    `json:"round"`
	Started time.Time `json:"started"`
	Rules   string    `json:"rules"`
	// Against is the rules that the verdict is compared with; "" where nothing is there to compare.
	Against string                    `json:"against"`
	Verdict measurements.RoundVerdict `json:"verdict"`
	Changes []measurements.Change     `json:"changes"`
	Refused int                       `json:"refused_lines"` // of this round: what is missing changes verdicts, too
}

// judgeTotal sums a run up.
type judgeTotal struct {
	Schema      string `json:"schema"`
	Rounds      int    `json:"rounds"`
	Same        int    `json:"same"`
	Changed     int    `json:"changed"`
	NotCompared int    `json:"not_compared"`
	Refused     int    `json:"refused_lines"`
	// Turns count what changed by the rules that said it before and now.
	Turns []turn `json:"turns"`
	// bySet: two sets of rules were compared, each with its own history.
	bySet bool
}

// turn is a rule's place taken by another, or by itself with another word.
type turn struct {
	Was   string `json:"was"` // "" where nothing was said
	Is    string `json:"is"`
	Times int    `json:"times"`
}

func (b *bench) round(e *store.Evidence) error {
	v, err := b.judge(b.by, &e.Round)
	if err != nil {
		return err
	}
	out := judged{Schema: "telltale/judged/v1", Round: e.Round.ID, Started: e.Round.Started.UTC(), Rules: b.by.version, Verdict: v, Changes: []measurements.Change{}, Refused: e.Refused}
	var was *measurements.RoundVerdict
	switch {
	case b.other.version != "":
		old, err := b.judge(b.other, &e.Round)
		if err != nil {
			return err
		}
		was, out.Against = &old, b.other.version
	case e.Recorded != nil:
		was, out.Against = &e.Recorded.Verdict, e.Recorded.Rules
	}
	b.total.Rounds++
	if was == nil {
		b.total.NotCompared++
	} else {
		out.Changes = append(out.Changes, measurements.Compare(was, &v)...)
		b.count(out.Changes)
	}
	return b.show.round(&out, was != nil)
}

func (b *bench) judge(set ruleSet, r *measurements.Round) (measurements.RoundVerdict, error) {
	m := &r.Gate
	if m.App == "" && len(r.Apps) > 0 {
		m = &r.Apps[0]
	}
	k := historyKey{set.version, m.Vantage.Country, m.Vantage.Label, m.Vantage.ASN}
	h := b.histories[k]
	if h == nil {
		if len(b.histories) >= 2*maxVantages {
			return measurements.RoundVerdict{}, fmt.Errorf("round %.64q: more than %d vantages; give fewer files", r.ID, maxVantages)
		}
		if b.histories == nil {
			b.histories = map[historyKey]*measurements.History{}
		}
		h = &measurements.History{}
		b.histories[k] = h
	}
	v := measurements.JudgeWith(set.rules, r, h)
	h.Learn(r, &v)
	return v, nil
}

func (b *bench) count(changes []measurements.Change) {
	if len(changes) == 0 {
		b.total.Same++
		return
	}
	b.total.Changed++
	for i := range changes {
		if c := &changes[i]; c.Layer != "" {
			b.turn(ruleOf(c.Was), ruleOf(c.Is))
		}
	}
}

func (t *judgeTotal) sort() {
	slices.SortFunc(t.Turns, func(a, b turn) int {
		return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(a.Was, b.Was), cmp.Compare(a.Is, b.Is))
	})
}

// maxTurns bounds what a hostile file of verdicts can make us count.
const maxTurns = 1024

func (b *bench) turn(was, is string) {
	for i := range b.total.Turns {
		if t := &b.total.Turns[i]; t.Was == was && t.Is == is {
			t.Times++
			return
		}
	}
	if len(b.total.Turns) < maxTurns {
		b.total.Turns = append(b.total.Turns, turn{was, is, 1})
	}
}

func ruleOf(s *measurements.Said) string {
	if s == nil {
		return ""
	}
	return s.Rule
}
