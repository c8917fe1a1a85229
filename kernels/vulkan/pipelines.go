package vulkan

// #include "binding.h"
import "C"

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"unsafe"
)

//go:embed shaders/*.spv
var spirv embed.FS

// cacheBytesMax bounds what is read back of a cache file.
const cacheBytesMax = 64 << 20

// pipelines are the shaders as the driver compiled them, each once for each set
// of constants, when it is first recorded.
type pipelines struct {
	gpu      *C.struct_gpu
	subgroup uint32 // threads of one
	require  uint32 // that size, where the driver could choose; else 0
	path     string // of the cache file, "" for none
	cache    C.VkPipelineCache
	size     int // of the cache when it was read

	madeMu  sync.Mutex
	shaders map[string]C.VkShaderModule
	made    map[string]C.VkPipeline
}

// openPipelines reads the cache of this driver from dir. A file that is damaged or
// of another driver is as good as none.
func openPipelines(gpu *C.struct_gpu, found C.struct_found, dir string) (*pipelines, error) {
	p := &pipelines{gpu: gpu, subgroup: uint32(found.subgroup), shaders: map[string]C.VkShaderModule{}, made: map[string]C.VkPipeline{}}
	if found.subgroup_min != found.subgroup_max {
		p.require = p.subgroup
	}
	var data []byte
	if dir != "" {
		id := C.GoBytes(unsafe.Pointer(&found.cache_uuid), C.int(len(found.cache_uuid)))
		p.path = filepath.Join(dir, "vulkan-"+hex.EncodeToString(id)+".cache")
		data = readCache(p.path)
	}
	p.size = len(data)
	var at unsafe.Pointer
	if len(data) > 0 {
		at = unsafe.Pointer(&data[0])
	}
	return p, check("pipeline cache", C.cache_create(gpu, at, C.size_t(len(data)), &p.cache))
}

// readCache is what save wrote, nil if it is not that. Drivers trust their cache,
// so a hash stands before it.
func readCache(path string) []byte {
	info, err := os.Stat(path)
	if err != nil || info.Size() > cacheBytesMax || info.Size() < sha256.Size {
		return nil
	}
	file, err := os.ReadFile(path)
	if err != nil || len(file) < sha256.Size {
		return nil
	}
	data := file[sha256.Size:]
	if sum := sha256.Sum256(data); !bytes.Equal(sum[:], file[:sha256.Size]) {
		return nil
	}
	return data
}

// save writes the cache if it has grown.
func (p *pipelines) save() error {
	var n C.size_t
	if p.path == "" || C.cache_data(p.gpu, p.cache, &n, nil) < 0 || int(n) <= p.size || n > cacheBytesMax {
		return nil
	}
	data := make([]byte, n)
	if C.cache_data(p.gpu, p.cache, &n, unsafe.Pointer(&data[0])) < 0 {
		return nil
	}
	sum := sha256.Sum256(data[:n])
	if err := os.MkdirAll(filepath.Dir(p.path), 0o755); err != nil {
		return fmt.Errorf("vulkan: cache of compiled shaders: %w", err)
	}
	// Written aside and renamed, for another process may read it now.
	f, err := os.CreateTemp(filepath.Dir(p.path), filepath.Base(p.path)+".part-*")
	if err != nil {
		return fmt.Errorf("vulkan: cache of compiled shaders: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(sum[:], data[:n]...))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), p.path)
	}
	return err
}

func (p *pipelines) close() {
	for _, pipeline := range p.made {
		C.pipeline_destroy(p.gpu, pipeline)
	}
	for _, shader := range p.shaders {
		C.shader_destroy(p.gpu, shader)
	}
	C.cache_destroy(p.gpu, p.cache)
}

// get is the shader of that name for a workgroup of threads, specialised by
// constants, which are numbered from 2 in base.glsl's way.
func (p *pipelines) get(name string, threads int, constants []uint32) (C.VkPipeline, error) {
	p.madeMu.Lock()
	defer p.madeMu.Unlock()
	key := fmt.Sprint(name, threads, constants)
	if pipeline, ok := p.made[key]; ok {
		return pipeline, nil
	}
	shader, ok := p.shaders[name]
	if !ok {
		code, err := spirv.ReadFile("shaders/" + name + ".spv")
		if err != nil {
			return 0, fmt.Errorf("vulkan: %w", err)
		}
		if err := check(name, C.shader_create(p.gpu, unsafe.Pointer(&code[0]), C.size_t(len(code)), &shader)); err != nil {
			return 0, err
		}
		p.shaders[name] = shader
	}
	all := append([]uint32{uint32(threads), p.subgroup}, constants...)
	var pipeline C.VkPipeline
	err := check(name, C.pipeline_create(p.gpu, p.cache, shader, (*C.uint32_t)(&all[0]), C.int(len(all)), C.uint32_t(p.require), &pipeline))
	if err != nil {
		return 0, err
	}
	p.made[key] = pipeline
	return pipeline, nil
}
