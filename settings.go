package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"tandem/bench/synth"
	"tandem/completion/prompt"
	"tandem/config"
	"tandem/context/retrieve"
	"tandem/internal/logfile"
)

// defaultModel completes well and fits every machine.
const defaultModel = "qwen2.5-coder-0.5b"

// flags are accepted by every command. The settings file has a key for each
// that is worth keeping.
type flags struct {
	Model         string `default:"${defaultModel}" placeholder:"NAME|PATH" help:"Model: a name that 'tandem models' lists, or the path of a GGUF file (default ${default})."`
	DraftModel    string `default:"auto" placeholder:"auto|none|NAME|PATH" help:"Small model with the same vocabulary that drafts for the model where look-up finds nothing. auto: for one of 7B and more (untried by the project) the smallest of its family, if that is here; none: no model drafts (default ${default})."`
	Device        string `default:"cpu" enum:"${devices}" placeholder:"NAME" help:"Processor to compute on: ${enum} (default ${default})."`
	PrefillDevice string `default:"" enum:"${devices}," placeholder:"NAME" help:"Processor for prompts, if another than --device."`
	DecodeDevice  string `default:"" enum:"${devices}," placeholder:"NAME" help:"Processor for generated tokens, if another than --device."`
	Threads       int    `default:"0" placeholder:"N" help:"Threads of a device; 0 takes one for each core that this process may use: affinity and a container's quota count, hardware threads of one core do not."`
	Tokens        int    `default:"0" short:"n" placeholder:"TOKENS" help:"Tokens to generate at most; 0 is the command's own default."`
	Context       int    `default:"0" placeholder:"TOKENS" help:"Longest prompt and continuation together; 0 chooses by the model."`
	KV            string `default:"f16" enum:"f16,q8_0,f32" placeholder:"TYPE" help:"Storage of keys and values: ${enum} (default ${default})."`
	JSON          bool   `help:"Print JSON where a machine would read it."`
	Config        string `type:"path" placeholder:"FILE" help:"Settings file in place of the user's own."`
	LogLevel      string `default:"info" enum:"debug,info,warn,error" config:"log.level" placeholder:"LEVEL" help:"Least level of what is logged: ${enum} (default ${default})."`
	Verbose       bool   `short:"v" help:"Log to standard error as well, everything."`
}

// parse reads args over the settings over the defaults.
func parse(c *cli, args []string) (config.Config, *kong.Context, error) {
	var settings config.Config
	parser, err := kong.New(c,
		kong.Name("tandem"),
		kong.Description("Completes code with models that run on this machine."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"defaultModel": defaultModel, "devices": strings.Join(allDevices(), ","), "layouts": strings.Join(prompt.Names(), ","), "retrievers": strings.Join(retrieve.Sources(), ","), "shapes": strings.Join(synth.Shapes(), ", ")},
		kong.WithBeforeResolve(func(ctx *kong.Context) error {
			var err error
			if settings, err = config.Load(configFlag(ctx)); err == nil {
				ctx.AddResolver(resolver(settings))
			}
			return err
		}),
	)
	if err != nil {
		return settings, nil, err
	}
	command, err := parser.Parse(args)
	if err != nil && settings.Path != "" && fromSettings(settings, err) {
		err = fmt.Errorf("%w (set in %s)", err, settings.Path)
	}
	return settings, command, err
}

// configFlag is the value of --config before flags are applied.
func configFlag(ctx *kong.Context) string {
	for _, flag := range ctx.Flags() {
		if flag.Name == "config" {
			return ctx.FlagValue(flag).(string)
		}
	}
	return ""
}

// resolver gives flags that are not on the command line their setting.
func resolver(settings config.Config) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if value := settings.Value(configKey(flag)); value != "" {
			return value, nil
		}
		return nil, nil
	})
}

func configKey(flag *kong.Flag) string {
	if key := flag.Tag.Get("config"); key != "" {
		return key
	}
	return strings.ReplaceAll(flag.Name, "-", "_")
}

// fromSettings reports whether err is about a flag whose value the settings gave.
func fromSettings(settings config.Config, err error) bool {
	for _, key := range config.Keys() {
		name := strings.NewReplacer(".", "-", "_", "-").Replace(key)
		if settings.Value(key) != "" && strings.Contains(err.Error(), "--"+name) {
			return true
		}
	}
	return false
}

// openLog opens the log that flags and settings ask for. A machine without a
// writable home has none, unless its place was named.
func openLog(f flags, settings config.Config) (*slog.Logger, func(), error) {
	opt := logfile.Options{SourceText: settings.Log.SourceText}
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		return nil, nil, fmt.Errorf("log level %q: use debug, info, warn or error", f.LogLevel)
	}
	if f.Verbose {
		level, opt.Also = slog.LevelDebug, os.Stderr
	}
	opt.Level = level
	path, err := settings.Log.File, error(nil)
	if path == "" {
		path, err = config.LogPath()
	}
	if err == nil {
		log, closer, openErr := logfile.Open(path, opt)
		if openErr == nil {
			return log, func() { closer.Close() }, nil
		}
		err = openErr
	}
	if settings.Log.File != "" {
		return nil, nil, fmt.Errorf("%w: change [log] file in %s", err, settings.Path)
	}
	if f.Verbose {
		return logfile.New(os.Stderr, opt), func() {}, nil
	}
	return slog.New(slog.DiscardHandler), func() {}, nil
}
