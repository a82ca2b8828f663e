package web

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telltale-probe/telltale/measurements/export"
	"github.com/telltale-probe/telltale/measurements/store"
)

// How many records an answer has. Chosen by us: a measurement has some 300 kB of JSON, 20 kB as it is sent.
const (
	usualLimit = 100
	mostLimit  = 1000
	mostApps   = 64
)

// query is what a client wants of the store.
type query struct {
	store.Selection
	limit int
}

// parameters are those that a query may have.
var parameters = []string{"since", "until", "app", "limit", "cursor"}

// readQuery reads a URL's query; what is wrong with it is told in a sentence.
func readQuery(raw string, now time.Time) (q query, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, errors.New("the query can't be read: " + err.Error())
	}
	for key, given := range values {
		switch {
		case !slices.Contains(parameters, key):
			return q, fmt.Errorf("there is no parameter %.40q; there are %s", key, strings.Join(parameters, ", "))
		case len(given) > 1 && key != "app", len(given) > mostApps:
			return q, fmt.Errorf("%s is given %d times", key, len(given))
		}
	}
	if q.Since, err = moment(values, "since", now); err != nil {
		return q, err
	}
	if q.Until, err = moment(values, "until", now); err != nil {
		return q, err
	}
	if q.After, err = store.ParsePosition(values.Get("cursor")); err != nil {
		return q, fmt.Errorf("cursor: %w", err)
	}
	q.Apps, q.limit = values["app"], usualLimit
	if values.Has("limit") {
		q.limit, err = strconv.Atoi(values.Get("limit"))
		if err != nil || q.limit < 1 || q.limit > mostLimit {
			return q, fmt.Errorf("limit must be a number between 1 and %d", mostLimit)
		}
	}
	return q, nil
}

func moment(values url.Values, key string, now time.Time) (time.Time, error) {
	if !values.Has(key) {
		return time.Time{}, nil
	}
	text := values.Get(key)
	t, err := export.When(text, now)
	if err == nil {
		return t, nil
	}
	if strings.Contains(text, " ") {
		err = fmt.Errorf("%w; in a URL, + is written %%2B", err)
	}
	return t, fmt.Errorf("%s=%.40q: %w", key, text, err)
}

// from is the query that goes on behind a record. Times that were told from now on are fixed.
func (q *query) from(last store.Position) string {
	next := url.Values{"cursor": {last.String()}, "limit": {strconv.Itoa(q.limit)}}
	if !q.Until.IsZero() {
		next.Set("until", q.Until.UTC().Format(time.RFC3339Nano))
	}
	if len(q.Apps) > 0 {
		next["app"] = q.Apps
	}
	return next.Encode()
}
