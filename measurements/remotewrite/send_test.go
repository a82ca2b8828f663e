package remotewrite_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/measurements/remotewrite"
	"github.com/telltale-probe/telltale/measurements/store"
)

// writer makes a writer to a handler, and gives the messages of an hour.
func writer(t *testing.T, h http.Handler) (*remotewrite.Writer, []store.Message, *vantage) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL + "/api/v1/write")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now().Add(-2 * time.Hour).Truncate(time.Millisecond)
	v := newVantage(t, start)
	t.Cleanup(v.close)
	v.live(start.Add(time.Hour))
	messages, err := v.store.Next(remotewrite.Kind, 100)
	if err != nil || len(messages) < 10 {
		t.Fatal(err, len(messages))
	}
	post := &delivery.Post{Client: delivery.NewClient(&http.Transport{}), URL: u, UserAgent: "telltale/test", Scrub: strings.TrimSpace}
	return remotewrite.NewWriter(post, zerolog.Nop()), messages, v
}

// Receivers that know only 1.0 say so in three ways.
func TestFallBack(t *testing.T) {
	for name, to2 := range map[string]int{"415": http.StatusUnsupportedMediaType, "400": http.StatusBadRequest, "a success that confirms nothing": http.StatusNoContent} {
		var kinds []string
		w, messages, _ := writer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			kind := r.Header.Get("Content-Type") + " " + r.Header.Get("X-Prometheus-Remote-Write-Version")
			kinds = append(kinds, kind)
			if strings.Contains(kind, "v2") {
				w.WriteHeader(to2)
			}
		}))
		for _, m := range messages[:2] {
			if err := w.Send(t.Context(), []store.Message{m}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		const two, one = "application/x-protobuf;proto=io.prometheus.write.v2.Request 2.0.0", "application/x-protobuf 0.1.0"
		if want := []string{two, one, one}; !slices.Equal(kinds, want) {
			t.Errorf("%s: %q", name, kinds)
		}
	}
}

// Once 2.0 was understood, 400 is about what was sent; a receiver that is down says nothing about either.
func TestNoFallBack(t *testing.T) {
	s := newStorage()
	s.before = func(requests int) int { return []int{0, 503, 0, 400, 0, 429}[requests%6] }
	w, messages, _ := writer(t, remote.NewWriteHandler(s, remote.MessageTypes{remote.WriteV2MessageType}))
	var got []string
	for _, m := range messages[:6] {
		err := w.Send(t.Context(), []store.Message{m})
		var later *delivery.Later
		var refused *delivery.Refused
		switch {
		case errors.As(err, &later):
			got = append(got, later.Reason)
		case errors.As(err, &refused):
			got = append(got, refused.Reason)
		default:
			got = append(got, "")
		}
	}
	if want := []string{delivery.Server, "", delivery.Rejected, "", delivery.Limited, ""}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	var refused *delivery.Refused
	if err := w.Send(t.Context(), []store.Message{{Body: []byte("damage")}}); !errors.As(err, &refused) || refused.Reason != delivery.Damaged {
		t.Errorf("damage: %v", err)
	}
}

// 1.0 tells kinds and helps in metadata, at first and then once an hour, and nothing else of its own.
func TestMetadataOfV1(t *testing.T) {
	type told struct {
		kind uint64
		help string
	}
	var requests []map[string]told
	w, messages, _ := writer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Content-Type"), "v2") {
			w.WriteHeader(http.StatusUnsupportedMediaType)
			return
		}
		packed, _ := io.ReadAll(r.Body)
		plain, err := snappy.Decode(nil, packed)
		if err != nil {
			t.Error(err)
		}
		found := map[string]told{}
		for len(plain) > 0 {
			field, _, n := protowire.ConsumeTag(plain)
			message, m := protowire.ConsumeBytes(plain[n:])
			if n < 0 || m < 0 {
				t.Error("no protobuf")
				return
			}
			plain = plain[n+m:]
			if field != 3 {
				continue
			}
			var name string
			var x told
			for len(message) > 0 {
				field, kind, n := protowire.ConsumeTag(message)
				message = message[n:]
				if kind == protowire.VarintType {
					x.kind, n = protowire.ConsumeVarint(message)
				} else {
					var text string
					text, n = protowire.ConsumeString(message)
					if field == 2 {
						name = text
					} else {
						x.help = text
					}
				}
				message = message[n:]
			}
			found[name] = x
		}
		requests = append(requests, found)
	}))
	for _, m := range messages[:2] {
		if err := w.Send(t.Context(), []store.Message{m}); err != nil {
			t.Fatal(err)
		}
	}
	first := requests[0]
	if first["telltale_rounds_total"].kind != 1 || first["telltale_app_state"].kind != 2 || first["telltale_step_duration_seconds"].kind != 3 || first["telltale_rounds_total"].help == "" || len(first) < 10 {
		t.Errorf("%v", first)
	}
	if len(requests[1]) != 0 {
		t.Errorf("again: %v", requests[1])
	}
}

// Through 500s, 429s, cut connections and lost answers each sample is at a receiver of 2.0 once, in order.
func TestTroubledReceiver(t *testing.T) {
	s := newStorage()
	s.before = func(requests int) int { return []int{0, 500, 0, 429, 0, 0}[requests%6] }
	handler := remote.NewWriteHandler(s, remote.MessageTypes{remote.WriteV2MessageType})
	asked := 0
	cut := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked++; asked % 5 {
		case 1:
			panic(http.ErrAbortHandler) // before it is read
		case 3:
			handler.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // the answer is lost
		}
		handler.ServeHTTP(w, r)
	})
	w, messages, v := writer(t, cut)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := &counts{after: len(messages), stop: cancel}
	(&delivery.Courier{Kind: remotewrite.Kind, Outbox: v.store, Sender: w, Counts: c, Batch: 2, Least: time.Millisecond}).Run(ctx)
	compare(t, s.got, v.truth, func(a, b float64) bool { return a == b })
	if c.dropped > 0 || c.sent != len(messages) || c.failed < 4 {
		t.Errorf("%+v", c)
	}
}
