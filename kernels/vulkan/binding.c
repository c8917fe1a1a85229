#include "binding.h"

#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#define MEMBER(result, name, parameters) result(*name) parameters;
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct vk {
	void *library;
	VkInstance instance;
	int n;
	VkPhysicalDevice physical[DEVICES_MAX];
	vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR matrices; // NULL if no driver knows them
	VULKAN_INSTANCE_FUNCTIONS(MEMBER)
};

struct gpu {
	VkDevice device;
	VkQueue queue;
	VkCommandPool commands;
	VkPipelineLayout layout;
	VkFence done[SLOTS];
	VkPhysicalDeviceMemoryProperties memory;
	VULKAN_DEVICE_FUNCTIONS(MEMBER)
};

typedef void *(*lookup)(VkInstance, const char *);

static void *library_open(void)
{
#ifdef _WIN32
	return (void *)LoadLibraryA("vulkan-1.dll");
#else
	// The second is MoltenVK, where no loader is installed on a Mac.
	static const char *const names[] = {"libvulkan.so.1", "libvulkan.1.dylib", "libMoltenVK.dylib"};
	void *library = NULL;
	for (size_t i = 0; !library && i < COUNT(names); i++) library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	return library;
#endif
}

static void *library_symbol(void *library, const char *name)
{
#ifdef _WIN32
	return (void *)GetProcAddress((HMODULE)library, name);
#else
	return dlsym(library, name);
#endif
}

static void library_close(void *library)
{
#ifdef _WIN32
	FreeLibrary((HMODULE)library);
#else
	dlclose(library);
#endif
}

