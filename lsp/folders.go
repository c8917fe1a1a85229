package lsp

import (
	"slices"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// folder is a workspace folder as initialize names it.
type folder struct {
	URI string `json:"uri"`
}

// folders are the paths of the folders that initialize named, in the newest of
// its three ways.
func (c *client) folders() []string {
	var paths []string
	for _, f := range c.WorkspaceFolders {
		paths = appendFolder(paths, f.URI)
	}
	if paths == nil && c.RootURI != "" {
		paths = appendFolder(paths, c.RootURI)
	}
	if paths == nil && c.RootPath != "" {
		paths = append(paths, c.RootPath)
	}
	return paths
}

// appendFolder leaves out what is no folder of this machine.
func appendFolder(paths []string, address string) []string {
	if u, err := uri.Parse(address); err == nil && u.IsFile() {
		return append(paths, u.FsPath())
	}
	return paths
}

func (s *server) setFolders(paths []string) {
	if err := s.workspace.SetFolders(paths...); err != nil {
		s.log.Warn("folders without effect", "error", err)
	}
	if c := s.model.peek(); c != nil {
		c.Look(s.workspace.Snapshot())
	}
}

// didChangeFolders adds and removes folders.
func (s *server) didChangeFolders(params []byte) error {
	var p protocol.DidChangeWorkspaceFoldersParams
	if err := decode(params, &p); err != nil {
		return err
	}
	paths := s.workspace.Snapshot().Folders()
	for _, f := range p.Event.Removed {
		gone := pathOf(f.URI)
		paths = slices.DeleteFunc(paths, func(path string) bool { return path == gone })
	}
	for _, f := range p.Event.Added {
		paths = appendFolder(paths, string(f.URI))
	}
	s.setFolders(paths)
	return nil
}

// pathOf is what the workspace calls the document at u: its path, or for what is
// in no file the URI itself.
func pathOf(u uri.URI) string {
	if u.IsFile() {
		return u.FsPath()
	}
	return string(u)
}
