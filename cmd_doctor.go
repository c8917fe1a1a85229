package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/cpu"

	"tandem/config"
	"tandem/engine/gguf"
	"tandem/internal/machine"
	kernels "tandem/kernels/cpu"
	"tandem/kernels/op"
	"tandem/kernels/vulkan"
	"tandem/models"
)

type doctorCmd struct {
	Explain  string `placeholder:"FILE:LINE:COL" help:"Tell why there is a suggestion there or none, stage by stage with the time each takes: load the model and ask as an editor does."`
	Folder   string `placeholder:"DIR" type:"existingdir" help:"With --explain: the workspace's folder; if not given, the nearest one above FILE that is under version control."`
	Language string `placeholder:"NAME" help:"With --explain: what the editor calls FILE's language, if its name does not tell."`
}

// diagnosis is `tandem doctor --json`.
type diagnosis struct {
	Version  versionInfo   `json:"version"`
	CPU      cpuFound      `json:"cpu"`
	Memory   memoryFound   `json:"memory"`
	Devices  []deviceFound `json:"devices"`
	Model    modelFound    `json:"model"`
	Settings settingsInUse `json:"settings"`
	Use      planned       `json:"use"`
	Problems []string      `json:"problems"` // each with its remedy
}

type cpuFound struct {
	Cores    int      `json:"cores"` // that this process may use; hardware threads of one count once
	Features []string `json:"features"`
}

type memoryFound struct {
	TotalBytes     int64 `json:"total_bytes"` // 0 where the system does not tell
	AvailableBytes int64 `json:"available_bytes"`
}

type deviceFound struct {
	op.Info
	Problem string `json:"problem"` // "" if it opens
	free    int64  // of a GPU's own memory
}

type modelFound struct {
	Name  string `json:"name"`
	Path  string `json:"path"` // "" if it is not here
	Bytes int64  `json:"bytes"`
	Arch  string `json:"arch"`
}

type settingsInUse struct {
	File string `json:"file"` // "" if there is none
	Log  string `json:"log"`
}

type planned struct {
	Prefill string `json:"prefill_device"`
	Decode  string `json:"decode_device"`
	ISA     string `json:"isa"` // of the device that prefills
	Threads int    `json:"threads"`
	KV      string `json:"kv"`
	Draft   string `json:"draft_model"` // path of the model that drafts, "" for none
	Why     string `json:"why"`
}

// Help is what --help adds.
func (*doctorCmd) Help() string {
	return `Without --explain everything is looked at and nothing loaded. With it, the settings file
and the ignore rules hold as they do in an editor; what the editor itself sets is not
known here.`
}

// Run looks at everything and loads nothing, unless it is to explain.
func (c *doctorCmd) Run(a *app) error {
	if c.Explain != "" {
		return c.explain(a)
	}
	d := diagnosis{
		Version:  readVersion(),
		CPU:      cpuFound{Cores: machine.Cores(), Features: cpuFeatures()},
		Settings: settingsInUse{File: a.settings.Path, Log: a.settings.Log.File},
		Problems: []string{},
	}
	if d.Settings.Log == "" {
		d.Settings.Log, _ = config.LogPath()
	}
	if m, ok := machine.ReadMemory(); ok {
		d.Memory = memoryFound{TotalBytes: m.Total, AvailableBytes: m.Available}
	}
	for _, name := range foundDevices(a.flags) {
		d.Devices = append(d.Devices, d.findDevice(name, a.flags))
	}
	d.findModel(a.flags)
	d.plan(a.flags)
	if a.JSON {
		return printJSON(a.out, d)
	}
	return d.print(a)
}

