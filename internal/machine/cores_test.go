package machine

import (
	"fmt"
	"maps"
	"testing"
	"testing/fstest"
)

// tree is a file system of these texts.
func tree(files ...map[string]string) fstest.MapFS {
	root := fstest.MapFS{}
	for _, texts := range files {
		for name, text := range texts {
			root[name] = &fstest.MapFile{Data: []byte(text + "\n")}
		}
	}
	return root
}

// siblings are the topology files of CPUs 0, 1, … with the given lists.
func siblings(lists ...string) map[string]string {
	files := map[string]string{}
	for cpu, list := range lists {
		files[fmt.Sprintf(siblingsFile, cpu)] = list
	}
	return files
}

// group1 is a process in a group of version 1, group2 in one of version 2, with
// the limits of some groups.
func group1(path string, limits map[string]string) map[string]string {
	files := map[string]string{"proc/self/cgroup": "4:memory:/\n3:cpu,cpuacct:" + path}
	maps.Copy(files, limits)
	return files
}

func group2(path string, limits map[string]string) map[string]string {
	files := map[string]string{"proc/self/cgroup": "0::" + path}
	maps.Copy(files, limits)
	return files
}

// virtual was recorded on a virtual machine of 2 CPUs that has both versions of
// control groups. The other trees are written after sysfs(5) and cgroups(7).
var virtual = map[string]string{
	"proc/self/cgroup": "9:name=systemd:/\n8:pids:/\n7:blkio:/\n6:freezer:/\n5:devices:/\n" +
		"4:memory:/process_api/57a6\n3:cpuset:/\n2:cpuacct:/\n1:cpu:/\n0::/",
	"sys/fs/cgroup/cpu/cpu.cfs_quota_us":                        "-1",
	"sys/fs/cgroup/cpu/cpu.cfs_period_us":                       "100000",
	"sys/devices/system/cpu/cpu0/topology/thread_siblings_list": "0",
	"sys/devices/system/cpu/cpu1/topology/thread_siblings_list": "1",
}

func TestCores(t *testing.T) {
	neighbours := siblings("0-1", "0-1", "2-3", "2-3") // one after the other, as on AMD's laptops
	far := siblings("0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7")
	hybrid := siblings("0-1", "0-1", "2-3", "2-3", "4", "5")
	eight := []int{0, 1, 2, 3, 4, 5, 6, 7}
	for _, test := range []struct {
		name    string
		root    fstest.MapFS
		allowed []int
		want    int
	}{
		{"a virtual machine", tree(virtual), []int{0, 1}, 2},
		{"siblings side by side", tree(neighbours), eight[:4], 2},
		{"siblings far apart", tree(far), eight, 4},
		{"cores of two kinds", tree(hybrid), eight[:6], 4},
		{"bound to both threads of a core", tree(far), []int{1, 5}, 1},
		{"bound to one thread of each core", tree(far), eight[:4], 4},
		{"bound to one CPU", tree(far), []int{6}, 1},
		{"no /sys", tree(), eight, 8},
		{"topology of some CPUs only", tree(siblings("0-1", "0-1")), eight[:4], 3},
		{"no CPU known", tree(far), nil, 1},

		{"version 2, no bound", tree(far, group2("/user.slice", map[string]string{"sys/fs/cgroup/user.slice/cpu.max": "max 100000"})), eight, 4},
		{"version 2", tree(far, group2("/a.slice", map[string]string{"sys/fs/cgroup/a.slice/cpu.max": "200000 100000"})), eight, 2},
		{"rounded down", tree(far, group2("/", map[string]string{"sys/fs/cgroup/cpu.max": "390000 100000"})), eight, 3},
		{"half a CPU", tree(far, group2("/", map[string]string{"sys/fs/cgroup/cpu.max": "50000 100000"})), eight, 1},
		{"more than there are", tree(far, group2("/", map[string]string{"sys/fs/cgroup/cpu.max": "1600000 100000"})), eight, 4},
		{"the group above", tree(far, group2("/a/b", map[string]string{
			"sys/fs/cgroup/a/cpu.max": "200000 100000", "sys/fs/cgroup/a/b/cpu.max": "300000 100000",
		})), eight, 2},
		{"the group below", tree(far, group2("/a/b", map[string]string{
			"sys/fs/cgroup/a/cpu.max": "300000 100000", "sys/fs/cgroup/a/b/cpu.max": "100000 50000",
		})), eight, 2},
		{"another's group", tree(far, group2("/a", map[string]string{"sys/fs/cgroup/b/cpu.max": "100000 100000"})), eight, 4},
		{"a path that only the host knows", tree(far, group2("/docker/12ab", map[string]string{"sys/fs/cgroup/cpu.max": "100000 100000"})), eight, 1},
		{"a path outside the namespace", tree(far, group2("/../../b", map[string]string{"sys/fs/cgroup/cpu.max": "300000 100000"})), eight, 3},
		{"not numbers", tree(far, group2("/", map[string]string{"sys/fs/cgroup/cpu.max": "a lot"})), eight, 4},

		{"version 1, no bound", tree(far, group1("/", map[string]string{
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
		})), eight, 4},
		{"version 1", tree(far, group1("/docker/12ab", map[string]string{
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
		})), eight, 2},
		{"version 1, its own group", tree(far, group1("/a", map[string]string{
			"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "150000", "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "50000",
		})), eight, 3},
	} {
		if got := cores(test.root, test.allowed); got != test.want {
			t.Errorf("%s: %d cores, want %d", test.name, got, test.want)
		}
	}
}
