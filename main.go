// Command tandem completes code with models that run on this machine. This
// package is the command line: it parses flags and settings, opens devices and
// the model, runs one subcommand and prints. How any of it works is known to
// the packages below it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"tandem/config"
)

// Exit codes.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells report SIGINT
)

// cli is the command line. Flags of all commands come first; the tag "config"
// names a flag's key in the settings where it is not the flag's own name.
type cli struct {
	flags `embed:"" group:"Flags of every command:"`

	Complete completeCmd `cmd:"" help:"Complete a file at a cursor."`
	Generate generateCmd `cmd:"" help:"Continue a prompt, as it is, and print the text as it comes."`
	Logits   logitsCmd   `cmd:"" help:"Print the model's most likely tokens after each token of a prompt."`
	Tokenize tokenizeCmd `cmd:"" help:"Turn standard input into token ids, or ids into text."`
	Bench    benchCmd    `cmd:"" help:"Measure speed."`
	Synth    synthCmd    `cmd:"" help:"Write a GGUF file of random weights in the shape of a real model."`
	LSP      lspCmd      `cmd:"" name:"lsp" help:"Serve an editor over standard input and output (language server protocol)."`
	Eval     evalCmd     `cmd:"" help:"Measure quality."`
	Pull     pullCmd     `cmd:"" help:"Download a model."`
	Models   modelsCmd   `cmd:"" help:"List the models that pull knows and which are here."`
	Doctor   doctorCmd   `cmd:"" help:"Tell what is found on this machine and what would be used, and why."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// app is what a command gets: where it reads and prints, flags and settings.
type app struct {
	ctx context.Context // ends on Ctrl-C
	in  io.Reader
	out *os.File
	err *os.File // messages and progress
	flags
	settings config.Config
	log      *slog.Logger
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the process at once

	var c cli
	settings, command, err := parse(&c, args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tandem:", oneLine(err))
		return exitUsage
	}
	log, closeLog, err := openLog(c.flags, settings)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tandem:", oneLine(err))
		return exitFailure
	}
	defer closeLog()
	slog.SetDefault(log)

	a := &app{ctx: ctx, in: os.Stdin, out: os.Stdout, err: os.Stderr, flags: c.flags, settings: settings, log: log}
	log.Debug("start", "command", command.Command(), "settings", settings.Path)
	switch err := command.Run(a); {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		log.Info("interrupted", "command", command.Command())
		return exitInterrupted
	default:
		log.Error(oneLine(err), "command", command.Command())
		fmt.Fprintln(os.Stderr, "tandem:", oneLine(err))
		return exitFailure
	}
}

// oneLine is err's text as one line.
func oneLine(err error) string {
	return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
}
