package ooni

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/telltale-probe/telltale/measurements"
)

// ErrNotOurs is wrapped by Parse's error for a well-formed record that another program made: it
// can't be judged by our rules.
var ErrNotOurs = errors.New("the record has no test_keys.x_telltale: another program made it")

// Parse reads a record back into the measurement that it was made of. The line may come from
// anybody: its size is bounded by MaxLine, and what does not fit is an error that names the key.
func Parse(line []byte) (measurements.Measurement, error) {
	m, err := parse(line)
	if err != nil {
		return measurements.Measurement{}, fmt.Errorf("ooni: %w", err)
	}
	return m, nil
}

func parse(line []byte) (measurements.Measurement, error) {
	var none measurements.Measurement
	if err := CheckSize(line); err != nil {
		return none, err
	}
	// Only what is needed is decoded: OONI's own keys are written for others.
	var in struct {
		Version  string `json:"data_format_version"`
		TestKeys struct {
			TLSHandshakes []peerCertificates `json:"tls_handshakes"`
			Telltale      *ours              `json:"x_telltale"`
		} `json:"test_keys"`
	}
	if err := json.Unmarshal(line, &in); err != nil {
		return none, err
	}
	switch {
	case in.Version != "0.2.0":
		return none, fmt.Errorf("data_format_version is %.40q, not \"0.2.0\"", in.Version)
	case in.TestKeys.Telltale == nil:
		return none, ErrNotOurs
	case in.TestKeys.Telltale.Schema != schema:
		return none, fmt.Errorf("x_telltale.schema is %.40q, not %q", in.TestKeys.Telltale.Schema, schema)
	}
	m := in.TestKeys.Telltale.Measurement
	if err := m.Check(); err != nil {
		return none, fmt.Errorf("x_telltale.%w", err)
	}
	for i := range in.TestKeys.TLSHandshakes {
		if err := in.TestKeys.TLSHandshakes[i].attach(&m); err != nil {
			return none, fmt.Errorf("tls_handshakes[%d]: %w", i, err)
		}
	}
	return m, nil
}

// peerCertificates is the part of a tls_handshakes entry that x_telltale does not repeat.
type peerCertificates struct {
	TransactionID    int      `json:"transaction_id"`
	PeerCertificates []binary `json:"peer_certificates"`
}

// attach puts a chain back to the observation that saw it.
func (p *peerCertificates) attach(m *measurements.Measurement) error {
	if len(p.PeerCertificates) == 0 {
		return nil
	}
	i := p.TransactionID - 1
	if i < 0 || i >= len(m.Observations) || m.Observations[i].TLS == nil {
		return fmt.Errorf("transaction_id %d is no handshake of x_telltale", p.TransactionID)
	}
	t := m.Observations[i].TLS
	if t.Chain != nil {
		return fmt.Errorf("transaction_id %d has a chain already", p.TransactionID)
	}
	for _, c := range p.PeerCertificates {
		if c.Format != "base64" {
			return fmt.Errorf("peer_certificates: the format is %.40q, not \"base64\"", c.Format)
		}
		t.Chain = append(t.Chain, c.Data)
	}
	return nil
}