int vk_open(struct vk **out)
{
	struct vk *v = calloc(1, sizeof *v);
	if (!v) return VK_ERROR_OUT_OF_HOST_MEMORY;
	if (!(v->library = library_open())) {
		free(v);
		return VK_NO_LIBRARY;
	}
	lookup find = (lookup)library_symbol(v->library, "vkGetInstanceProcAddr");
	VkResult (*create)(const VkInstanceCreateInfo *, const void *, VkInstance *) = find ? find(NULL, "vkCreateInstance") : NULL;
	int result = VK_NO_FUNCTION;
	if (create) {
		VkApplicationInfo application = {VK_STRUCTURE_TYPE_APPLICATION_INFO, NULL, "tandem", 1, "tandem", 1, VK_API_VERSION_1_3};
		VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
		result = create(&info, NULL, &v->instance);
	}
#define LOAD(result_type, name, parameters) \
	if (result == VK_SUCCESS && !(v->name = find(v->instance, #name))) result = VK_NO_FUNCTION;
	VULKAN_INSTANCE_FUNCTIONS(LOAD)
#undef LOAD
	if (result == VK_SUCCESS) v->matrices = (vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)find(v->instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
	uint32_t n = DEVICES_MAX;
	if (result == VK_SUCCESS) result = v->vkEnumeratePhysicalDevices(v->instance, &n, v->physical);
	if (result < 0) {
		vk_close(v);
		return result;
	}
	v->n = n;
	*out = v;
	return VK_SUCCESS;
}

void vk_close(struct vk *v)
{
	if (v->instance && v->vkDestroyInstance) v->vkDestroyInstance(v->instance, NULL);
	library_close(v->library);
	free(v);
}

int vk_count(const struct vk *v) { return v->n; }

static int has_extension(const struct vk *v, VkPhysicalDevice p, const char *name)
{
	uint32_t n = 0;
	if (v->vkEnumerateDeviceExtensionProperties(p, NULL, &n, NULL) < 0) return 0;
	VkExtensionProperties *all = calloc(n, sizeof *all);
	int found = 0;
	if (all && v->vkEnumerateDeviceExtensionProperties(p, NULL, &n, all) >= 0)
		for (uint32_t i = 0; i < n; i++) found |= !strcmp(all[i].extensionName, name);
	free(all);
	return found;
}

// compute_family is the queue family to use, -1 if none computes: one that does
// nothing else first, for it need not wait for what is drawn.
static int compute_family(const struct vk *v, VkPhysicalDevice p, uint32_t *timestamp_bits)
{
	VkQueueFamilyProperties families[32];
	uint32_t n = COUNT(families);
	v->vkGetPhysicalDeviceQueueFamilyProperties(p, &n, families);
	int best = -1;
	for (uint32_t i = 0; i < n; i++) {
		if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) continue;
		if (best < 0 || !(families[i].queueFlags & 1)) best = i;
	}
	*timestamp_bits = best < 0 ? 0 : families[best].timestampValidBits;
	return best;
}

static void find_memory(const struct vk *v, VkPhysicalDevice p, struct found *out)
{
	VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
	VkPhysicalDeviceMemoryProperties2 memory = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
	int budgeted = has_extension(v, p, "VK_EXT_memory_budget");
	if (budgeted) memory.pNext = &budget;
	v->vkGetPhysicalDeviceMemoryProperties2(p, &memory);
	out->n_heaps = memory.memoryProperties.memoryHeapCount;
	for (uint32_t i = 0; i < out->n_heaps; i++) {
		VkMemoryHeap heap = memory.memoryProperties.memoryHeaps[i];
		uint64_t free = heap.size;
		if (budgeted) free = budget.heapBudget[i] > budget.heapUsage[i] ? budget.heapBudget[i] - budget.heapUsage[i] : 0;
		int local = heap.flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;
		out->heaps[i].bytes = heap.size;
		out->heaps[i].free = free;
		out->heaps[i].local = local;
		if (!local || heap.size <= out->heap_bytes) continue; // the host's, or a small window onto the same memory
		out->heap_bytes = heap.size;
		out->heap_free = free;
	}
}

// find_matrix fills in the cooperative matrices: of several shapes the largest.
static void find_matrix(const struct vk *v, VkPhysicalDevice p, struct found *out)
{
	VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
	VkPhysicalDeviceVulkan12Features f12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, .pNext = &matrix};
	VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &f12};
	if (!v->matrices || !has_extension(v, p, "VK_KHR_cooperative_matrix")) return;
	v->vkGetPhysicalDeviceFeatures2(p, &f);
	if (!matrix.cooperativeMatrix || !f12.shaderFloat16 || !f12.vulkanMemoryModel) return;
	VkCooperativeMatrixPropertiesKHR all[64];
	uint32_t n = COUNT(all);
	for (uint32_t i = 0; i < n; i++) all[i] = (VkCooperativeMatrixPropertiesKHR){.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR};
	if (v->matrices(p, &n, all) < 0) return;
	for (uint32_t i = 0; i < n; i++) {
		const VkCooperativeMatrixPropertiesKHR *m = &all[i];
		if (m->AType != VK_COMPONENT_TYPE_FLOAT16_KHR || m->BType != VK_COMPONENT_TYPE_FLOAT16_KHR || m->CType != VK_COMPONENT_TYPE_FLOAT32_KHR
			|| m->ResultType != VK_COMPONENT_TYPE_FLOAT32_KHR || m->scope != VK_SCOPE_SUBGROUP_KHR || m->saturatingAccumulation) continue;
		if (m->MSize * m->NSize * m->KSize <= out->matrix_m * out->matrix_n * out->matrix_k) continue;
		out->matrix_m = m->MSize;
		out->matrix_n = m->NSize;
		out->matrix_k = m->KSize;
	}
}

// find_processors fills in their number, which only extensions of vendors tell.
static void find_processors(const struct vk *v, VkPhysicalDevice p, struct found *out)
{
	VkPhysicalDeviceShaderSMBuiltinsPropertiesNV sm = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_SM_BUILTINS_PROPERTIES_NV};
	VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &sm};
	if (!has_extension(v, p, "VK_NV_shader_sm_builtins")) return;
	v->vkGetPhysicalDeviceProperties2(p, &properties);
	out->processors = sm.shaderSMCount;
}

