package op

import (
	"strings"
	"testing"
	"time"
)

func TestWriteCosts(t *testing.T) {
	costs := []Cost{
		{Kind: "matmul", Shape: "Q8_0 64 x 32", Calls: 2, Time: 3 * time.Millisecond, Bytes: 6e6, Ops: 1.5e9},
		{Kind: "norm", Shape: "32", Calls: 1, Time: time.Millisecond / 2, Wait: time.Millisecond / 2},
	}
	// 2 of 8 GB/s and 0.5 of 1 TOPS: arithmetic is closer to its limit.
	for _, test := range []struct {
		readGBs, teraOps float64
		want             string
	}{
		{8, 1, "matmul Q8_0 64 x 32 2 3.00 0.00 75.0 % 6.0 1500.0 2.0 0.500 50 %"},
		{2.5, 1, "matmul Q8_0 64 x 32 2 3.00 0.00 75.0 % 6.0 1500.0 2.0 0.500 80 %"},
		{0, 0, "matmul Q8_0 64 x 32 2 3.00 0.00 75.0 % 6.0 1500.0 2.0 0.500 -"},
	} {
		var text strings.Builder
		if err := WriteCosts(&text, costs, test.readGBs, test.teraOps); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(text.String(), "\n")
		if len(lines) != 4 || strings.Join(strings.Fields(lines[1]), " ") != test.want ||
			strings.Join(strings.Fields(lines[2]), " ") != "norm 32 1 0.50 0.50 25.0 % 0.0 0.0 0.0 0.000 -" {
			t.Errorf("limits %v, %v: want %q in\n%s", test.readGBs, test.teraOps, test.want, &text)
		}
	}
}
