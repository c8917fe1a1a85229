package lsp

import (
	"encoding/json"
	"fmt"

	"go.lsp.dev/protocol"
)

// progress is a long piece of work that the client shows. The work never waits
// for the client. It belongs to one goroutine.
type progress struct {
	latest chan float64 // capacity 1
}

// newProgress announces work, if the client shows such. Its methods may be called
// in any case.
func (s *server) newProgress(title string) *progress {
	p := &progress{latest: make(chan float64, 1)}
	if s.client.Capabilities.Window.WorkDoneProgress {
		token := protocol.String(fmt.Sprintf("tandem-%d", s.tokens.Add(1)))
		go p.show(s, token, title)
	}
	return p
}

// report tells the share done, 0 to 1; the latest one counts.
func (p *progress) report(share float64) {
	select {
	case <-p.latest:
	default:
	}
	p.latest <- share
}

// end ends the announcement.
func (p *progress) end() { close(p.latest) }

// show tells the client what comes, after it agreed to the token.
func (p *progress) show(s *server, token protocol.ProgressToken, title string) {
	if !s.call(s.ctx, protocol.MethodWindowWorkDoneProgressCreate, &protocol.WorkDoneProgressCreateParams{Token: token}, nil) {
		return
	}
	send := func(value map[string]any) {
		raw, _ := json.Marshal(value)
		s.out.send(protocol.MethodProgress, &protocol.ProgressParams{Token: token, Value: raw})
	}
	send(map[string]any{"kind": "begin", "title": "tandem: " + title, "percentage": 0})
	defer send(map[string]any{"kind": "end"})
	for {
		select {
		case <-s.ctx.Done():
			return
		case share, more := <-p.latest:
			if !more {
				return
			}
			send(map[string]any{"kind": "report", "percentage": int(100 * share)})
		}
	}
}
