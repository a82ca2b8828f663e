package measurements

import "time"

// State of a layer, a target or an app.
type State string

// The states (contract). Partial is an app's alone.
const (
	OK           State = "ok"
	Blocked      State = "blocked"
	Throttled    State = "throttled"
	Down         State = "down"
	Local        State = "local"
	Inconclusive State = "inconclusive"
	Skipped      State = "skipped"
	Partial      State = "partial"
)

// States lists every state, for metrics that show one gauge a state.
var States = []State{OK, Blocked, Throttled, Down, Local, Inconclusive, Skipped, Partial}

// Confidence of a finding (contract). "" where nothing was found.
type Confidence string

// The confidences.
const (
	Suspected Confidence = "suspected"
	Likely    Confidence = "likely"
	Confirmed Confidence = "confirmed"
)

// RoundVerdict is what `once --format=json` prints (contract; fields may be added).
type RoundVerdict struct {
	Schema          string         `json:"schema"`
	Started         time.Time      `json:"started"`
	DurationSeconds float64        `json:"duration_seconds"`
	Network         NetworkVerdict `json:"network"`
	Apps            []AppVerdict   `json:"apps"`
	// Placebo is what is said of targets that nobody blocks; nil where there are none. A block found there
	// is false, and says what the others are worth.
	Placebo *AppVerdict `json:"placebo,omitempty"`
	// Standing is what stands by this network's history, this round included; empty without one.
	Standing []Standing `json:"standing,omitempty"`
	// Ended is what stood before this round, and does not any more.
	Ended []Standing `json:"ended,omitempty"`
}

// All gives the verdicts on the apps, and that on the placebo targets, if there are any, behind them.
func (v *RoundVerdict) All() []*AppVerdict {
	out := make([]*AppVerdict, 0, len(v.Apps)+1)
	for i := range v.Apps {
		out = append(out, &v.Apps[i])
	}
	if v.Placebo != nil {
		out = append(out, v.Placebo)
	}
	return out
}

// Of gives the verdict on an app, or on the placebo targets; nil where there is none.
func (v *RoundVerdict) Of(app string) *AppVerdict {
	for _, a := range v.All() {
		if a.App == app {
			return a
		}
	}
	return nil
}

// RoundSchema names the form of RoundVerdict.
const RoundSchema = "telltale/round/v1"

// NetworkVerdict is what the gate said about our own line. A nil pointer is "not tested".
type NetworkVerdict struct {
	State     State     `json:"state"`
	Signature Signature `json:"signature"`
	IPv4      *bool     `json:"ipv4"`
	IPv6      *bool     `json:"ipv6"`
	UDP443    *bool     `json:"udp443"`
	Reasons   []string  `json:"reasons,omitempty"`
}

// AppVerdict is the finding about one app.
type AppVerdict struct {
	App     string          `json:"app"`
	State   State           `json:"state"`
	Targets []TargetVerdict `json:"targets"`
	// Reasons say what the state goes by where it was not measured in this round; empty where all of it was.
	Reasons []string `json:"reasons,omitempty"`
}

// TargetVerdict is the finding about one target.
type TargetVerdict struct {
	Target string         `json:"target"`
	State  State          `json:"state"`
	Layers []LayerVerdict `json:"layers"`
	// Unseen is what stands at places of the target at which this round did not look, and Reasons say why it
	// did not: the state is that of what was measured.
	Unseen  []Standing `json:"unseen,omitempty"`
	Reasons []string   `json:"reasons,omitempty"`
}

// LayerVerdict is one finding: there is one for each (layer, ip_family, signature).
type LayerVerdict struct {
	Layer      Layer          `json:"layer"`
	Family     Family         `json:"ip_family"`
	State      State          `json:"state"`
	Signature  Signature      `json:"signature"`
	Confidence Confidence     `json:"confidence"`
	Scope      string         `json:"scope"`
	Rule       string         `json:"rule"`
	Reasons    []string       `json:"reasons"`
	Endpoints  EndpointCounts `json:"endpoints"`
}

// EndpointCounts says how many endpoints of the target this layer was measured at in this family, and
// at how many it failed as the finding says.
type EndpointCounts struct {
	Measured int `json:"measured"`
	Failed   int `json:"failed"`
}
