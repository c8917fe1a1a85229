package machine

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// siblingsFile names the CPUs that are one core, for each CPU, as "0,8" or "0-1".
const siblingsFile = "sys/devices/system/cpu/cpu%d/topology/thread_siblings_list"

// Where control groups are mounted: as version 2, beside version 1, and the CPU
// controller of version 1.
var (
	cgroups2 = []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}
	cgroups1 = []string{"sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"}
)

// cores is how many cores a process may keep busy that may run on the CPUs
// allowed: hardware threads of one core count once, since they share what computes,
// and a quota bounds them, rounded down, since a thread without its share makes
// all others wait. What root does not tell sets no bound.
func cores(root fs.FS, allowed []int) int {
	found := map[string]bool{}
	for _, cpu := range allowed {
		name := fmt.Sprintf(siblingsFile, cpu)
		siblings, err := fs.ReadFile(root, name)
		if err != nil {
			siblings = []byte(name)
		}
		found[string(siblings)] = true
	}
	n := len(found)
	if quota, ok := cpuQuota(root); ok {
		n = min(n, int(quota))
	}
	return max(n, 1)
}

// cpuQuota is the processor time that this process's control groups allow it, in
// seconds a second; false if none bounds it.
func cpuQuota(root fs.FS) (quota float64, ok bool) {
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(groups)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // number, controllers, path
		if len(fields) < 3 {
			continue
		}
		mounts, files := cgroups2, []string{"cpu.max"}
		if controllers := strings.Split(fields[1], ","); slices.Contains(controllers, "cpu") {
			mounts, files = cgroups1, []string{"cpu.cfs_quota_us", "cpu.cfs_period_us"}
		} else if fields[1] != "" {
			continue
		}
		for _, mount := range mounts {
			if q, found := groupQuota(root, mount, fields[2], files); found && (!ok || q < quota) {
				quota, ok = q, true
			}
		}
	}
	return quota, ok
}

// groupQuota is the least quota of a group and those above it. A container may see
// itself at the mount while its path is the host's: a group that is not there is
// no error.
func groupQuota(root fs.FS, mount, group string, files []string) (least float64, ok bool) {
	for group = path.Join("/", group); ; group = path.Dir(group) {
		var fields []string // microseconds of time and of the period
		for _, file := range files {
			text, _ := fs.ReadFile(root, path.Join(mount, group, file))
			fields = append(fields, strings.Fields(string(text))...)
		}
		if len(fields) == 2 {
			quota, err := strconv.ParseFloat(fields[0], 64) // "max" and -1 are no bound
			period, _ := strconv.ParseFloat(fields[1], 64)
			if err == nil && quota > 0 && period > 0 && (!ok || quota/period < least) {
				least, ok = quota/period, true
			}
		}
		if group == "/" {
			return least, ok
		}
	}
}
