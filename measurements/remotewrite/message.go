package remotewrite

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"

	writev2 "github.com/prometheus/client_golang/exp/api/remote/genproto/v2"
)

// maxUnpacked bounds a message that is read back, in bytes. Chosen by us: the 2,000 series of heavy blocking
// have some 300 kB.
const maxUnpacked = 8 << 20

// encode makes a message of a state: a request of 2.0, compressed. It is what most receivers will get in the
// end, it says each label once, and what 1.0 needs is in it.
func encode(state []series, at int64) ([]byte, error) {
	plain, err := v2(batchOf(state, at)).MarshalVT()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(plain) // a bytes.Buffer takes everything
	_ = w.Close()
	return b.Bytes(), nil
}

// decode reads messages back, into one batch.
func decode(bodies ...[]byte) (*batch, error) {
	var b batch
	at := map[string]int{} // index of a series in b, by its key
	for _, body := range bodies {
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		plain, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
		if err != nil {
			return nil, err
		}
		var request writev2.Request
		if len(plain) > maxUnpacked {
			return nil, fmt.Errorf("a message of more than %d bytes", maxUnpacked)
		}
		if err := request.UnmarshalVT(plain); err != nil {
			return nil, err
		}
		if err := b.take(&request, at); err != nil {
			return nil, err
		}
	}
	return &b, nil
}

// batch is series with one or more samples each, in the order of time.
type batch struct {
	series  []series // whose value is not used
	samples [][]sample
}

type sample struct {
	at    int64 // Unix time in milliseconds
	value float64
}

func batchOf(state []series, at int64) *batch {
	b := &batch{series: state}
	for i := range state {
		b.samples = append(b.samples, []sample{{at, state[i].value}})
	}
	return b
}

// count is the number of samples.
func (b *batch) count() (n int) {
	for _, s := range b.samples {
		n += len(s)
	}
	return n
}

// take adds a request's samples to those of the same series.
func (b *batch) take(r *writev2.Request, at map[string]int) error {
	if len(r.Symbols) == 0 {
		return fmt.Errorf("a message without symbols")
	}
	symbol := func(ref uint32) (string, error) {
		if int(ref) >= len(r.Symbols) {
			return "", fmt.Errorf("symbol %d of %d", ref, len(r.Symbols))
		}
		return r.Symbols[ref], nil
	}
	for _, t := range r.Timeseries {
		var s series
		for _, ref := range t.LabelsRefs {
			text, err := symbol(ref)
			if err != nil {
				return err
			}
			s.labels = append(s.labels, text)
		}
		if m := t.Metadata; m != nil {
			help, err := symbol(m.HelpRef)
			if err != nil {
				return err
			}
			s.kind, s.help = m.Type, help
		}
		s.created = t.CreatedTimestamp
		key := s.key()
		i, known := at[key]
		if !known {
			i = len(b.series)
			at[key] = i
			b.series, b.samples = append(b.series, s), append(b.samples, nil)
		}
		b.series[i].created = max(b.series[i].created, s.created)
		for _, x := range t.Samples {
			b.samples[i] = append(b.samples[i], sample{x.Timestamp, x.Value})
		}
	}
	return nil
}

// v2 is the request of Remote-Write 2.0.
func v2(b *batch) *writev2.Request {
	symbols := writev2.NewSymbolTable()
	r := &writev2.Request{Timeseries: make([]*writev2.TimeSeries, 0, len(b.series))}
	for i := range b.series {
		s := &b.series[i]
		t := &writev2.TimeSeries{
			LabelsRefs:       symbols.SymbolizeLabels(s.labels, nil),
			Metadata:         &writev2.Metadata{Type: s.kind, HelpRef: symbols.Symbolize(s.help)},
			CreatedTimestamp: s.created,
		}
		for _, x := range b.samples[i] {
			t.Samples = append(t.Samples, &writev2.Sample{Timestamp: x.at, Value: x.value})
		}
		r.Timeseries = append(r.Timeseries, t)
	}
	r.Symbols = slices.Clone(symbols.Symbols())
	return r
}
