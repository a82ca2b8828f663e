package remotewrite

import (
	"math"

	writev2 "github.com/prometheus/client_golang/exp/api/remote/genproto/v2"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of prometheus.WriteRequest and what is in it (prometheus/prometheus prompb/remote.proto,
// types.proto). Written by hand: the module that has them is the whole of Prometheus.
const (
	v1Timeseries protowire.Number = 1
	v1Metadata   protowire.Number = 3

	v1Labels  protowire.Number = 1
	v1Samples protowire.Number = 2

	v1LabelName  protowire.Number = 1
	v1LabelValue protowire.Number = 2

	v1SampleValue protowire.Number = 1
	v1SampleTime  protowire.Number = 2

	v1MetadataType protowire.Number = 1
	v1MetadataName protowire.Number = 2
	v1MetadataHelp protowire.Number = 4
)

// v1 is the request of Remote-Write 1.0, marshalled. Kinds and helps are said of families, and only where
// told to: they hardly ever change.
func v1(b *batch, metadata bool) (out []byte) {
	var inner, leaf []byte
	said := map[string]bool{}
	for i := range b.series {
		s := &b.series[i]
		inner = inner[:0]
		for j := 0; j+1 < len(s.labels); j += 2 {
			leaf = protowire.AppendTag(leaf[:0], v1LabelName, protowire.BytesType)
			leaf = protowire.AppendString(leaf, s.labels[j])
			leaf = protowire.AppendTag(leaf, v1LabelValue, protowire.BytesType)
			leaf = protowire.AppendString(leaf, s.labels[j+1])
			inner = appendMessage(inner, v1Labels, leaf)
		}
		for _, x := range b.samples[i] {
			leaf = protowire.AppendTag(leaf[:0], v1SampleValue, protowire.Fixed64Type)
			leaf = protowire.AppendFixed64(leaf, math.Float64bits(x.value))
			leaf = protowire.AppendTag(leaf, v1SampleTime, protowire.VarintType)
			leaf = protowire.AppendVarint(leaf, uint64(x.at))
			inner = appendMessage(inner, v1Samples, leaf)
		}
		out = appendMessage(out, v1Timeseries, inner)
		if name := s.family(); metadata && !said[name] && s.kind != writev2.Metadata_METRIC_TYPE_UNSPECIFIED {
			said[name] = true
			leaf = protowire.AppendTag(leaf[:0], v1MetadataType, protowire.VarintType)
			leaf = protowire.AppendVarint(leaf, uint64(s.kind)) // the numbers of 1.0 and 2.0 are the same up to here
			leaf = protowire.AppendTag(leaf, v1MetadataName, protowire.BytesType)
			leaf = protowire.AppendString(leaf, name)
			leaf = protowire.AppendTag(leaf, v1MetadataHelp, protowire.BytesType)
			leaf = protowire.AppendString(leaf, s.help)
			out = appendMessage(out, v1Metadata, leaf)
		}
	}
	return out
}

func appendMessage(to []byte, n protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, n, protowire.BytesType), message)
}
