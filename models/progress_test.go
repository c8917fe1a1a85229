package models

import (
	"bytes"
	"testing"
	"time"
)

func TestLine(t *testing.T) {
	r := &reporter{label: "m", begun: 100e6, total: 500e6}
	for _, test := range []struct {
		n       int64
		elapsed time.Duration
		want    string
	}{
		{100e6, time.Second, "m: 100 MB of 500 MB"},
		{200e6, 10 * time.Second, "m: 200 MB of 500 MB, 10.0 MB/s, 30s left"},
		{500e6, 10 * time.Second, "m: 500 MB of 500 MB, 40.0 MB/s, 0s left"},
	} {
		if got := r.line(test.n, test.elapsed); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// TestLines tells what a file that is no terminal gets: the start, and no more
// lines than one now and then.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	r := newReporter(&out, nil, "m")
	r.begin("here", 0, 1e9)
	for n := range int64(1000) {
		r.set(n * 1e6)
	}
	r.shown = r.shown.Add(-lineEvery)
	r.start = r.start.Add(-2 * time.Second)
	r.set(1e9 - 1)
	r.set(1e9)
	r.restart()
	r.restart()
	r.end()
	want := "m: 1000 MB from here\nm: 1000 MB of 1000 MB, "
	if got := out.String(); len(got) < len(want) || got[:len(want)] != want || bytes.Count(out.Bytes(), []byte("\n")) != 3 {
		t.Errorf("%q", got)
	}
	var silent *reporter
	silent.begin("here", 0, 1)
	silent.set(1)
	silent.say("x")
	silent.restart()
	silent.end()
}

func TestMegabytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 kB", 98362432: "98 MB", 999999: "1000 kB", 4683073536: "4683 MB", 19851335872: "19.9 GB"} {
		if got := megabytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
