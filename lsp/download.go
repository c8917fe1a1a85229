package lsp

import (
	"context"
	"errors"
	"fmt"

	"go.lsp.dev/protocol"
)

// The answers that the question about a download offers.
const (
	actionDownload = "Download"
	actionNotNow   = "Not now"
)

// errDeclined says that the user did not agree to a download.
var errDeclined = errors.New("the download was declined, an explicit request asks again")

// download gets what a model lacks. The user is asked every time: nothing is sent
// over the network before they agreed to the size and the host.
func (m *model) download(ctx context.Context, name string) error {
	if m.s.opt.Missing == nil {
		return nil
	}
	d, missing := m.s.opt.Missing(name)
	if !missing {
		return nil
	}
	remedy := fmt.Sprintf("%s is not on this machine: `tandem pull %s` gets it", name, name)
	if m.s.opt.Pull == nil {
		return errors.New(remedy)
	}
	m.mu.Lock()
	m.set(Unloaded, "waiting for the answer whether to download "+name, -1)
	m.mu.Unlock()
	var answer *protocol.MessageActionItem
	asked := m.s.call(ctx, protocol.MethodWindowShowMessageRequest, &protocol.ShowMessageRequestParams{
		Type:    protocol.MessageTypeInfo,
		Message: fmt.Sprintf("tandem: the model %s is not on this machine. Download %s from %s?", name, size(d.Bytes), d.Host),
		Actions: []protocol.MessageActionItem{{Title: actionDownload}, {Title: actionNotNow}},
	}, &answer)
	if !asked || answer == nil || answer.Title != actionDownload {
		return fmt.Errorf("%s; %w", remedy, errDeclined)
	}
	report, done := m.progress(Downloading, fmt.Sprintf("Downloading %s, %s from %s", name, size(d.Bytes), d.Host))
	defer done()
	return m.s.opt.Pull(ctx, name, report)
}

// size words a number of bytes.
func size(bytes int64) string {
	if bytes >= 1e10 {
		return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	}
	return fmt.Sprintf("%.0f MB", float64(bytes)/1e6)
}