// foundDevices names all devices of the machine and those that are asked for: each GPU by
// its number, the best one first, or "vulkan" for what keeps them from being found.
func foundDevices(f flags) []string {
	names := []string{"cpu", "ref"}
	n, best, err := vulkan.Devices()
	if err != nil || n == 0 {
		names = append(names, "vulkan")
	} else {
		names = append(names, gpuName(best))
	}
	prefill, decode := f.deviceNames()
	for i := range n {
		names = append(names, gpuName(i))
	}
	for _, name := range []string{prefill, decode} {
		if name != "vulkan" {
			names = append(names, name)
		}
	}
	var once []string
	for _, name := range names {
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	return once
}

// findDevice opens a device. That a machine has no GPU is a problem only for who
// asks for one.
func (d *diagnosis) findDevice(name string, f flags) deviceFound {
	device, err := openDevice(name, f.Threads)
	if err != nil {
		prefill, decode := f.deviceNames()
		if !isGPU(name) || isGPU(prefill) || isGPU(decode) {
			d.Problems = append(d.Problems, oneLine(err))
		}
		return deviceFound{Info: op.Info{Name: name}, Problem: oneLine(err)}
	}
	defer device.Close()
	found := deviceFound{Info: device.Info()}
	found.Name = name
	if gpu, ok := device.(*vulkan.Device); ok {
		found.free = gpu.FreeBytes()
	}
	return found
}

// gpu is the device that name stands for: the first GPU for "vulkan" alone.
func (d *diagnosis) gpu(name string) (deviceFound, bool) {
	for _, found := range d.Devices {
		if isGPU(name) && found.Problem == "" && (found.Name == name || name == "vulkan" && isGPU(found.Name)) {
			return found, true
		}
	}
	return deviceFound{}, false
}

func (d *diagnosis) findModel(f flags) {
	d.Model.Name = f.Model
	path, known, err := models.Resolve("", f.Model)
	if known != nil {
		d.Model.Name, d.Model.Bytes, d.Model.Arch = known.Name, known.Bytes, known.Arch
	}
	if err != nil {
		d.Problems = append(d.Problems, oneLine(err))
		return
	}
	d.Model.Path = path
	file, err := gguf.Open(path)
	if err != nil {
		d.Problems = append(d.Problems, oneLine(err))
		return
	}
	defer file.Close()
	d.Model.Arch = file.Arch()
	if info, err := os.Stat(path); err == nil {
		d.Model.Bytes = info.Size()
	}
	needed := d.Model.Bytes
	if d.Use.Draft, err = f.draftPath(known); err != nil {
		d.Problems = append(d.Problems, oneLine(err))
	} else if info, err := os.Stat(d.Use.Draft); err == nil {
		needed += info.Size()
	}
	// Weights are repacked into memory of their own beside the mapped file.
	if free := d.Memory.AvailableBytes; free > 0 && needed > free {
		d.Problems = append(d.Problems, fmt.Sprintf("%s needs %s, with its draft model if it has one, and %s are free: choose a smaller model with --model",
			d.Model.Name, bytesText(needed), bytesText(free)))
	}
	prefill, decode := f.deviceNames()
	for _, name := range slices.Compact([]string{prefill, decode}) {
		if gpu, ok := d.gpu(name); ok && needed > gpu.free {
			d.Problems = append(d.Problems, fmt.Sprintf("%s needs %s, and %s of %s are free: choose a smaller model with --model, or --device cpu",
				d.Model.Name, bytesText(needed), bytesText(gpu.free), gpu.Name))
		}
	}
}

// plan says what a command with these flags would compute on.
func (d *diagnosis) plan(f flags) {
	d.Use.KV = f.KV
	d.Use.Prefill, d.Use.Decode = f.deviceNames()
	for _, found := range d.Devices {
		if found.Name == d.Use.Prefill {
			d.Use.ISA, d.Use.Threads = found.ISA, found.Threads
		}
	}
	if gpu, ok := d.gpu(d.Use.Prefill); ok {
		d.Use.ISA, d.Use.Threads = gpu.ISA, gpu.Threads
	}
	isa := fmt.Sprintf("%s is the best set of kernels that this processor runs", d.Use.ISA)
	if forced := os.Getenv(kernels.ISAEnv); forced != "" {
		isa = fmt.Sprintf("$%s asks for %s", kernels.ISAEnv, forced)
	}
	switch {
	case d.Use.Prefill != d.Use.Decode:
		d.Use.Why = "asked for by --prefill-device and --decode-device; keys and values are handed over"
	case d.Use.Prefill == "cpu":
		d.Use.Why = fmt.Sprintf("the default; %s, on %d of %d cores", isa, d.Use.Threads, d.CPU.Cores)
	case d.Use.Prefill == "ref":
		d.Use.Why = "asked for; it is the slow reference that others are compared with"
	default:
		d.Use.Why = "asked for"
	}
}

func (d *diagnosis) print(a *app) error {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("tandem", "%s %s %s/%s", d.Version.Version, d.Version.Revision, d.Version.OS, d.Version.Arch)
	row("cpu", "%d cores; %s", d.CPU.Cores, strings.Join(d.CPU.Features, " "))
	if d.Memory.TotalBytes > 0 {
		row("memory", "%s free of %s", bytesText(d.Memory.AvailableBytes), bytesText(d.Memory.TotalBytes))
	} else {
		row("memory", "not known on this system")
	}
	for _, found := range d.Devices {
		if found.Problem != "" {
			row("device "+found.Name, "%s", found.Problem)
			continue
		}
		row("device "+found.Name, "%s, %d threads (%s)", found.ISA, found.Threads, found.Detail)
	}
	if d.Model.Path != "" {
		row("model", "%s, %s, %s: %s", d.Model.Name, d.Model.Arch, bytesText(d.Model.Bytes), d.Model.Path)
	} else {
		row("model", "%s: not here", d.Model.Name)
	}
	row("settings", "%s", orNone(d.Settings.File))
	row("log", "%s", orNone(d.Settings.Log))
	row("would use", "prefill on %s, decode on %s, keys and values in %s", d.Use.Prefill, d.Use.Decode, d.Use.KV)
	row("draft model", "%s", orNone(d.Use.Draft))
	row("because", "%s", d.Use.Why)
	for _, p := range d.Problems {
		row("problem", "%s", p)
	}
	return table.Flush()
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// cpuFeatures are the processor's features that kernels use or may come to use.
func cpuFeatures() []string {
	features := []string{}
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"avx2", cpu.X86.HasAVX2}, {"fma", cpu.X86.HasFMA}, {"f16c", cpu.X86.HasF16C},
		{"avx-vnni", cpu.X86.HasAVXVNNI}, {"avx-vnni-int8", cpu.X86.HasAVXVNNIInt8},
		{"avx512f", cpu.X86.HasAVX512F}, {"avx512bw", cpu.X86.HasAVX512BW}, {"avx512vl", cpu.X86.HasAVX512VL},
		{"avx512vnni", cpu.X86.HasAVX512VNNI}, {"avx512bf16", cpu.X86.HasAVX512BF16},
		{"amx-tile", cpu.X86.HasAMXTile}, {"amx-int8", cpu.X86.HasAMXInt8}, {"amx-bf16", cpu.X86.HasAMXBF16},
		{"asimd", cpu.ARM64.HasASIMD}, {"asimdhp", cpu.ARM64.HasASIMDHP}, {"asimddp", cpu.ARM64.HasASIMDDP},
		{"i8mm", cpu.ARM64.HasI8MM}, {"sve", cpu.ARM64.HasSVE}, {"sve2", cpu.ARM64.HasSVE2},
	} {
		if f.has {
			features = append(features, f.name)
		}
	}
	return features
}
