package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/probe"
)

// bytesNote stands before the list.
const bytesNote = `What telltale sends, byte by byte, made by the very code that measures; nothing
was sent for this list. Client randoms, keys, nonces, identifiers of
transactions and times are fresh in every message. Control N sends the same
with a neutral name, and asks for "/". What is inside TLS and QUIC is shown in
clear, in the form of HTTP/1.1. A lost DNS query is sent twice more, without
its EDNS0 record. Nothing of an account, and nothing that tells one volunteer
from another, is in any of it.
`

// printBytes lists every message to every target of the apps.
func printBytes(t terminal, apps []probe.App) {
	_, _ = fmt.Fprint(t.out, bytesNote)
	for _, app := range apps {
		for _, target := range app.Targets {
			printMessages(t, app.ID+" "+target.ID, probe.Tape(context.Background(), target))
		}
	}
}

// printBytesBeside lists what is sent beside that: to neutral hosts, placebos, resolvers and the reference vantage.
func printBytesBeside(t terminal, cfg *config.Config) {
	ctx := context.Background()
	for _, n := range cfg.Controls {
		printMessages(t, "neutral host "+n.Host, probe.TapeControl(ctx, n))
	}
	for _, target := range cfg.Placebo.Targets {
		printMessages(t, "placebo "+target.ID, probe.Tape(ctx, target))
	}
	asked := cfg.Controls[0].Host // any name is asked in the same way
	own := append(probe.TapeIdentity(ctx), probe.TapeResolver(ctx, probe.Resolver{URL: "tcp://192.0.2.53"}, asked)...)
	printMessages(t, "the machine's own resolver, beside the queries above; over TCP where a name fails, here "+asked, own)
	for _, r := range cfg.Trusted {
		printMessages(t, "resolver "+r.URL+", where a name fails, here "+asked, append(probe.TapeResolver(ctx, r, asked), probe.TapeRecord(ctx, r, asked)...))
	}
	if cfg.Reference.URL != "" {
		printMessages(t, "reference vantage", probe.TapeReference(ctx, probe.Reference{URL: cfg.Reference.URL}))
	}
}

func printMessages(t terminal, to string, messages []probe.Message) {
	_, _ = fmt.Fprintf(t.out, "\n%s\n", to)
	for _, m := range messages {
		_, _ = fmt.Fprintf(t.out, "  %s, %d bytes\n%s", m.What, len(m.Bytes), dump(m.Bytes))
	}
}

// dump shows bytes: as text where they are, else as hex with what can be read of it.
func dump(b []byte) string {
	const indent = "    "
	text := string(b)
	if readable(text) {
		return indent + strings.ReplaceAll(strings.TrimSuffix(text, "\r\n"), "\r\n", "\n"+indent) + "\n"
	}
	var out strings.Builder
	for line := range strings.Lines(hex.Dump(b)) {
		out.WriteString(indent + line[4:]) // an offset of four digits is enough
	}
	return out.String()
}

func readable(text string) bool {
	for _, r := range text {
		if (r < 0x20 || r > 0x7e) && r != '\r' && r != '\n' {
			return false
		}
	}
	return true
}
