//go:build !unix

package workspace

import "os"

// readFlags: files of these systems have no pipes among them.
const readFlags = os.O_RDONLY
