package oonitest

import (
	"fmt"
	"strings"
)

// mostEvents is how many events of a connection the format keeps (NetworkEventBufferSize of probe-cli).
const mostEvents = 64

// relations checks what no key says alone, in a record whose every key is right.
func (c *Checker) relations(record map[string]any) {
	keys := record["test_keys"].(map[string]any)
	for _, list := range []string{"queries", "tcp_connect", "tls_handshakes", "requests", "network_events"} {
		for i, e := range keys[list].([]any) {
			c.span(fmt.Sprintf("%s[%d]", list, i), e.(map[string]any), record["test_runtime"].(float64))
		}
	}
	for i, e := range keys["tcp_connect"].([]any) {
		status := e.(map[string]any)["status"].(map[string]any)
		if status["success"] != (status["failure"] == nil) {
			c.fail(fmt.Sprintf("tcp_connect[%d].status", i), "success and failure contradict each other")
		}
	}
	for i, e := range keys["queries"].([]any) {
		for j, a := range e.(map[string]any)["answers"].([]any) {
			c.answer(fmt.Sprintf("queries[%d].answers[%d]", i, j), a.(map[string]any))
		}
	}
	c.events(keys["network_events"].([]any))
}

// span checks that an entry lies within the measurement, in seconds from its start.
func (c *Checker) span(where string, e map[string]any, runtime float64) {
	t0, t := e["t0"].(float64), e["t"].(float64)
	const rounding = 1e-5
	if t0 < 0 || t0 > t || t > runtime+rounding {
		c.fail(where, "it lasts from %g to %g, the measurement to %g", t0, t, runtime)
	}
	if e["transaction_id"].(float64) < 1 {
		c.fail(where, "transaction_id is %v", e["transaction_id"])
	}
}

// answer checks that the key of an answer's type is there, and no other.
func (c *Checker) answer(where string, a map[string]any) {
	keys := map[string]string{"A": "ipv4", "AAAA": "ipv6", "CNAME": "hostname"}
	for kind, key := range keys {
		if _, there := a[key]; there != (a["answer_type"] == kind) {
			c.fail(where, "an answer of type %v, and %s", a["answer_type"], key)
		}
	}
}

// events checks that they come in order, and how many there are of one connection.
func (c *Checker) events(list []any) {
	last, of := 0.0, map[string]int{}
	for i, e := range list {
		e := e.(map[string]any)
		if t := e["t"].(float64); t < last {
			c.fail(fmt.Sprintf("network_events[%d]", i), "it comes before its time")
		} else {
			last = t
		}
		for _, tag := range e["tags"].([]any) {
			if strings.HasPrefix(tag.(string), "conn=") {
				of[tag.(string)]++
			}
		}
	}
	for conn, n := range of {
		if n > mostEvents {
			c.fail("network_events", "%d of %s", n, conn)
		}
	}
}
