/* A whole detector but for what is broken: each file here defines detect(), and the macros that it wants otherwise. */
#ifndef LYNCEUS_TEST_BROKEN_H
#define LYNCEUS_TEST_BROKEN_H

#ifdef __cplusplus
#pragma GCC system_header /* a C header does not answer to our rules for C++ */
#endif

#include <lynceus/plugin.h>
#include <stddef.h>

#ifndef BROKEN_ID
#define BROKEN_ID "org.example.broken"
#endif
#ifndef BROKEN_PLUGIN_SIZE
#define BROKEN_PLUGIN_SIZE sizeof(lynceus_plugin)
#endif
#ifndef BROKEN_DESCRIPTION_SIZE
#define BROKEN_DESCRIPTION_SIZE sizeof(lynceus_description)
#endif
#ifndef BROKEN_MAJOR
#define BROKEN_MAJOR LYNCEUS_ABI_MAJOR
#endif
#ifndef BROKEN_CREATE
#define BROKEN_CREATE create
#endif
#ifndef BROKEN_DETECT
#define BROKEN_DETECT detect
#endif

static const lynceus_host* g_host;

static lynceus_status detect(void* instance, const lynceus_volume* volume);

static const lynceus_detector kDetector = {sizeof kDetector, BROKEN_DETECT};
static const char* const kKinds[] = {"lung-nodule", NULL};
static const lynceus_description kDescription = {
    BROKEN_DESCRIPTION_SIZE, BROKEN_ID, "1.0.0",   "Broken on purpose", "Apache-2.0",
    LYNCEUS_DETECTOR,        kKinds,    {0.1, 20}, {0.1, 20},           {0, 5000}};

static uint32_t count(void) { return 1; }

static const lynceus_description* describe(uint32_t model) { return model == 0 ? &kDescription : NULL; }

static inline lynceus_status create(uint32_t model, const lynceus_host* host, void** instance,
                                    const void** interface_struct) {
  (void)model;
  g_host = host;
  *instance = NULL;
  *interface_struct = &kDetector;
  return LYNCEUS_OK;
}

static void destroy(void* instance) { (void)instance; }

/* A finding of this score in the middle of the volume. */
static inline lynceus_finding finding_of(const lynceus_volume* volume, double score) {
  lynceus_finding f = {sizeof f, {0, 0, 0}, 5, score, NULL};
  for (int row = 0; row < 3; ++row) {
    f.center_mm[row] = volume->origin_mm[row];
    for (int axis = 0; axis < 3; ++axis)
      f.center_mm[row] += volume->direction[3 * row + axis] * volume->spacing_mm[axis] * volume->size[axis] / 2;
  }
  return f;
}

#ifdef __cplusplus
extern "C"
#endif
    LYNCEUS_EXPORT const lynceus_plugin*
    lynceus_plugin_entry(void) {
  static const lynceus_plugin plugin = {BROKEN_PLUGIN_SIZE, BROKEN_MAJOR, LYNCEUS_ABI_MINOR, count, describe,
                                        BROKEN_CREATE,      destroy};
  return &plugin;
}

#endif
