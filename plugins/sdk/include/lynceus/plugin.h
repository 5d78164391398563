/* The C interface between Lynceus and model plugins, version 1.0.
 *
 * A plugin is a shared library that exports one symbol, lynceus_plugin_entry. It runs in a worker process: a crash ends
 * the job, not the program of the radiologist. C11; C++ may include this header.
 *
 * Conventions
 *   Units      Places are DICOM LPS millimetres, voxels Hounsfield units. Arrays of voxels have x fastest.
 *   Threads    [main]    called on the thread that loaded the plugin, never while another of its functions runs
 *              [worker]  called on the one thread that runs a job; one job at a time for each instance
 *              [any]     may be called from any thread, also from threads that the plugin started
 *   Ownership  A pointer is lent for the time of the call unless its comment says otherwise. Text is UTF-8.
 *   Versions   Every struct begins with struct_size, set by the side that fills it; read a member only if it lies
 *              inside. Members are only ever added at the end, and never to lynceus_tensor and lynceus_finding, which
 *              stand in arrays. A library with another major version is not loaded.
 *   Failure    Functions return a lynceus_status. The text of a failure goes to host->log before returning it. No C++
 *              exception may leave a function. */
#ifndef LYNCEUS_PLUGIN_H
#define LYNCEUS_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LYNCEUS_ABI_MAJOR 1
#define LYNCEUS_ABI_MINOR 0

#ifdef _WIN32
#define LYNCEUS_EXPORT __declspec(dllexport)
#else
#define LYNCEUS_EXPORT __attribute__((visibility("default")))
#endif

typedef int32_t lynceus_status;
#define LYNCEUS_OK 0
#define LYNCEUS_CANCELLED 1      /* the host asked to stop, and the plugin did */
#define LYNCEUS_REJECTED_INPUT 2 /* not what the model was made for; the log says which rule */
#define LYNCEUS_NO_RESOURCE 3    /* memory, a file, a device */
#define LYNCEUS_FAILED 4         /* anything else */

typedef int32_t lynceus_log_level;
#define LYNCEUS_LOG_DEBUG 0
#define LYNCEUS_LOG_INFO 1
#define LYNCEUS_LOG_WARNING 2
#define LYNCEUS_LOG_ERROR 3

/* ------------------------------------------------------------------ what the host gives */

/* A CT volume on a regular grid. Voxel (x, y, z) lies at origin_mm + direction * (spacing_mm * (x, y, z)). */
typedef struct lynceus_volume {
  size_t struct_size;
  const int16_t* hu;     /* size[0] * size[1] * size[2] voxels, read-only, valid during the call */
  const uint8_t* region; /* the same grid: 1 where lesions are searched, else 0; NULL: everywhere */
  int32_t size[3];       /* voxels along x, y, z */
  double spacing_mm[3];
  double origin_mm[3]; /* centre of the first voxel */
  double direction[9]; /* row by row; the columns are the axes of the grid */
  int16_t padding_hu;  /* value of voxels outside the scan */
} lynceus_volume;

/* A dense array of 32-bit floats, the last axis fastest. */
typedef struct lynceus_tensor {
  size_t struct_size;
  const char* name;     /* of the network's input or output */
  const int64_t* shape; /* rank numbers */
  const float* values;
  uint32_t rank;
} lynceus_tensor;

typedef struct lynceus_finding {
  size_t struct_size;
  double center_mm[3];
  double diameter_mm; /* an estimate; the host measures from the voxels */
  double score;       /* calibrated: the share of such marks that are lesions, 0..1 */
  const char* kind;   /* one of the codes in the plugin's description; NULL: the first */
} lynceus_finding;

/* An ONNX network compiled for the device of the job; owned by the host. */
typedef struct lynceus_network lynceus_network;