void vk_find(const struct vk *v, int index, struct found *out)
{
	VkPhysicalDevice p = v->physical[index];
	VkPhysicalDeviceMaintenance3Properties allocation = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
	VkPhysicalDeviceSubgroupSizeControlProperties sizes = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES, &allocation, 0, 0, 0, 0};
	VkPhysicalDeviceSubgroupProperties subgroup = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES, &sizes, 0, 0, 0, 0};
	VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES, .pNext = &subgroup};
	VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver};
	v->vkGetPhysicalDeviceProperties2(p, &properties);
	VkPhysicalDeviceVulkan13Features f13 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
	VkPhysicalDeviceVulkan12Features f12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, .pNext = &f13};
	VkPhysicalDeviceVulkan11Features f11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, .pNext = &f12};
	VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &f11};
	const VkPhysicalDeviceProperties *q = &properties.properties;

	memset(out, 0, sizeof *out);
	memcpy(out->name, q->deviceName, sizeof out->name);
	memcpy(out->driver, driver.driverInfo, sizeof out->driver);
	memcpy(out->cache_uuid, q->pipelineCacheUUID, sizeof out->cache_uuid);
	out->type = q->deviceType;
	out->api_version = q->apiVersion;
	out->driver_version = q->driverVersion;
	out->vendor = q->vendorID;
	out->device = q->deviceID;
	out->has_1_3 = q->apiVersion >= VK_API_VERSION_1_3;
	find_memory(v, p, out);
	if (!out->has_1_3) return; // the structures above mean nothing to it
	v->vkGetPhysicalDeviceFeatures2(p, &f);
	out->subgroup = subgroup.subgroupSize;
	out->subgroup_min = sizes.minSubgroupSize;
	out->subgroup_max = sizes.maxSubgroupSize;
	out->shared_bytes = q->limits.maxComputeSharedMemorySize;
	out->invocations_max = q->limits.maxComputeWorkGroupInvocations;
	out->ns_per_tick = q->limits.timestampPeriod;
	out->allocation_max = allocation.maxMemoryAllocationSize;
	out->has_int64 = f.features.shaderInt64;
	out->has_address = f12.bufferDeviceAddress;
	out->has_16_bit = f11.storageBuffer16BitAccess;
	out->has_dot = f13.shaderIntegerDotProduct;
	const VkFlags wanted = VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT | VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
	out->has_subgroups = (subgroup.supportedOperations & wanted) == wanted && (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT);
	out->has_subgroup_size = f13.subgroupSizeControl && f13.computeFullSubgroups && (sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT);
	compute_family(v, p, &out->timestamp_bits);
	find_matrix(v, p, out);
	find_processors(v, p, out);
}

static int make_gpu(const struct vk *v, VkPhysicalDevice p, int matrix, struct gpu *g)
{
	uint32_t timestamp_bits;
	int family = compute_family(v, p, &timestamp_bits);
	if (family < 0) return VK_NO_QUEUE;
	float priority = 1;
	VkDeviceQueueCreateInfo queue = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, NULL, 0, family, 1, &priority};
	static const char *const extensions[] = {"VK_KHR_cooperative_matrix"};
	VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrices = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR, .cooperativeMatrix = 1};
	VkPhysicalDeviceVulkan13Features f13 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES, .pNext = matrix ? &matrices : NULL, .maintenance4 = 1, .shaderIntegerDotProduct = 1, .subgroupSizeControl = 1, .computeFullSubgroups = 1};
	VkPhysicalDeviceVulkan12Features f12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, .pNext = &f13, .shaderFloat16 = matrix, .bufferDeviceAddress = 1, .vulkanMemoryModel = matrix};
	VkPhysicalDeviceVulkan11Features f11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, .pNext = &f12, .storageBuffer16BitAccess = 1};
	VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &f11, .features = {.shaderInt64 = 1}};
	VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &f, .queueCreateInfoCount = 1, .pQueueCreateInfos = &queue,
		.enabledExtensionCount = matrix ? COUNT(extensions) : 0, .ppEnabledExtensionNames = extensions};
	int result = v->vkCreateDevice(p, &info, NULL, &g->device);
	if (result < 0) return result;
#define LOAD(result_type, name, parameters) \
	if (!(g->name = v->vkGetDeviceProcAddr(g->device, #name))) return VK_NO_FUNCTION;
	VULKAN_DEVICE_FUNCTIONS(LOAD)
#undef LOAD
	g->vkGetDeviceQueue(g->device, family, 0, &g->queue);
	VkPhysicalDeviceMemoryProperties2 memory = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
	v->vkGetPhysicalDeviceMemoryProperties2(p, &memory);
	g->memory = memory.memoryProperties;
	VkCommandPoolCreateInfo pool = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, NULL, VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT, family};
	if ((result = g->vkCreateCommandPool(g->device, &pool, NULL, &g->commands)) < 0) return result;
	VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, PUSH_BYTES};
	VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .pushConstantRangeCount = 1, .pPushConstantRanges = &range};
	if ((result = g->vkCreatePipelineLayout(g->device, &layout, NULL, &g->layout)) < 0) return result;
	VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
	for (int i = 0; i < SLOTS; i++)
		if ((result = g->vkCreateFence(g->device, &fence, NULL, &g->done[i])) < 0) return result;
	return VK_SUCCESS;
}

int gpu_open(const struct vk *v, int index, int matrix, struct gpu **out)
{
	struct gpu *g = calloc(1, sizeof *g);
	if (!g) return VK_ERROR_OUT_OF_HOST_MEMORY;
	int result = make_gpu(v, v->physical[index], matrix, g);
	if (result < 0) {
		gpu_close(g);
		return result;
	}
	*out = g;
	return VK_SUCCESS;
}

