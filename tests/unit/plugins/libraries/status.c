/* A detector that does what the first voxels say: the first is the status that it returns, the second how many findings
 * of the scores 0.1, 0.2, … it reports before. */
#include <lynceus/plugin.h>
#include <stddef.h>

static const lynceus_host* g_host;

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance;
  g_host->progress(g_host->context, 0.5, "half-way");
  for (int i = 1; i <= volume->hu[1]; ++i) {
    lynceus_finding finding = {sizeof finding, {0, 0, 0}, 6, i / 10.0, "second"};
    for (int axis = 0; axis < 3; ++axis) finding.center_mm[axis] = volume->origin_mm[axis] + i;
    g_host->report(g_host->context, &finding);
  }
  if (volume->hu[0] != LYNCEUS_OK) g_host->log(g_host->context, LYNCEUS_LOG_ERROR, "the first voxel says so");
  return volume->hu[0];
}

static const lynceus_detector kDetector = {sizeof kDetector, detect};

static const char* const kKinds[] = {"first", "second", NULL};

static const lynceus_description kDescription = {sizeof kDescription,
                                                 "org.example.status",
                                                 "1.0.0",
                                                 "For tests",
                                                 "Apache-2.0",
                                                 LYNCEUS_DETECTOR,
                                                 kKinds,
                                                 {0.5, 2},
                                                 {0.5, 5},
                                                 {0, 5000}};

static uint32_t count(void) { return 1; }

static const lynceus_description* describe(uint32_t model) { return model == 0 ? &kDescription : NULL; }

static lynceus_status create(uint32_t model, const lynceus_host* host, void** instance, const void** interface_struct) {
  (void)model;
  g_host = host;
  *instance = NULL;
  *interface_struct = &kDetector;
  return LYNCEUS_OK;
}

static void destroy(void* instance) { (void)instance; }

const lynceus_plugin* lynceus_plugin_entry(void) {
  static const lynceus_plugin plugin = {sizeof plugin, LYNCEUS_ABI_MAJOR, LYNCEUS_ABI_MINOR, count, describe, create,
                                        destroy};
  return &plugin;
}