typedef struct lynceus_host {
  size_t struct_size;
  uint16_t abi_major, abi_minor; /* of the host */
  const char* version;           /* of Lynceus, for the log */
  void* context;                 /* the first argument of every function here */

  /* [any] A line for the log. Never the name or the birth date of a patient. */
  void (*log)(void* context, lynceus_log_level level, const char* text);
  /* [worker] 0..1 of the job, at least every second: a job that is silent for long is taken for hung and ended. */
  void (*progress)(void* context, double fraction, const char* stage);
  /* [any] Not 0 when the job is to stop; ask at least every 100 ms and return LYNCEUS_CANCELLED. */
  int32_t (*cancelled)(void* context);
  /* [any] Memory, aligned to 64 bytes and counted against the job; NULL when there is no more. What a job does not
   * release is released after it. */
  void* (*allocate)(void* context, size_t bytes);
  void (*release)(void* context, void* memory);

  /* [worker] Reads a network from a file of the plugin's folder, given relative to it. *network stays valid until the
   * instance is destroyed. */
  lynceus_status (*network_open)(void* context, const char* file, lynceus_network** network);
  /* [worker] Runs it. *outputs and what they point to stay valid until the next run of the same network. */
  lynceus_status (*network_run)(void* context, lynceus_network* network, const lynceus_tensor* inputs,
                                uint32_t input_count, const lynceus_tensor** outputs, uint32_t* output_count);
  /* [worker] Reports a finding of the running job, at most 1000 of them; the host copies it. Not LYNCEUS_OK: it was
   * refused, the log says why, and the job will fail: no lesion is lost in silence. */
  lynceus_status (*report)(void* context, const lynceus_finding* finding);
} lynceus_host;

/* ------------------------------------------------------------------ what the plugin gives */

/* Finds lesions in a volume. */
#define LYNCEUS_DETECTOR "lynceus.detector/1"
typedef struct lynceus_detector {
  size_t struct_size;
  /* [worker] Reports each lesion through host->report. A volume without lesions is LYNCEUS_OK as well. */
  lynceus_status (*detect)(void* instance, const lynceus_volume* volume);
} lynceus_detector;

/* Judges places where another model sees lesions. */
#define LYNCEUS_CLASSIFIER "lynceus.classifier/1"
typedef struct lynceus_classifier {
  size_t struct_size;
  /* [worker] Writes a calibrated score, 0..1, for each of the count candidates to scores, which the host owns. */
  lynceus_status (*classify)(void* instance, const lynceus_volume* volume, const lynceus_finding* candidates,
                             uint32_t count, double* scores);
} lynceus_classifier;

/* What a model is for. Everything stays valid and unchanged while the library is loaded. */
typedef struct lynceus_description {
  size_t struct_size;
  const char* id;                                                  /* such as "org.example.blobs" */
  const char* version;                                             /* of the model, such as "1.2.0" */
  const char* summary;                                             /* one line */
  const char* licence;                                             /* SPDX identifier */
  const char* interface_id;                                        /* LYNCEUS_DETECTOR or LYNCEUS_CLASSIFIER */
  const char* const* kinds;                                        /* codes of what it finds, ends with NULL */
  double pixel_spacing_mm[2], slice_spacing_mm[2], coverage_mm[2]; /* from, to: the host refuses other volumes */
} lynceus_description;

typedef struct lynceus_plugin {
  size_t struct_size;
  uint16_t abi_major, abi_minor; /* LYNCEUS_ABI_MAJOR, LYNCEUS_ABI_MINOR at the time of compiling */
  /* [main] The number of models, at least 1. */
  uint32_t (*count)(void);
  /* [main] The description of a model; NULL outside the count. */
  const lynceus_description* (*describe)(uint32_t model);
  /* [worker] A model ready to work; the host outlives it. *interface_struct is the lynceus_detector or the
   * lynceus_classifier. */
  lynceus_status (*create)(uint32_t model, const lynceus_host* host, void** instance, const void** interface_struct);
  /* [worker] Ends an instance, with every thread that it started. */
  void (*destroy)(void* instance);
} lynceus_plugin;

/* [main] The one symbol that a plugin exports. The struct is the library's and stays valid while it is loaded. */
LYNCEUS_EXPORT const lynceus_plugin* lynceus_plugin_entry(void);

#ifdef __cplusplus
}
#endif

#endif
