// Command telltale measures whether messaging apps can be reached, says what stands in the way, and
// keeps the evidence.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config/strict"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/privacy"
)

// Exit codes (contract): what was found never changes them.
const (
	exitDone  = 0
	exitCould = 1 // could not measure
	exitUsage = 2 // wrong usage or config
)

// cli is the command line (DESIGN section 5). Flags follow the Prometheus ecosystem and win over the file.
type cli struct {
	ConfigFile    string   `name:"config.file" help:"Configuration in TOML. Without it the defaults apply." placeholder:"FILE"`
	ListenAddress []string `name:"web.listen-address" help:"Where metrics and the page are served. Repeatable." placeholder:"ADDR"`
	WebConfigFile string   `name:"web.config.file" help:"TLS and passwords for the page, in the exporter toolkit's form." placeholder:"FILE"`
	LogLevel      string   `name:"log.level" enum:"debug,info,warn,error" default:"info" help:"One of ${enum}."`
	LogFormat     string   `name:"log.format" enum:"console,json" default:"console" help:"One of ${enum}."`
	StorePath     string   `name:"store.path" help:"Where evidence is kept." placeholder:"DIR"`
	Quiet         bool     `help:"No progress, and no log below warnings."`

	Run       runCmd       `cmd:"" help:"Measure for as long as it runs; serve metrics and the status page."`
	Once      onceCmd      `cmd:"" help:"One round now."`
	Demo      demoCmd      `cmd:"" help:"The whole program on an emulated, censored internet: nothing leaves this machine."`
	Lab       labCmd       `cmd:"" help:"The emulated internet's scenarios, and what we make of them."`
	Judge     judgeCmd     `cmd:"" help:"Judge stored measurements again, by today's rules."`
	Catalogue catalogueCmd `cmd:"" help:"List what would be contacted, and why."`
	Check     checkCmd     `cmd:"" help:"Read the config and say what is wrong with it, all of it at once."`
	Consent   consentCmd   `cmd:"" help:"Show what running this means, and record the answer."`
	Export    exportCmd    `cmd:"" help:"Stored measurements as OONI NDJSON, or verdicts as JSON or CSV."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// terminal is where a command reads and writes: results to out, everything else to err.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	probe.DisableScrambling() // process-wide, before the first dial (package probe, quic.go)
	os.Exit(run(os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr}))
}

// run is main without the process: it returns the exit code.
func run(args []string, t terminal) (code int) {
	var c cli
	parser, err := kong.New(&c, kong.Name("telltale"), kong.Writers(t.out, t.err),
		kong.Description("Measures whether messaging apps can be reached, and says what stands in the way."),
		kong.Exit(func(status int) { panic(exit(status)) }), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		_, _ = fmt.Fprintln(t.err, "telltale:", err)
		return exitUsage
	}
	defer func() {
		if status, ok := recover().(exit); ok {
			code = int(status) // kong printed help
		}
	}()
	ctx, err := parser.Parse(args)
	if err != nil {
		_, _ = fmt.Fprintf(t.err, "telltale: %s\nTry 'telltale --help'.\n", err)
		return exitUsage
	}
	log.SetFlags(0)
	log.SetOutput(libraryLog{c.loggerOf(&privacy.Writer{To: t.err, Own: probe.Host{}.OwnNow})})
	err = ctx.Run(&c, t)
	return report(t.err, err)
}

// libraryLog is the standard logger's end. Libraries write to it what peers have sent, as net/http does with an
// answer that nobody asked for: only who debugs may see that, cut short and without addresses.
type libraryLog struct{ to zerolog.Logger }

// mostLibraryText of one line is shown. Chosen by us: the words before a peer's own are shorter.
const mostLibraryText = 200

// Write takes one line.
func (l libraryLog) Write(line []byte) (int, error) {
	text := probe.ScrubAll(strings.TrimSpace(string(line[:min(len(line), mostLibraryText)])))
	l.to.Debug().Str("text", strings.ToValidUTF8(text, "�")).Msg("a library has something to say")
	return len(line), nil
}

// exit is how kong leaves after help: a status, carried by a panic to run.
type exit int

// report prints an error for people and gives its exit code.
func report(w io.Writer, err error) int {
	var usage usageError
	var config strict.Errors
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &config):
		_, _ = fmt.Fprintln(w, strings.TrimSpace(config.Error()))
		return exitUsage
	case errors.As(err, &usage):
		_, _ = fmt.Fprintln(w, "telltale:", err)
		return exitUsage
	}
	_, _ = fmt.Fprintln(w, "telltale:", err)
	return exitCould
}

// usageError is the caller's mistake.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }
