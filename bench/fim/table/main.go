// Command table prints reports of `tandem eval fim` as one Markdown table: a
// row a report, a column a kind, the share of items filled exactly.
//
//	go run ./bench/fim/table NAME.json...
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tandem/bench/fim"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: table NAME.json...")
		os.Exit(2)
	}
	if err := print(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

// print writes the table of the reports in paths, each named after its file.
func print(w io.Writer, paths []string) error {
	for i, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var r fim.Report
		if err := json.Unmarshal(data, &r); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if i == 0 {
			header(w, r)
		}
		fmt.Fprintf(w, "| %s |", strings.TrimSuffix(filepath.Base(path), ".json"))
		for _, kind := range fim.Kinds() {
			n, exact := count(r, kind)
			fmt.Fprintf(w, " %s |", share(exact, n))
		}
		fmt.Fprintf(w, " %s | %.3f |\n", share(r.Exact, r.Items), r.EditSimilarity)
	}
	return nil
}

func header(w io.Writer, r fim.Report) {
	fmt.Fprint(w, "| exact, % |")
	for _, kind := range fim.Kinds() {
		n, _ := count(r, kind)
		fmt.Fprintf(w, " %s (%d) |", strings.ReplaceAll(kind, "_", " "), n)
	}
	fmt.Fprintf(w, " all (%d) | edit similarity |\n|---|%s---|---|\n", r.Items, strings.Repeat("---|", len(fim.Kinds())))
}

// count returns how many results of kind there are and how many are exact.
func count(r fim.Report, kind string) (n, exact int) {
	for _, one := range r.Results {
		if one.Kind != kind {
			continue
		}
		n++
		if one.Exact {
			exact++
		}
	}
	return n, exact
}

func share(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100*float64(part)/float64(whole))
}
