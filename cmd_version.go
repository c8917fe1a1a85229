package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is what the next release will be called.
const version = "0.1.0-dev"

type versionCmd struct{}

// versionInfo is `tandem version --json`.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // commit, "" if the build did not know it
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func readVersion() versionInfo {
	v := versionInfo{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	modified := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value[:min(len(s.Value), 12)]
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if modified {
		v.Revision += "+changes"
	}
	return v
}

// Run prints the version.
func (*versionCmd) Run(a *app) error {
	v := readVersion()
	if a.JSON {
		return printJSON(a.out, v)
	}
	revision := v.Revision
	if revision != "" {
		revision = " (" + revision + ")"
	}
	_, err := fmt.Fprintf(a.out, "tandem %s%s %s %s/%s\n", v.Version, revision, v.Go, v.OS, v.Arch)
	return err
}
