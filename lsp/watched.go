package lsp

import "go.lsp.dev/protocol"

// watchers are the changes of files that a client is asked to tell of: those that
// make others of what the folders hold, and of what may be read there. What stands
// in a file is read when it is wanted.
const watchers = `{"watchers":[{"globPattern":"**/*","kind":5},{"globPattern":"**/{.gitignore,.tandemignore}"}]}`

// didChangeWatchedFiles is told of files that somebody else wrote or took away.
func (s *server) didChangeWatchedFiles(params []byte) error {
	var p protocol.DidChangeWatchedFilesParams
	if err := decode(params, &p); err != nil {
		return err
	}
	if len(p.Changes) > maxWatched {
		s.workspace.Refresh()
		return nil
	}
	for _, c := range p.Changes {
		path := pathOf(c.URI)
		switch {
		case c.Type != protocol.FileChangeTypeDeleted:
			s.workspace.Save(path)
		case s.workspace.Snapshot().Excluded(path) == "":
			s.workspace.Refresh()
		}
	}
	return nil
}
