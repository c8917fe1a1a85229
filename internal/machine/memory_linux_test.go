package machine

import (
	"os"
	"testing"
)

func TestParseMeminfo(t *testing.T) {
	const text = "MemTotal:       24689456 kB\nMemFree:  1 kB\nMemAvailable:   22000000 kB\nHugePages_Total:       0\n"
	if m, ok := parseMeminfo(text); !ok || m != (Memory{24689456 << 10, 22000000 << 10}) {
		t.Errorf("%+v, %v", m, ok)
	}
	for _, text := range []string{"", "MemTotal: x kB\nMemAvailable: 1 kB", "MemTotal: 5 kB\n"} {
		if m, ok := parseMeminfo(text); ok {
			t.Errorf("%q: %+v", text, m)
		}
	}
}

func TestContainer(t *testing.T) {
	m := Memory{Total: 100, Available: 80}
	for _, test := range []struct {
		limit, used int64
		want        Memory
	}{{50, 20, Memory{50, 30}}, {1000, 20, m}, {50, 60, Memory{50, 0}}} {
		if got := m.within(test.limit, test.used); got != test.want {
			t.Errorf("limit %d, used %d: %+v, want %+v", test.limit, test.used, got, test.want)
		}
	}
}

func TestReadMemory(t *testing.T) {
	if m, ok := ReadMemory(); !ok || m.Available > m.Total {
		t.Errorf("%+v, %v", m, ok)
	}
}

func TestReadProcess(t *testing.T) {
	if p, ok := ReadProcess(os.Getpid()); !ok || p.Anonymous <= 0 || p.Anonymous > p.Resident {
		t.Errorf("%+v, %v", p, ok)
	}
	if p, ok := ReadProcess(0); ok {
		t.Errorf("a process 0: %+v", p)
	}
}
