package machine

import (
	"os"
	"strconv"
	"strings"
)

// Files of the kernel: proc(5), and the memory controller of control groups v2.
const (
	meminfoFile  = "/proc/meminfo"
	cgroupLimit  = "/sys/fs/cgroup/memory.max"
	cgroupUsage  = "/sys/fs/cgroup/memory.current"
	kilobyteUnit = " kB"
)

// ReadMemory reports the memory, false where the system does not tell.
func ReadMemory() (Memory, bool) {
	info, err := os.ReadFile(meminfoFile)
	if err != nil {
		return Memory{}, false
	}
	m, ok := parseMeminfo(string(info))
	if limit, used := readNumber(cgroupLimit), readNumber(cgroupUsage); ok && limit > 0 {
		m = m.within(limit, used)
	}
	return m, ok
}

func parseMeminfo(text string) (Memory, bool) {
	bytes := parseSizes(text)
	m := Memory{Total: bytes["MemTotal"], Available: bytes["MemAvailable"]}
	return m, m.Total > 0 && m.Available > 0
}

// ReadProcess reports what a process takes, false where the system does not tell.
func ReadProcess(pid int) (Process, bool) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return Process{}, false
	}
	bytes := parseSizes(string(status))
	p := Process{Resident: bytes["VmRSS"], Anonymous: bytes["RssAnon"]}
	return p, p.Resident > 0
}

// parseSizes takes the lines that have a size, which the kernel gives in kB, in bytes.
func parseSizes(text string) map[string]int64 {
	bytes := map[string]int64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		number, isSize := strings.CutSuffix(strings.TrimSpace(value), kilobyteUnit)
		if kilobytes, err := strconv.ParseInt(number, 10, 64); isSize && err == nil {
			bytes[name] = kilobytes << 10
		}
	}
	return bytes
}

// within is m in a container that may take limit bytes and holds used.
func (m Memory) within(limit, used int64) Memory {
	return Memory{Total: min(m.Total, limit), Available: min(m.Available, max(limit-used, 0))}
}

// readNumber is the number in a file, 0 if there is none ("max" included).
func readNumber(path string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}
