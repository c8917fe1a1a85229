package fim

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"tandem/completion/prompt"
)

// peer asks a llama-server by its /completion endpoint: the same window and
// the same PSM prompt, greedy, with its prompt cache on. It is for measuring
// beside this engine only.
type peer struct {
	url    string
	client *http.Client
}

// Peer is the Source that asks the llama-server at url, such as
// http://127.0.0.1:8080.
func Peer(url string) Source { return newPeer(url) }

func newPeer(url string) peer {
	// llama-server closes idle connections after seconds, and a POST that meets
	// that moment fails: each has a connection of its own.
	return peer{strings.TrimRight(url, "/"), &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

func (p peer) Layout() string { return "peer-psm" }

func (p peer) Fill(ctx context.Context, item Item, n int, more func(string) bool) (string, time.Duration, error) {
	var failed error
	fim := around(item, func(text string) int {
		count, err := p.countTokens(ctx, text)
		if err != nil {
			failed = err
		}
		return count
	})
	if failed != nil {
		return "", 0, failed
	}
	var spelled strings.Builder // the server reads special tokens by their spelling
	for _, piece := range prompt.PSM.Build(fim, false).Pieces {
		spelled.WriteString(piece.Text)
	}
	// Closing the connection ends the server's work on a text that is enough.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start := time.Now()
	body, err := p.post(ctx, "/completion", map[string]any{
		"prompt": spelled.String(), "n_predict": n, "temperature": 0, "top_k": 1,
		"cache_prompt": true, "stream": true,
	})
	if err != nil {
		return "", 0, err
	}
	defer body.Close()
	var text strings.Builder
	var ttft time.Duration
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, itemBytesMax)
	for lines.Scan() {
		data, isData := strings.CutPrefix(lines.Text(), "data: ")
		if !isData {
			continue
		}
		var event struct {
			Content string `json:"content"`
			Stop    bool   `json:"stop"`
		}
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return "", 0, fmt.Errorf("peer: %q: %w", data, err)
		}
		if ttft == 0 {
			ttft = time.Since(start)
		}
		text.WriteString(event.Content)
		if event.Stop || !more(text.String()) {
			return text.String(), ttft, nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", 0, fmt.Errorf("peer: %w", err)
	}
	return "", 0, fmt.Errorf("peer: the stream ended before the text did")
}

func (p peer) countTokens(ctx context.Context, text string) (int, error) {
	body, err := p.post(ctx, "/tokenize", map[string]any{"content": text})
	if err != nil {
		return 0, err
	}
	defer body.Close()
	var reply struct {
		Tokens []int `json:"tokens"`
	}
	err = json.NewDecoder(body).Decode(&reply)
	return len(reply.Tokens), err
}

// post sends a request and returns the body of a 200 answer.
func (p peer) post(ctx context.Context, path string, request map[string]any) (io.ReadCloser, error) {
	out, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+path, bytes.NewReader(out))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("peer: %w (is llama-server running there?)", err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return nil, fmt.Errorf("peer: %s: %s: %s", path, resp.Status, bytes.TrimSpace(said))
	}
	return resp.Body, nil
}
