package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Message is something that must reach somebody: it is kept until it did, over restarts, and in order.
type Message struct {
	// Seq is given by the store: it grows, and is never given twice. A receiver that has seen it may pass
	// over what comes again, since the answer to a delivery can be lost.
	Seq     int64
	Kind    string // which of the deliveries it is for
	Created time.Time
	Body    []byte
}

// Bounds of the outbox. A week of default rounds for two deliveries is 1,344 messages. Chosen by us.
const (
	maxMessage    = 4 << 20  // bytes of one
	maxMessages   = 1 << 16  // in all
	outboxDefault = 64 << 20 // bytes in all, where the store has no largest size
	outboxPart    = 5        // else: a fifth of that
	// outboxSlack is the part of these that may be added before all of it is added up again, which reads every
	// page: a small machine that is offline for weeks has better things to do with each message.
	outboxSlack = 64
)

// outboxAdded is what was added to the outbox since all of it was added up; known says that it ever was.
type outboxAdded struct {
	known           bool
	bytes, messages int64
}

// Enqueue adds messages. What belongs to a round goes with it: see Kept.Outbox.
func (s *Store) Enqueue(messages ...Message) error { return s.EnqueueWith(nil, messages...) }

// EnqueueWith is Enqueue with documents that must be on the disk if the messages are; see SaveState.
func (s *Store) EnqueueWith(states map[string]any, messages ...Message) error {
	documents, err := marshalStates(newPacker(), states)
	if err != nil {
		return fmt.Errorf("store: outbox: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var dropped map[string]int
	now := time.Now()
	err = s.write(func(tx *sql.Tx) (err error) {
		if err := saveDocuments(tx, documents, now); err != nil {
			return err
		}
		dropped, err = s.enqueue(tx, messages, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: outbox: %w", err)
	}
	s.forget(documents)
	s.tellDropped(dropped)
	return nil
}

// Waiting is how many messages of a kind are not delivered yet.
func (s *Store) Waiting(kind string) (n int, err error) {
	err = s.view(func(q queryer) error {
		return q.QueryRowContext(context.Background(), "SELECT count(*) FROM outbox WHERE kind = ?", kind).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("store: outbox: %w", err)
	}
	return n, nil
}

func checkMessages(messages []Message) error {
	for i := range messages {
		if m := &messages[i]; m.Kind == "" || len(m.Body) > maxMessage {
			return fmt.Errorf("a message of the kind %q with %d bytes; it needs a kind, and at most %d bytes", m.Kind, len(m.Body), maxMessage)
		}
	}
	return nil
}

// enqueue adds messages, and gives up the oldest where there are too many, or too old ones.
func (s *Store) enqueue(tx *sql.Tx, messages []Message, now time.Time) (dropped map[string]int, err error) {
	if len(messages) == 0 {
		return nil, nil
	}
	if err := checkMessages(messages); err != nil {
		return nil, err
	}
	for i := range messages { // a body of nil would be NULL
		if _, err := tx.Exec("INSERT INTO outbox (kind, created, body) VALUES (?, ?, ?)", messages[i].Kind, now.UnixMilli(), append([]byte{}, messages[i].Body...)); err != nil {
			return nil, err
		}
	}
	bytes := int64(outboxDefault)
	if s.options.MaxSize > 0 {
		bytes = s.options.MaxSize / outboxPart
	}
	oldest := int64(0)
	if cut := s.oldest(now); !cut.IsZero() {
		oldest = cut.UnixMilli()
	}
	enough, err := s.outboxFits(tx, messages, bytes, oldest)
	if enough || err != nil {
		return nil, err
	}
	dropped = map[string]int{}
	err = each(tx, func(rows *sql.Rows) error {
		var kind string
		err := rows.Scan(&kind)
		dropped[kind]++
		return err
	}, `DELETE FROM outbox WHERE created < ?1 OR seq <= (
		SELECT max(seq) FROM (SELECT seq, sum(length(body)) OVER newer AS bytes, count(*) OVER newer AS n FROM outbox WINDOW newer AS (ORDER BY seq DESC))
		WHERE bytes > ?2 OR n > ?3)
		RETURNING kind`, oldest, bytes, maxMessages)
	return dropped, err
}

// outboxFits says whether nothing needs to be given up, where that can be told without reading all of it.
func (s *Store) outboxFits(tx *sql.Tx, added []Message, bytes, oldest int64) (bool, error) {
	a := &s.outboxAdded
	a.messages += int64(len(added))
	for i := range added {
		a.bytes += int64(len(added[i].Body))
	}
	var first int64
	if err := row(tx, "SELECT created FROM outbox ORDER BY seq LIMIT 1", &first); err != nil {
		return false, err
	}
	if a.known && a.bytes <= bytes/outboxSlack && a.messages <= maxMessages/outboxSlack && first >= oldest {
		return true, nil
	}
	*a = outboxAdded{known: true}
	return false, nil
}

func (s *Store) tellDropped(kinds map[string]int) {
	for kind, n := range kinds {
		s.options.Log.Warn().Str("kind", kind).Int("messages", n).Msg("the outbox is full: the oldest messages were given up")
		if s.options.Dropped != nil {
			s.options.Dropped(kind, n)
		}
	}
}

// Next gives the oldest messages of a kind that are not delivered yet, at most n, in their order.
func (s *Store) Next(kind string, n int) ([]Message, error) {
	var out []Message
	err := s.view(func(q queryer) error {
		return each(q, func(rows *sql.Rows) error {
			m := Message{Kind: kind}
			var created int64
			if err := rows.Scan(&m.Seq, &created, &m.Body); err != nil {
				return err
			}
			m.Created = time.UnixMilli(created).UTC()
			out = append(out, m)
			return nil
		}, "SELECT seq, created, body FROM outbox WHERE kind = ? ORDER BY seq LIMIT ?", kind, n)
	})
	if err != nil {
		return nil, fmt.Errorf("store: outbox: %w", err)
	}
	return out, nil
}

// Delivered forgets the messages of a kind up to and with seq: they have reached whom they were for.
func (s *Store) Delivered(kind string, seq int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.write(func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM outbox WHERE kind = ? AND seq <= ?", kind, seq)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: outbox: %w", err)
	}
	return nil
}

// Forget gives up all messages of some kinds, delivered or not, and deletes documents by their names: all of
// that or nothing. What was not there is no error.
func (s *Store) Forget(kinds, states []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.write(func(tx *sql.Tx) error {
		for _, kind := range kinds {
			if _, err := tx.Exec("DELETE FROM outbox WHERE kind = ?", kind); err != nil {
				return err
			}
		}
		for _, name := range states {
			if _, err := tx.Exec("DELETE FROM state WHERE name = ?", name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: forgetting: %w", err)
	}
	for _, name := range states { // of the first format: LoadState would find it
		if err := os.Remove(s.keyPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("store: forgetting: %w", err)
		}
	}
	return nil
}
