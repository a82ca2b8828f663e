package store

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// How long tidying may go on. Chosen by us: a start must be quick; a round has a quarter of an hour.
const (
	oneChunk  = time.Duration(0)
	untilDone = 5 * time.Second
)

// Rounds that are deleted in one transaction: few enough that the log stays small. Chosen by us.
const (
	oldRounds   = 64
	largeRounds = 16
)

// Pages of the file that are given back. Some stay: the next round takes them, and moving others into
// their place is work for the disk. Chosen by us.
const (
	sparePages = 256
	giveBack   = "PRAGMA incremental_vacuum(512)"
)

// tidy deletes what is older than the retention, then the oldest of what is too much, and gives the room
// back. What can't be done now is tried again with the next round; it is no reason to stop measuring.
func (s *Store) tidy(now time.Time, patience time.Duration) {
	deadline := time.Now().Add(patience)
	deleted := 0
	for {
		n, err := s.deleteChunk(now)
		if err != nil {
			s.options.Log.Warn().Err(err).Msg("old rounds can't be deleted now")
			break
		}
		if deleted += n; n == 0 || !time.Now().Before(deadline) {
			break
		}
	}
	if deleted > 0 {
		s.options.Log.Info().Int("rounds", deleted).Msg("deleted what was older than the retention, or more than the largest size")
	}
	s.shrink(deadline)
	s.deleteFiles(now)
	if s.db != nil {
		_, _ = s.db.Exec("PRAGMA shrink_memory") // until the next round somebody else has use for it
	}
}

// hearClock takes in how far neutral hosts are ahead of this machine; nil is that nobody told.
func (s *Store) hearClock(offset *measurements.Seconds) {
	if offset != nil {
		s.fast = max(-time.Duration(*offset), 0)
	}
}

// oldest is when a round or a message began, or earlier, that is past the retention; the zero time where none is. A
// clock that is ahead must not cost evidence that is young: whoever can forge an unauthenticated NTP answer, who
// may be the censor, would else delete all of it.
func (s *Store) oldest(now time.Time) time.Time {
	if s.options.Retention <= 0 {
		return time.Time{}
	}
	return now.Add(-s.fast - s.options.Retention)
}

// deleteChunk deletes some of the rounds that must go, oldest first, and says how many.
func (s *Store) deleteChunk(now time.Time) (rounds int, err error) {
	err = s.write(func(tx *sql.Tx) error {
		rounds = 0
		if cut := s.oldest(now); !cut.IsZero() {
			if rounds, err = deleteOldest(tx, cut.UnixMilli(), oldRounds); err != nil || rounds > 0 {
				return err
			}
		}
		large, err := s.tooLarge(tx)
		if err != nil || !large {
			return err
		}
		var newest sql.NullInt64 // it stays, however large
		if err := row(tx, "SELECT max(started) FROM measurements", &newest); err != nil {
			return err
		}
		rounds, err = deleteOldest(tx, newest.Int64, largeRounds)
		return err
	})
	return rounds, err
}

// tooLarge says whether what is in use is more than the bound allows, with room for the log.
func (s *Store) tooLarge(q queryer) (bool, error) {
	if s.options.MaxSize <= 0 {
		return false, nil
	}
	pages, free, size, err := pagesOf(q)
	return (pages-free)*size > s.mostPages(), err
}

// mostPages is the bound on the database without its log, in bytes.
func (s *Store) mostPages() int64 { return max(s.options.MaxSize-logRoom, s.options.MaxSize/2) }

func pagesOf(q queryer) (pages, free, size int64, err error) {
	for _, p := range []struct {
		name string
		to   *int64
	}{{"page_count", &pages}, {"freelist_count", &free}, {"page_size", &size}} {
		if err := row(q, "PRAGMA "+p.name, p.to); err != nil {
			return 0, 0, 0, err
		}
	}
	return pages, free, size, nil
}

// deleteOldest deletes the oldest rounds before a time, at most most, with all that nothing refers to any
// more.
func deleteOldest(tx *sql.Tx, before int64, most int) (rounds int, err error) {
	var last sql.NullInt64
	err = tx.QueryRow(`SELECT count(*), max(started) FROM (
		SELECT started, round FROM measurements WHERE started < ?1 UNION SELECT started, round FROM verdicts WHERE started < ?1 ORDER BY started LIMIT ?2)`,
		before, most).Scan(&rounds, &last)
	if err != nil || rounds == 0 {
		return 0, err
	}
	for _, query := range []string{"DELETE FROM measurements WHERE started <= ?", "DELETE FROM verdicts WHERE started <= ?"} {
		if _, err := tx.Exec(query, last.Int64); err != nil {
			return 0, err
		}
	}
	var oldest int64
	if err := tx.QueryRow("SELECT coalesce((SELECT min(started) FROM measurements), ?)", before).Scan(&oldest); err != nil {
		return 0, err
	}
	for _, query := range []string{
		"DELETE FROM blobs WHERE id IN (SELECT blob FROM uses WHERE used < ?)", "DELETE FROM uses WHERE used < ?", "DELETE FROM onsets WHERE seen < ?",
	} {
		if _, err := tx.Exec(query, oldest); err != nil {
			return 0, err
		}
	}
	return rounds, nil
}

// shrink makes the file smaller by most of its free pages.
func (s *Store) shrink(deadline time.Time) {
	if s.db == nil {
		return
	}
	moved := false
	for {
		pages, free, size, err := pagesOf(s.db)
		if err != nil || free <= sparePages && (s.options.MaxSize <= 0 || pages*size <= s.mostPages() || free == 0) {
			break
		}
		if err := s.write(func(tx *sql.Tx) error {
			_, err := tx.Exec(giveBack)
			return err
		}); err != nil {
			s.options.Log.Warn().Err(err).Msg("free room in the database can't be given back now")
			break
		}
		if moved = true; !time.Now().Before(deadline) {
			break
		}
	}
	if moved {
		// The file shrinks when the log is written into it; while a reader holds that up, the next one does it.
		var busy, log, done int
		_ = s.db.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &done)
	}
}

// deleteFiles deletes what was left of the first format's daily files, once their day is past the
// retention.
func (s *Store) deleteFiles(now time.Time) {
	cut := s.oldest(now)
	if cut.IsZero() {
		return
	}
	left, err := leftovers(s.dir)
	if err != nil {
		s.options.Log.Warn().Err(err).Msg("the store's old files can't be listed")
		return
	}
	for _, d := range left {
		if !d.date.AddDate(0, 0, 1).Before(cut) {
			continue
		}
		if err := os.Remove(d.path); err != nil {
			s.options.Log.Warn().Err(err).Msg("an old file of the store can't be deleted")
			continue
		}
		s.options.Log.Info().Str("file", filepath.Base(d.path)).Msg("deleted a day past the retention")
	}
}
