package delivery

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
	"github.com/telltale-probe/telltale/measurements/store"
)

// EvidenceKind is that of the outbox's messages that stand for a round's evidence.
const EvidenceKind = "evidence"

// roundRef is the body of such a message: the evidence itself is in the store already, and waits there.
type roundRef struct {
	Round   string    `json:"round"`
	Started time.Time `json:"started"`
}

// EvidenceMessage stands for a round that goes into the store with it.
func EvidenceMessage(r *measurements.Round) store.Message {
	body, _ := json.Marshal(roundRef{r.ID, r.Started}) // a string and a time
	return store.Message{Kind: EvidenceKind, Body: body}
}

// Rounds is the part of a store that evidence is read from.
type Rounds interface {
	Round(id string, started time.Time) (measurements.Round, error)
}

// Evidence posts rounds as gzipped NDJSON, a measurement a line, in OONI's data format: the gate first, then
// the apps. The bytes of a round are the same whenever they are sent, and each line has its measurement's id
// (test_keys.x_telltale.id): who keeps one line an id has each measurement once. The header Idempotency-Key
// names the round.
type Evidence struct {
	Post   *Post
	Rounds Rounds
	Log    zerolog.Logger
}

var _ Sender = (*Evidence)(nil)

// Send posts the rounds of messages in one request.
func (e *Evidence) Send(ctx context.Context, messages []store.Message) error {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	key, lines := "", 0
	for i := range messages {
		var ref roundRef
		if err := json.Unmarshal(messages[i].Body, &ref); err != nil {
			return &Refused{Damaged, fmt.Errorf("evidence: %w", err)}
		}
		key = ref.Round
		n, err := e.write(w, &ref)
		if err != nil {
			return err
		}
		lines += n
	}
	_ = w.Close() // a bytes.Buffer takes everything
	if lines == 0 {
		return &Refused{Damaged, fmt.Errorf("evidence: nothing of round %.64q can be read", key)}
	}
	a, err := e.Post.Send(ctx, b.Bytes(), http.Header{
		"Content-Type": {"application/x-ndjson"}, "Content-Encoding": {"gzip"}, "Idempotency-Key": {key},
	})
	if err != nil {
		return err
	}
	return a.ofEvidence()
}

// ofEvidence is Err for evidence, of which there is no second: an answer about who asks and where, and not about
// what is sent, is no last word on it. A password is mistyped, and a table made, in a minute.
func (a *Answer) ofEvidence() error {
	err := a.Err()
	switch a.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusProxyAuthRequired:
		return &Later{Denied, a.retryAfter(time.Now()), errors.Unwrap(err)} // a Later that is a Refused within would be one
	}
	return err
}

// write adds a round's lines, and says how many. What can't be read of it is left out, and logged.
func (e *Evidence) write(w *gzip.Writer, ref *roundRef) (lines int, err error) {
	round, err := e.Rounds.Round(ref.Round, ref.Started)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, &Refused{Damaged, fmt.Errorf("evidence: the store has it no more: %w", err)}
	}
	if err != nil && round.ID == "" {
		return 0, &Later{Reason: Local, Err: err}
	}
	if err != nil {
		e.Log.Warn().Err(err).Msg("a part of a round's evidence can't be read, and is not pushed")
	}
	for _, m := range append([]measurements.Measurement{round.Gate}, round.Apps...) {
		if m.App == "" {
			continue // its gate was not measured
		}
		line, err := ooni.Record(m)
		if err != nil {
			e.Log.Warn().Err(err).Msg("a measurement can't be written as a record, and is not pushed")
			continue
		}
		_, _ = w.Write(append(line, '\n'))
		lines++
	}
	return lines, nil
}
