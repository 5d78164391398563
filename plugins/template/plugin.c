/* The smallest detector: it marks the densest voxel. Copy this folder, change detect() and the description, and build
 * it with
 *
 *   cc -std=c11 -shared -fPIC -fvisibility=hidden -I FOLDER_WITH_lynceus/plugin.h plugin.c -o my_model.so */
#include <lynceus/plugin.h>
#include <stddef.h>

static const lynceus_host*
    g_host; /* one instance at a time is enough here; keep it in an instance of your own for more */

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance;
  int32_t best[3] = {0, 0, 0};
  int16_t highest = INT16_MIN;
  const int16_t* hu = volume->hu;
  const uint8_t* inside = volume->region;
  for (int32_t z = 0; z < volume->size[2]; ++z) {
    g_host->progress(g_host->context, (double)z / volume->size[2], "looking");
    if (g_host->cancelled(g_host->context)) return LYNCEUS_CANCELLED;
    for (int32_t y = 0; y < volume->size[1]; ++y)
      for (int32_t x = 0; x < volume->size[0]; ++x, ++hu) {
        if (inside && !*inside++) continue;
        if (*hu <= highest) continue;
        highest = *hu;
        best[0] = x, best[1] = y, best[2] = z;
      }
  }
  lynceus_finding finding = {.struct_size = sizeof finding, .diameter_mm = 5, .score = 0.5, .kind = NULL};
  for (int row = 0; row < 3; ++row) {
    finding.center_mm[row] = volume->origin_mm[row];
    for (int axis = 0; axis < 3; ++axis)
      finding.center_mm[row] += volume->direction[3 * row + axis] * volume->spacing_mm[axis] * best[axis];
  }
  return g_host->report(g_host->context, &finding);
}

static const lynceus_detector kDetector = {.struct_size = sizeof kDetector, .detect = detect};

static const char* const kKinds[] = {"densest-voxel", NULL};

static const lynceus_description kDescription = {
    .struct_size = sizeof kDescription,
    .id = "org.example.template",
    .version = "1.0.0",
    .summary = "Marks the densest voxel",
    .licence = "Apache-2.0",
    .interface_id = LYNCEUS_DETECTOR,
    .kinds = kKinds,
    .pixel_spacing_mm = {0.1, 20},
    .slice_spacing_mm = {0.1, 20},
    .coverage_mm = {0, 5000},
};

static uint32_t count(void) { return 1; }

static const lynceus_description* describe(uint32_t model) { return model == 0 ? &kDescription : NULL; }

static lynceus_status create(uint32_t model, const lynceus_host* host, void** instance, const void** interface_struct) {
  if (model != 0) return LYNCEUS_FAILED;
  g_host = host;
  *instance = NULL;
  *interface_struct = &kDetector;
  return LYNCEUS_OK;
}

static void destroy(void* instance) { (void)instance; }

const lynceus_plugin* lynceus_plugin_entry(void) {
  static const lynceus_plugin plugin = {.struct_size = sizeof plugin,
                                        .abi_major = LYNCEUS_ABI_MAJOR,
                                        .abi_minor = LYNCEUS_ABI_MINOR,
                                        .count = count,
                                        .describe = describe,
                                        .create = create,
                                        .destroy = destroy};
  return &plugin;
}
