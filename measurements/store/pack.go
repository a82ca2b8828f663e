package store

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
)

// stored is a measurement as it is kept: its own JSON, with what comes again in every round taken out.
type stored struct {
	measurements.Measurement
	Blobs []blobRef `json:"blobs,omitempty"`
}

// blobRef says what was taken out of an observation: rows of the table blobs.
type blobRef struct {
	Observation int     `json:"o"`
	Chain       []int64 `json:"chain,omitempty"` // certificates, leaf first
	Body        int64   `json:"body,omitempty"`  // of an HTTP exchange
}

// leastBlob is the least body, in bytes, that is worth a row of its own. Chosen by us.
const leastBlob = 256

// packer compresses documents. gzip measured like zstd on rounds (19.5 against 19.3 kB each), is in the
// standard library, needs less memory, and its CRC-32 finds what a bad disk does to the bytes. One is used
// for all of a round, and then let go: it takes 800 KiB.
type packer struct{ w *gzip.Writer }

func newPacker() *packer { return &packer{gzip.NewWriter(nil)} }

func (p *packer) pack(document []byte) []byte {
	var b bytes.Buffer
	p.w.Reset(&b)
	_, _ = p.w.Write(document) // a bytes.Buffer takes everything
	_ = p.w.Close()
	return b.Bytes()
}

// unpack gives a document back. Who wrote it may be a stranger: it is bounded.
func unpack(body []byte, most int) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	document, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err == nil && len(document) > most {
		err = fmt.Errorf("more than %d bytes", most)
	}
	return document, err
}

// encode makes the document of a measurement. put keeps bytes that come again, and gives their id.
func encode(m *measurements.Measurement, put func([]byte) (int64, error)) ([]byte, error) {
	s := stored{Measurement: *m}
	s.Observations = slices.Clone(m.Observations)
	for i := range s.Observations {
		ref := blobRef{Observation: i}
		o := &s.Observations[i]
		if o.TLS != nil {
			for _, der := range o.TLS.Chain { // the JSON of TLS leaves it out
				id, err := put(der)
				if err != nil {
					return nil, err
				}
				ref.Chain = append(ref.Chain, id)
			}
		}
		if o.HTTP != nil && len(o.HTTP.Body) >= leastBlob {
			id, err := put(o.HTTP.Body)
			if err != nil {
				return nil, err
			}
			without := *o.HTTP
			without.Body, o.HTTP, ref.Body = nil, &without, id
		}
		if ref.Chain != nil || ref.Body != 0 {
			s.Blobs = append(s.Blobs, ref)
		}
	}
	document, err := json.Marshal(&s)
	if err == nil {
		err = ooni.CheckSize(document)
	}
	return document, err
}

// decode reads a document back, and checks it as package ooni does a record: the file may be anybody's.
func decode(document []byte, get func(id int64) ([]byte, error)) (measurements.Measurement, error) {
	var none measurements.Measurement
	if err := ooni.CheckSize(document); err != nil {
		return none, err
	}
	var s stored
	if err := json.Unmarshal(document, &s); err != nil {
		return none, err
	}
	if err := s.Check(); err != nil {
		return none, err
	}
	room := ooni.MaxLine
	take := func(id int64) ([]byte, error) {
		b, err := get(id)
		if room -= len(b); err == nil && room < 0 {
			err = errors.New("its certificates and pages are too large")
		}
		return b, err
	}
	for _, ref := range s.Blobs {
		if err := ref.attach(&s.Measurement, take); err != nil {
			return none, err
		}
	}
	return s.Measurement, nil
}

// attach puts back what was taken out of an observation.
func (r *blobRef) attach(m *measurements.Measurement, take func(int64) ([]byte, error)) error {
	if r.Observation < 0 || r.Observation >= len(m.Observations) {
		return fmt.Errorf("blobs: there is no observation %d", r.Observation)
	}
	o := &m.Observations[r.Observation]
	if r.Chain != nil && (o.TLS == nil || o.TLS.Chain != nil) || r.Body != 0 && (o.HTTP == nil || o.HTTP.Body != nil) {
		return fmt.Errorf("blobs: observation %d has no place for them", r.Observation)
	}
	for _, id := range r.Chain {
		der, err := take(id)
		if err != nil {
			return err
		}
		o.TLS.Chain = append(o.TLS.Chain, der)
	}
	if r.Body == 0 {
		return nil
	}
	body, err := take(r.Body)
	if err == nil {
		o.HTTP.Body = body
	}
	return err
}

// unpackBlob gives a blob's bytes, if they are what they were.
func unpackBlob(body, sum []byte) ([]byte, error) {
	b, err := unpack(body, ooni.MaxLine)
	if err != nil {
		return nil, err
	}
	if got := sha256.Sum256(b); !bytes.Equal(got[:], sum) {
		return nil, errors.New("its SHA-256 is another")
	}
	return b, nil
}
