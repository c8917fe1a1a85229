package repo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"tandem/context/retrieve"
	"tandem/engine"
)

// scripted answers by what a prompt holds; everything it is asked is kept.
type scripted struct {
	answer func(prompt string) string

	promptsMu sync.Mutex
	prompts   []string
}

func (s *scripted) Generate(ctx context.Context, req engine.Request, emit func(string) bool) (engine.Result, error) {
	if req.MaxTokens == 0 { // a prefill ahead of time
		return engine.Result{Stop: engine.StopLimit}, ctx.Err()
	}
	var prompt strings.Builder
	for _, p := range req.Prompt {
		prompt.WriteString(p.Text)
	}
	s.promptsMu.Lock()
	s.prompts = append(s.prompts, prompt.String())
	s.promptsMu.Unlock()
	tokens := s.CountTokens(prompt.String())
	for piece := range strings.SplitAfterSeq(s.answer(prompt.String()), " ") {
		if !emit(piece) {
			return engine.Result{Stop: engine.StopCaller, PromptTokens: tokens}, nil
		}
	}
	return engine.Result{Stop: engine.StopToken, PromptTokens: tokens}, ctx.Err()
}

func (s *scripted) CountTokens(text string) int { return (len(text) + 3) / 4 }
func (s *scripted) Info() engine.Info           { return engine.Info{Model: "Qwen2.5 Coder 0.5B"} }
func (s *scripted) Close() error                { return nil }

func (s *scripted) asked() []string {
	s.promptsMu.Lock()
	defer s.promptsMu.Unlock()
	return slices.Clone(s.prompts)
}

// Repeated requests are answered as before, asked once, and stopped as before.
func TestMemory(t *testing.T) {
	e := &scripted{answer: func(prompt string) string { return "a b " + prompt }}
	m := remember(e)
	say := func(prompt string, stop string) (text string, res engine.Result) {
		req := engine.Request{Prompt: []engine.Piece{{Text: prompt}}, MaxTokens: 9}
		res, err := m.Generate(context.Background(), req, func(piece string) bool { text += piece; return piece != stop })
		if err != nil {
			t.Fatal(err)
		}
		return text, res
	}
	for range 2 {
		if text, res := say("x", ""); text != "a b x" || res.PromptTokens != 1 || res.Stop != engine.StopToken {
			t.Errorf("%q, %+v", text, res)
		}
		if text, res := say("y", "b "); text != "a b " || res.Stop != engine.StopCaller {
			t.Errorf("%q, %+v", text, res)
		}
	}
	if n := len(e.asked()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Generate(ctx, engine.Request{MaxTokens: 9}, func(string) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := m.Generate(context.Background(), engine.Request{MaxTokens: 9}, func(string) bool { return true }); err != nil || len(e.asked()) != 4 {
		t.Errorf("after a cancel: %v, %d requests", err, len(e.asked()))
	}
}

func TestArms(t *testing.T) {
	names := func(arms []Arm) string {
		var all []string
		for _, a := range arms {
			all = append(all, fmt.Sprintf("%s/%s/%s", a.Name, a.Against, strings.Join(a.retrievers, "+")))
		}
		return strings.Join(all, " | ")
	}
	three := []string{"x", "y", "z"}
	for got, want := range map[string]string{
		names(Arms(false, three)):        "without// | with/without/x+y+z",
		names(Arms(true, []string{"x"})): "without// | with/without/x",
		names(Arms(true, three)): "without// | with/without/x+y+z | only x/without/x | only y/without/y | only z/without/z | " +
			"all but x/with/y+z | all but y/with/x+z | all but z/with/x+y",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// needsContext says the target only to who shows it what the target needs.
func needsContext(prompt string) string {
	if strings.Contains(prompt, "def __init__(self, path, mode)") {
		return item.Target + "\nmore"
	}
	return "None"
}

// The whole way: the context is what makes the line exact, every arm is told
// apart, and nothing that is shown to the model has the line from the disk.
func TestRun(t *testing.T) {
	e := &scripted{answer: needsContext}
	o := Options{Packages: unpacked(t, files), Arms: Arms(true, []string{retrieve.Definition, retrieve.Similar, retrieve.Edit})}
	var log []Result
	o.Each = func(r Result) error {
		log = append(log, r)
		return nil
	}
	results, err := Run(context.Background(), e, []Item{item}, o)
	if err != nil {
		t.Fatal(err)
	}
	for arm, exact := range map[string]bool{
		Without: false, With: true, "only definition": true, "only similar": true, "only edit": false,
		"all but definition": true, "all but similar": true, "all but edit": true,
	} {
		r := results[arm][0]
		if r.Exact != exact || (r.Recall == 1) != exact || r.Arm != arm || r.TaskID != item.ID || len(r.Chunks) > 0 != exact || r.Missed != nil {
			t.Errorf("%s: %+v", arm, r)
		}
		for _, c := range r.Chunks {
			if arm == "only definition" && c.Source != retrieve.Definition {
				t.Errorf("%s: a chunk from %s", arm, c.Source)
			}
		}
	}
	asked := e.asked()
	for _, prompt := range asked {
		if strings.Contains(prompt, "secret") {
			t.Errorf("the file on the disk is in the prompt %q", prompt)
		}
	}
	if len(log) != len(o.Arms) || len(asked) >= len(o.Arms) {
		t.Errorf("%d results and %d prompts for %d arms, two of which see the same", len(log), len(asked), len(o.Arms))
	}
	if r := Summarise(o, results); r.Arms[1].Exact != 1 || r.Items != 1 || len(r.Results) != len(o.Arms) {
		t.Errorf("%+v", r)
	}

	// What is known is not asked again.
	o.Known, o.Each = log[:2], nil
	if n := o.Left([]Item{item}); n != len(o.Arms)-2 {
		t.Errorf("%d left", n)
	}
	again, err := Run(context.Background(), &scripted{answer: func(string) string { return "other" }}, []Item{item}, o)
	if err != nil || fmt.Sprint(again[With]) != fmt.Sprint(results[With]) || again["only definition"][0].Text != "other" {
		t.Errorf("%v, %+v", err, again)
	}
	o.Known = log
	again, err = Run(context.Background(), nil, []Item{item}, o)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(results) {
		t.Errorf("all known: %v, %+v", err, again)
	}
}

func TestRunEnds(t *testing.T) {
	o := Options{Packages: unpacked(t, files), Arms: Arms(false, []string{retrieve.Definition})}
	full := errors.New("disk full")
	o.Each = func(Result) error { return full }
	if _, err := Run(context.Background(), &scripted{answer: needsContext}, []Item{item}, o); !errors.Is(err, full) {
		t.Errorf("an error of each: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, &scripted{answer: needsContext}, []Item{item}, o); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
