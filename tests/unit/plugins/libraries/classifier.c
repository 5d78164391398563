/* Three classifiers: one that halves the scores, one that is not sure in floating point, one that forgets a candidate.
 */
#include <lynceus/plugin.h>
#include <math.h>
#include <stddef.h>

static uint32_t g_model;

static lynceus_status classify(void* instance, const lynceus_volume* volume, const lynceus_finding* candidates,
                               uint32_t count, double* scores) {
  (void)instance, (void)volume;
  for (uint32_t i = 0; i < count; ++i)
    if (g_model != 2 || i > 0) scores[i] = g_model == 1 ? (double)NAN : 1 - candidates[i].score / 2;
  return LYNCEUS_OK;
}

static const lynceus_classifier kClassifier = {sizeof kClassifier, classify};

static const char* const kKinds[] = {"lung-nodule", "densest-voxel", NULL};

#define DESCRIPTION(id)                                                                                         \
  {                                                                                                             \
    sizeof(lynceus_description), id, "1.0.0", "For tests", "Apache-2.0", LYNCEUS_CLASSIFIER, kKinds, {0.1, 20}, \
        {0.1, 20}, {                                                                                            \
      0, 5000                                                                                                   \
    }                                                                                                           \
  }
static const lynceus_description kDescriptions[] = {DESCRIPTION("org.example.half"), DESCRIPTION("org.example.nan"),
                                                    DESCRIPTION("org.example.forgetful")};

static uint32_t count(void) { return 3; }

static const lynceus_description* describe(uint32_t model) { return model < 3 ? &kDescriptions[model] : NULL; }

static lynceus_status create(uint32_t model, const lynceus_host* host, void** instance, const void** interface_struct) {
  (void)host;
  g_model = model;
  *instance = NULL;
  *interface_struct = &kClassifier;
  return LYNCEUS_OK;
}

static void destroy(void* instance) { (void)instance; }

const lynceus_plugin* lynceus_plugin_entry(void) {
  static const lynceus_plugin plugin = {sizeof plugin, LYNCEUS_ABI_MAJOR, LYNCEUS_ABI_MINOR, count, describe, create,
                                        destroy};
  return &plugin;
}