void gpu_close(struct gpu *g)
{
	if (g->vkQueueSubmit) { // the last function looked up: all are there
		g->vkDeviceWaitIdle(g->device);
		for (int i = 0; i < SLOTS; i++) g->vkDestroyFence(g->device, g->done[i], NULL);
		g->vkDestroyPipelineLayout(g->device, g->layout, NULL);
		g->vkDestroyCommandPool(g->device, g->commands, NULL);
	}
	if (g->device && g->vkDestroyDevice) g->vkDestroyDevice(g->device, NULL);
	free(g);
}

// memory_type picks a type with the flags that a kind must have, best first; -1: none.
static int memory_type(const struct gpu *g, enum memory_kind kind, uint32_t allowed)
{
	enum { LOCAL = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, VISIBLE = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, CACHED = VK_MEMORY_PROPERTY_HOST_CACHED_BIT };
	// What the host writes lies best in the device's memory, written through the
	// bus once; what it reads must be cached or each read crosses the bus.
	static const VkFlags wishes[][3] = {
		[MEMORY_DEVICE] = {LOCAL, 0, 0},
		[MEMORY_UPLOAD] = {LOCAL | VISIBLE, VISIBLE, VISIBLE},
		[MEMORY_READBACK] = {VISIBLE | CACHED, VISIBLE, VISIBLE},
	};
	for (int wish = 0; wish < 3; wish++)
		for (uint32_t i = 0; i < g->memory.memoryTypeCount; i++)
			if ((allowed >> i & 1) && (g->memory.memoryTypes[i].propertyFlags & wishes[kind][wish]) == wishes[kind][wish]) return i;
	return -1;
}

int buffer_create(struct gpu *g, enum memory_kind kind, uint64_t bytes, struct buffer *out)
{
	*out = (struct buffer){.bytes = bytes};
	VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = bytes,
		.usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT};
	int result = g->vkCreateBuffer(g->device, &info, NULL, &out->handle);
	if (result < 0) return result;
	VkMemoryRequirements needs;
	g->vkGetBufferMemoryRequirements(g->device, out->handle, &needs);
	int type = memory_type(g, kind, needs.memoryTypeBits);
	result = VK_NO_MEMORY_TYPE;
	if (type >= 0) {
		VkMemoryAllocateFlagsInfo flags = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO, NULL, VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT, 0};
		VkMemoryAllocateInfo allocate = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, &flags, needs.size, type};
		result = g->vkAllocateMemory(g->device, &allocate, NULL, &out->memory);
	}
	if (result == VK_SUCCESS) result = g->vkBindBufferMemory(g->device, out->handle, out->memory, 0);
	// The device's own memory is used by the host where it is as good as the host's own.
	VkFlags wanted = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
	if (kind == MEMORY_DEVICE) wanted |= VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
	int visible = type >= 0 && (g->memory.memoryTypes[type].propertyFlags & wanted) == wanted;
	if (result == VK_SUCCESS && visible) result = g->vkMapMemory(g->device, out->memory, 0, bytes, 0, &out->host);
	if (result < 0) {
		buffer_destroy(g, out);
		return result;
	}
	VkBufferDeviceAddressInfo address = {VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO, NULL, out->handle};
	out->address = g->vkGetBufferDeviceAddress(g->device, &address);
	return VK_SUCCESS;
}

void buffer_destroy(struct gpu *g, struct buffer *b)
{
	g->vkDestroyBuffer(g->device, b->handle, NULL);
	g->vkFreeMemory(g->device, b->memory, NULL); // unmaps it
	*b = (struct buffer){0};
}

int cache_create(struct gpu *g, const void *data, size_t bytes, VkPipelineCache *out)
{
	VkPipelineCacheCreateInfo info = {VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, NULL, 0, bytes, data};
	return g->vkCreatePipelineCache(g->device, &info, NULL, out);
}

int cache_data(struct gpu *g, VkPipelineCache cache, size_t *bytes, void *data)
{
	return g->vkGetPipelineCacheData(g->device, cache, bytes, data);
}

void cache_destroy(struct gpu *g, VkPipelineCache cache) { g->vkDestroyPipelineCache(g->device, cache, NULL); }

int shader_create(struct gpu *g, const void *spirv, size_t bytes, VkShaderModule *out)
{
	VkShaderModuleCreateInfo info = {VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, NULL, 0, bytes, spirv};
	return g->vkCreateShaderModule(g->device, &info, NULL, out);
}

void shader_destroy(struct gpu *g, VkShaderModule shader) { g->vkDestroyShaderModule(g->device, shader, NULL); }

