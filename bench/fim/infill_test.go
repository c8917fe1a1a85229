package fim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// infillServer is a llama-server that answers with content, and what it was asked.
func infillServer(t *testing.T, content string) (*Infill, *map[string]any) {
	asked := &map[string]any{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = map[string]any{}
		if err := json.NewDecoder(r.Body).Decode(asked); err != nil || r.Method != http.MethodPost || r.URL.Path != "/infill" {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		out, _ := json.Marshal(map[string]any{"content": content, "timings/prompt_n": 12, "timings/predicted_n": 5})
		w.Write(out)
	}))
	t.Cleanup(s.Close)
	return NewInfill(s.URL + "/"), asked
}

// TestInfillRequest: 256 lines above, the line up to the cursor apart, 64 below.
func TestInfillRequest(t *testing.T) {
	var b strings.Builder
	for n := range 600 {
		fmt.Fprintf(&b, "  line %d\n", n)
	}
	text := b.String()
	peer, asked := infillServer(t, "abc")
	answer, err := peer.Ask(t.Context(), text, strings.Index(text, "ne 300"))
	if err != nil || answer.Text != "abc" || answer.PromptTokens != 12 || answer.DecodedTokens != 5 || answer.Took <= 0 {
		t.Fatalf("%+v, %v", answer, err)
	}
	got := *asked
	above, below := got["input_prefix"].(string), got["input_suffix"].(string)
	if !strings.HasPrefix(above, "  line 44\n") || !strings.HasSuffix(above, "  line 299\n") || strings.Count(above, "\n") != 256 {
		t.Errorf("above %.20q, %d lines", above, strings.Count(above, "\n"))
	}
	if !strings.HasPrefix(below, "ne 300\n  line 301\n") || !strings.HasSuffix(below, "  line 364\n") || strings.Count(below, "\n") != 65 {
		t.Errorf("below %.30q, %d lines", below, strings.Count(below, "\n"))
	}
	if got["prompt"] != "  li" || got["n_indent"] != 2.0 || got["n_predict"] != 128.0 || got["t_max_predict_ms"] != 250.0 || got["cache_prompt"] != true {
		t.Errorf("request %v", got)
	}
}

// TestInfillBlanks: on a line of blanks the answer begins with the line's start,
// and what stands there already is taken off.
func TestInfillBlanks(t *testing.T) {
	for _, test := range []struct {
		text            string
		offset          int
		prompt, content string
		want            string
	}{
		{"a\n    \nb", 6, "", "    return x", "return x"},
		{"a\n    \nb", 6, "", "        x", "    x"},
		{"a\n    \nb", 6, "", "  x", "x"},
		{"a\n    ", 6, "", "\nx", "\nx"},
		{"    x", 5, "    x", "    y", "    y"}, // no line of blanks
		{"", 0, "", "x", "x"},
	} {
		peer, asked := infillServer(t, test.content)
		answer, err := peer.Ask(t.Context(), test.text, test.offset)
		if err != nil || answer.Text != test.want || (*asked)["prompt"] != test.prompt {
			t.Errorf("%q: %q, %v, want %q; prompt %q, want %q", test.text, answer.Text, err, test.want, (*asked)["prompt"], test.prompt)
		}
	}
}

func TestInfillErrors(t *testing.T) {
	said := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"else":1}`)) }))
	defer said.Close()
	for url, want := range map[string]string{said.URL: "has no content", "http://127.0.0.1:1": "is llama-server running"} {
		if _, err := NewInfill(url).Ask(t.Context(), "x", 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", url, err, want)
		}
	}
	peer, _ := infillServer(t, "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := peer.Ask(ctx, "x", 1); err == nil {
		t.Error("after the end of ctx: no error")
	}
}
