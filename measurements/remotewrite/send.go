package remotewrite

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/measurements/store"
)

// The two protocols' content types and versions (Remote-Write 2.0, "Required Headers").
const (
	typeV1, versionV1 = "application/x-protobuf", "0.1.0"
	typeV2, versionV2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0"

	writtenHeader = "X-Prometheus-Remote-Write-Samples-Written"
)

// Chosen by us: a receiver that is upgraded is met with 2.0 within a day, and the kinds of 1.0 are said again
// as often as Prometheus forgets them.
const (
	tryAgainEvery = 24 * time.Hour
	metadataEvery = time.Hour
)

// Writer sends messages of a Recorder to a receiver. It speaks 2.0 until the receiver shows that it knows
// only 1.0: by 415, by 400 before any success of 2.0, or by a success without the header that 2.0 requires,
// as a receiver gives that takes the request for an empty one of 1.0.
type Writer struct {
	post *delivery.Post
	log  zerolog.Logger

	mu       sync.Mutex
	plain    time.Time // since when 1.0 is spoken; zero: 2.0 is
	proved   bool      // 2.0 was understood
	metadata time.Time // when 1.0's metadata were sent last
}

var _ delivery.Sender = (*Writer)(nil)

// NewWriter makes a writer to a receiver.
func NewWriter(post *delivery.Post, log zerolog.Logger) *Writer { return &Writer{post: post, log: log} }

// Send writes messages in one request.
func (w *Writer) Send(ctx context.Context, messages []store.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var bodies [][]byte
	for i := range messages {
		bodies = append(bodies, messages[i].Body)
	}
	b, err := decode(bodies...)
	if err != nil {
		return &delivery.Refused{Reason: delivery.Damaged, Err: fmt.Errorf("remote write: %w", err)}
	}
	now := time.Now()
	if w.plain.IsZero() || now.Sub(w.plain) >= tryAgainEvery {
		understood, err := w.send2(ctx, b)
		if understood {
			w.plain, w.proved = time.Time{}, w.proved || err == nil
			return err
		}
		if w.plain.IsZero() {
			w.log.Info().Msg("the receiver does not know remote write 2.0: 1.0 from now on")
		}
		w.plain = now
	}
	return w.send1(ctx, b, now)
}

// send2 says whether the receiver understood 2.0, or gave no word about it.
func (w *Writer) send2(ctx context.Context, b *batch) (understood bool, err error) {
	plain, err := v2(b).MarshalVT()
	if err != nil {
		return true, &delivery.Refused{Reason: delivery.Damaged, Err: err}
	}
	a, err := w.send(ctx, plain, typeV2, versionV2)
	if err != nil {
		return true, err
	}
	written := a.Header.Get(writtenHeader)
	switch {
	case a.Status == http.StatusUnsupportedMediaType:
		return false, nil
	case a.Status == http.StatusBadRequest && !w.proved:
		return false, nil
	case a.Status/100 == 2 && written == "":
		return false, nil
	case written != "" && written != strconv.Itoa(b.count()) && (a.Status/100 == 2 || a.Status/100 == 4):
		w.log.Warn().Str("written", written).Int("samples", b.count()).Msg("the receiver took a part of the samples")
	}
	return true, a.Err()
}

func (w *Writer) send1(ctx context.Context, b *batch, now time.Time) error {
	metadata := now.Sub(w.metadata) >= metadataEvery
	a, err := w.send(ctx, v1(b, metadata), typeV1, versionV1)
	if err == nil {
		err = a.Err()
	}
	if err == nil && metadata {
		w.metadata = now
	}
	return err
}

func (w *Writer) send(ctx context.Context, plain []byte, kind, version string) (*delivery.Answer, error) {
	return w.post.Send(ctx, snappy.Encode(nil, plain), http.Header{
		"Content-Type": {kind}, "Content-Encoding": {"snappy"}, "X-Prometheus-Remote-Write-Version": {version},
	})
}
