// A small binding to Vulkan compute: the library is opened at run time, so that
// the program starts where there is none. One struct vk per process that uses a
// GPU, one struct gpu per opened device; nothing here is global. Functions
// return Vulkan's result codes. A gpu belongs to one thread at a time, except
// that pipelines may be made by any.
#ifndef TANDEM_VULKAN_BINDING_H
#define TANDEM_VULKAN_BINDING_H

#include "vulkan_api.h"

enum {
	DEVICES_MAX = 16,
	PUSH_BYTES = 128,  // what every device has for push constants
	CONSTANTS_MAX = 20, // specialization constants of a pipeline, numbered from 0
};

// What went wrong before there is a result code to tell it.
enum { VK_NO_LIBRARY = -10000, VK_NO_FUNCTION = -10001, VK_NO_QUEUE = -10002, VK_NO_MEMORY_TYPE = -10003 };

// found describes a device of the machine.
struct found {
	char name[256], driver[256];
	int32_t type; // VK_PHYSICAL_DEVICE_TYPE_*
	uint32_t api_version, driver_version, vendor, device;
	uint8_t cache_uuid[16];
	uint32_t subgroup, subgroup_min, subgroup_max; // sizes; subgroup: what it takes by itself
	uint32_t shared_bytes, invocations_max;
	float ns_per_tick;
	uint32_t timestamp_bits; // 0: no timestamps
	uint64_t allocation_max;
	uint64_t heap_bytes, heap_free; // of device-local memory; free: what the driver grants, or the size
	struct { uint64_t bytes, free; int local; } heaps[16];
	uint32_t n_heaps;
	// What the kernels need, 1 if it is there.
	int has_1_3, has_int64, has_address, has_16_bit, has_dot, has_subgroups, has_subgroup_size;
	// The cooperative matrices of a subgroup, f16 times f16 added up in f32: (m, k) times
	// (k, n); 0: none.
	uint32_t matrix_m, matrix_n, matrix_k;
	uint32_t processors; // that run workgroups; 0: the driver does not tell
};

struct vk;
struct gpu;

int vk_open(struct vk **out);
void vk_close(struct vk *v);
int vk_count(const struct vk *v);
void vk_find(const struct vk *v, int index, struct found *out);

// gpu_open opens a device; matrix: with cooperative matrices.
int gpu_open(const struct vk *v, int index, int matrix, struct gpu **out);
void gpu_close(struct gpu *g);

// Memory of three kinds: the device's own, what the host writes and the device
// reads, and what the host reads back.
enum memory_kind { MEMORY_DEVICE, MEMORY_UPLOAD, MEMORY_READBACK };

struct buffer {
	VkBuffer handle;
	VkDeviceMemory memory;
	VkDeviceAddress address;
	void *host; // NULL where the host cannot see it
	uint64_t bytes;
};

int buffer_create(struct gpu *g, enum memory_kind kind, uint64_t bytes, struct buffer *out);
void buffer_destroy(struct gpu *g, struct buffer *b);

int cache_create(struct gpu *g, const void *data, size_t bytes, VkPipelineCache *out);
int cache_data(struct gpu *g, VkPipelineCache cache, size_t *bytes, void *data);
void cache_destroy(struct gpu *g, VkPipelineCache cache);

int shader_create(struct gpu *g, const void *spirv, size_t bytes, VkShaderModule *out);
void shader_destroy(struct gpu *g, VkShaderModule shader);

// pipeline_create specialises a shader; subgroup: the size to require, 0 for any.
int pipeline_create(struct gpu *g, VkPipelineCache cache, VkShaderModule shader, const uint32_t *constants, int n, uint32_t subgroup, VkPipeline *out);
void pipeline_destroy(struct gpu *g, VkPipeline pipeline);

int commands_begin(struct gpu *g, VkCommandBuffer *out);
int commands_end(struct gpu *g, VkCommandBuffer c);
void commands_free(struct gpu *g, VkCommandBuffer c);
void record_dispatch(struct gpu *g, VkCommandBuffer c, VkPipeline pipeline, const void *push, uint32_t bytes, uint32_t x, uint32_t y, uint32_t z);
void record_copy(struct gpu *g, VkCommandBuffer c, VkBuffer from, uint64_t from_offset, VkBuffer to, uint64_t to_offset, uint64_t bytes);
// record_barrier makes what was written before visible to dispatches and copies after it;
// record_host_barrier to the host.
void record_barrier(struct gpu *g, VkCommandBuffer c);
void record_fill(struct gpu *g, VkCommandBuffer c, VkBuffer to, uint64_t offset, uint64_t bytes, uint32_t word);
void record_host_barrier(struct gpu *g, VkCommandBuffer c);
void record_reset(struct gpu *g, VkCommandBuffer c, VkQueryPool pool, uint32_t n);
void record_timestamp(struct gpu *g, VkCommandBuffer c, VkQueryPool pool, uint32_t i);

int queries_create(struct gpu *g, uint32_t n, VkQueryPool *out);
void queries_destroy(struct gpu *g, VkQueryPool pool);
int queries_read(struct gpu *g, VkQueryPool pool, uint32_t n, uint64_t *ticks);

// submit starts n command buffers in order; wait ends when they are done. There are
// SLOTS submissions that can be under way at once, numbered from 0. A GPU that hangs
// is reported by its driver, which knows how long it may take.
enum { SLOTS = 2 };
int submit(struct gpu *g, int slot, const VkCommandBuffer *c, uint32_t n);
int wait_done(struct gpu *g, int slot);

#endif
