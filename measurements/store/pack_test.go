package store

import (
	"errors"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
)

// FuzzDecode reads documents that somebody else has put into a database: behind gzip's checksum and the table of
// blobs no fuzzer would find them. What is read can be written again.
func FuzzDecode(f *testing.F) {
	m := measurements.Measurement{ID: "a", Round: "r", App: "telegram", Started: noon, Observations: []measurements.Observation{
		{Target: "web", Operation: measurements.TLSHandshake, Started: noon, TLS: &measurements.TLS{Chain: [][]byte{{1}, {2}}}},
		{Target: "web", Operation: measurements.HTTPExchange, Started: noon, HTTP: &measurements.HTTP{Body: make([]byte, leastBlob)}},
	}}
	id := int64(0)
	put := func([]byte) (int64, error) { id++; return id, nil }
	document, err := encode(&m, put)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(document)
	f.Add([]byte(`{"observations":[],"blobs":[{"o":-1,"chain":[1]},{"o":0,"body":1}]}`))
	get := func(id int64) ([]byte, error) {
		if id < 0 {
			return nil, errors.New("no such blob")
		}
		return make([]byte, id%(1<<16)), nil
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		m, err := decode(document, get)
		if err != nil {
			return
		}
		if _, err := encode(&m, put); err != nil {
			t.Error(err)
		}
	})
}