int pipeline_create(struct gpu *g, VkPipelineCache cache, VkShaderModule shader, const uint32_t *constants, int n, uint32_t subgroup, VkPipeline *out)
{
	VkSpecializationMapEntry entries[CONSTANTS_MAX];
	for (int i = 0; i < n; i++) entries[i] = (VkSpecializationMapEntry){i, 4 * i, 4};
	VkSpecializationInfo specialization = {n, entries, 4 * n, constants};
	VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO, NULL, subgroup};
	VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .layout = g->layout,
		.stage = {VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, subgroup ? &size : NULL, VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT, VK_SHADER_STAGE_COMPUTE_BIT, shader, "main", &specialization}};
	return g->vkCreateComputePipelines(g->device, cache, 1, &info, NULL, out);
}

void pipeline_destroy(struct gpu *g, VkPipeline pipeline) { g->vkDestroyPipeline(g->device, pipeline, NULL); }

int commands_begin(struct gpu *g, VkCommandBuffer *out)
{
	VkCommandBufferAllocateInfo info = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, NULL, g->commands, 0, 1};
	int result = g->vkAllocateCommandBuffers(g->device, &info, out);
	if (result < 0) return result;
	VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
	if ((result = g->vkBeginCommandBuffer(*out, &begin)) < 0) commands_free(g, *out);
	return result;
}

int commands_end(struct gpu *g, VkCommandBuffer c) { return g->vkEndCommandBuffer(c); }

void commands_free(struct gpu *g, VkCommandBuffer c) { g->vkFreeCommandBuffers(g->device, g->commands, 1, &c); }

void record_dispatch(struct gpu *g, VkCommandBuffer c, VkPipeline pipeline, const void *push, uint32_t bytes, uint32_t x, uint32_t y, uint32_t z)
{
	g->vkCmdBindPipeline(c, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
	g->vkCmdPushConstants(c, g->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, bytes, push);
	g->vkCmdDispatch(c, x, y, z);
}

void record_copy(struct gpu *g, VkCommandBuffer c, VkBuffer from, uint64_t from_offset, VkBuffer to, uint64_t to_offset, uint64_t bytes)
{
	VkBufferCopy region = {from_offset, to_offset, bytes};
	g->vkCmdCopyBuffer(c, from, to, 1, &region);
}

void record_fill(struct gpu *g, VkCommandBuffer c, VkBuffer to, uint64_t offset, uint64_t bytes, uint32_t word) { g->vkCmdFillBuffer(c, to, offset, bytes, word); }

void record_barrier(struct gpu *g, VkCommandBuffer c)
{
	enum { STAGES = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT };
	VkMemoryBarrier memory = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
		VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT};
	g->vkCmdPipelineBarrier(c, STAGES, STAGES, 0, 1, &memory, 0, NULL, 0, NULL);
}

void record_host_barrier(struct gpu *g, VkCommandBuffer c)
{
	VkMemoryBarrier memory = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT, VK_ACCESS_HOST_READ_BIT};
	g->vkCmdPipelineBarrier(c, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &memory, 0, NULL, 0, NULL);
}

void record_reset(struct gpu *g, VkCommandBuffer c, VkQueryPool pool, uint32_t n) { g->vkCmdResetQueryPool(c, pool, 0, n); }

void record_timestamp(struct gpu *g, VkCommandBuffer c, VkQueryPool pool, uint32_t i)
{
	g->vkCmdWriteTimestamp(c, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool, i);
}

int queries_create(struct gpu *g, uint32_t n, VkQueryPool *out)
{
	VkQueryPoolCreateInfo info = {VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, NULL, 0, VK_QUERY_TYPE_TIMESTAMP, n, 0};
	return g->vkCreateQueryPool(g->device, &info, NULL, out);
}

void queries_destroy(struct gpu *g, VkQueryPool pool) { g->vkDestroyQueryPool(g->device, pool, NULL); }

int queries_read(struct gpu *g, VkQueryPool pool, uint32_t n, uint64_t *ticks)
{
	return g->vkGetQueryPoolResults(g->device, pool, 0, n, 8 * n, ticks, 8, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
}

int submit(struct gpu *g, int slot, const VkCommandBuffer *c, uint32_t n)
{
	VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = n, .pCommandBuffers = c};
	int result = g->vkResetFences(g->device, 1, &g->done[slot]);
	return result < 0 ? result : g->vkQueueSubmit(g->queue, 1, &info, g->done[slot]);
}

int wait_done(struct gpu *g, int slot)
{
	return g->vkWaitForFences(g->device, 1, &g->done[slot], 1, UINT64_MAX);
}
