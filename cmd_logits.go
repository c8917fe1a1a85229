package main

type logitsCmd struct {
	Prompt string `arg:"" optional:"" help:"Text to compute."`
}

// Run prints.
func (c *logitsCmd) Run(a *app) error { return nil }
