/* Blobs of several sizes in the lungs: the classical way to find nodules, as a baseline and as an example of a plugin.
 *
 * The volume is read at 1.5 mm. At each of six scales the negated, scale-normalised Laplacian of Gaussian answers most
 * to a bright ball of one diameter (Lindeberg 1998: a ball of radius r answers most at sigma = r / sqrt(3)). Its maxima
 * over place and scale are the candidates. The eigenvalues of the Hessian there tell a ball, curved alike in all
 * directions, from a vessel, which is straight along one (Sato 1998); what is not curved along every axis, or too
 * faint, goes. */
#include "lynceus/plugin.h"

#include <math.h>
#include <stdlib.h>

#define GRID_MM 1.5
#define LOW_HU (-1000.0f)
#define HIGH_HU 100.0f
#define MIN_ANSWER 0.12 /* of the 0..1 window; a solid ball of 100 HU in air answers about 0.7 */
#define MIN_ROUND 0.35  /* smallest curvature by the largest */
#define MAX_MARKS 60

static const double kDiametersMm[] = {4, 6, 9, 13, 19, 27};
enum { kScales = sizeof kDiametersMm / sizeof *kDiametersMm };

typedef struct blobs {
  const lynceus_host* host;
} blobs;

/* A part of the volume on a grid of GRID_MM along the volume's own axes. */
typedef struct grid {
  int32_t size[3];
  int32_t first[3]; /* voxel of the volume where the grid begins */
  double step[3];   /* voxels of the volume from cell to cell */
} grid;

typedef struct mark {
  int32_t cell[3];
  double diameter_mm;
  double score;
} mark;

static size_t cells(const grid* g) { return (size_t)g->size[0] * (size_t)g->size[1] * (size_t)g->size[2]; }

static size_t at(const grid* g, int32_t x, int32_t y, int32_t z) {
  return ((size_t)z * (size_t)g->size[1] + (size_t)y) * (size_t)g->size[0] + (size_t)x;
}

/* Says how far the job is; not 0: stop. */
static int stopped(const lynceus_host* host, double fraction) {
  host->progress(host->context, fraction, "blobs");
  return host->cancelled(host->context);
}

/* The bounding box of the region; an empty region gives an empty grid. */
static grid grid_of(const lynceus_volume* v) {
  grid g = {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
  int32_t low[3] = {0, 0, 0}, high[3] = {v->size[0] - 1, v->size[1] - 1, v->size[2] - 1};
  if (v->region) {
    for (int a = 0; a < 3; ++a) low[a] = v->size[a], high[a] = -1;
    const uint8_t* inside = v->region;
    for (int32_t z = 0; z < v->size[2]; ++z)
      for (int32_t y = 0; y < v->size[1]; ++y)
        for (int32_t x = 0; x < v->size[0]; ++x, ++inside) {
          if (!*inside) continue;
          const int32_t p[3] = {x, y, z};
          for (int a = 0; a < 3; ++a) {
            if (p[a] < low[a]) low[a] = p[a];
            if (p[a] > high[a]) high[a] = p[a];
          }
        }
  }
  for (int a = 0; a < 3; ++a) {
    if (high[a] < low[a]) return (grid){{0, 0, 0}, {0, 0, 0}, {1, 1, 1}};
    g.first[a] = low[a];
    g.step[a] = GRID_MM / v->spacing_mm[a];
    g.size[a] = 1 + (int32_t)((high[a] - low[a]) / g.step[a]);
  }
  return g;
}

/* The voxel nearest to a cell. */
static size_t voxel_of(const lynceus_volume* v, const grid* g, int32_t x, int32_t y, int32_t z) {
  const int32_t cell[3] = {x, y, z};
  int32_t p[3];
  for (int a = 0; a < 3; ++a) {
    p[a] = g->first[a] + (int32_t)lround(cell[a] * g->step[a]);
    if (p[a] > v->size[a] - 1) p[a] = v->size[a] - 1;
  }
  return ((size_t)p[2] * (size_t)v->size[1] + (size_t)p[1]) * (size_t)v->size[0] + (size_t)p[0];
}

/* Means over the voxels of each cell, 0..1 between LOW_HU and HIGH_HU. Here and below: 0 if the host said stop. */
static int sample(const lynceus_host* host, const lynceus_volume* v, const grid* g, float* out) {
  for (int32_t z = 0; z < g->size[2]; ++z) {
    if (stopped(host, 0)) return 0;
    for (int32_t y = 0; y < g->size[1]; ++y)
      for (int32_t x = 0; x < g->size[0]; ++x) {
        const int32_t cell[3] = {x, y, z};
        int32_t from[3], to[3];
        for (int a = 0; a < 3; ++a) {
          const double middle = g->first[a] + cell[a] * g->step[a], half = g->step[a] / 2;
          from[a] = (int32_t)ceil(middle - half), to[a] = (int32_t)floor(middle + half);
          if (to[a] < from[a]) from[a] = to[a] = (int32_t)lround(middle);
          if (from[a] < 0) from[a] = 0;
          if (to[a] > v->size[a] - 1) to[a] = v->size[a] - 1;
          if (from[a] > to[a]) from[a] = to[a];
        }
        double sum = 0;
        for (int32_t k = from[2]; k <= to[2]; ++k)
          for (int32_t j = from[1]; j <= to[1]; ++j)
            for (int32_t i = from[0]; i <= to[0]; ++i)
              sum += v->hu[((size_t)k * (size_t)v->size[1] + (size_t)j) * (size_t)v->size[0] + (size_t)i];
        const double n = (double)(to[0] - from[0] + 1) * (to[1] - from[1] + 1) * (to[2] - from[2] + 1);
        const double t = (sum / n - LOW_HU) / (HIGH_HU - LOW_HU);
        out[at(g, x, y, z)] = (float)(t < 0 ? 0 : t > 1 ? 1 : t);
      }
  }
  return 1;
}

/* Convolves each line along an axis with a Gaussian of sigma cells; the ends repeat. `line` holds the longest line. */
static int blur_axis(const lynceus_host* host, const grid* g, int axis, double sigma, float* image, float* line) {
  enum { kMaxRadius = 64 };
  float weight[kMaxRadius + 1];
  int radius = (int)ceil(3 * sigma);
  if (radius > kMaxRadius) radius = kMaxRadius;
  double sum = 0;
  for (int i = 0; i <= radius; ++i) {
    weight[i] = (float)exp(-0.5 * i * i / (sigma * sigma));
    sum += i ? 2 * weight[i] : weight[i];
  }
  for (int i = 0; i <= radius; ++i) weight[i] = (float)(weight[i] / sum);

  const size_t stride = axis == 0 ? 1 : axis == 1 ? (size_t)g->size[0] : (size_t)g->size[0] * (size_t)g->size[1];
  const int32_t n = g->size[axis];
  const size_t lines = cells(g) / (size_t)n;
  for (size_t l = 0; l < lines; ++l) {
    if (l % 4096 == 0 && host->cancelled(host->context)) return 0;
    float* start = image + (axis == 0 ? l * (size_t)n : l / stride * stride * (size_t)n + l % stride);
    for (int32_t i = 0; i < n; ++i) line[i] = start[(size_t)i * stride];
    for (int32_t i = 0; i < n; ++i) {
      float value = weight[0] * line[i];
      for (int r = 1; r <= radius; ++r)
        value += weight[r] * (line[i < r ? 0 : i - r] + line[i + r < n ? i + r : n - 1]);
      start[(size_t)i * stride] = value;
    }
  }
  return 1;
}

static double laplacian(const grid* g, const float* b, int32_t x, int32_t y, int32_t z) {
  const size_t row = (size_t)g->size[0], slice = row * (size_t)g->size[1], p = at(g, x, y, z);
  return (double)b[p - 1] + b[p + 1] + b[p - row] + b[p + row] + b[p - slice] + b[p + slice] - 6.0 * b[p];
}

/* The smallest by the largest curvature of a bright blob, 0 where it is not curved along every direction. */
static double roundness(const grid* g, const float* b, int32_t x, int32_t y, int32_t z) {
  const ptrdiff_t s[3] = {1, g->size[0], (ptrdiff_t)g->size[0] * g->size[1]};
  const float* p = b + at(g, x, y, z);
  double h[3][3];
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      h[i][j] = i == j ? (double)p[s[i]] + p[-s[i]] - 2.0 * *p
                       : 0.25 * ((double)p[s[i] + s[j]] + p[-s[i] - s[j]] - p[s[i] - s[j]] - p[s[j] - s[i]]);
  /* Eigenvalues of a symmetric matrix in closed form (Smith 1961). */
  const double q = (h[0][0] + h[1][1] + h[2][2]) / 3;
  const double off = h[0][1] * h[0][1] + h[0][2] * h[0][2] + h[1][2] * h[1][2];
  const double a = h[0][0] - q, e = h[1][1] - q, i = h[2][2] - q;
  const double r = sqrt((a * a + e * e + i * i + 2 * off) / 6);
  if (r < 1e-12) return q < 0 ? 1 : 0;
  const double det = a * (e * i - h[1][2] * h[1][2]) - h[0][1] * (h[0][1] * i - h[1][2] * h[0][2]) +
                     h[0][2] * (h[0][1] * h[1][2] - e * h[0][2]);
  double c = det / (2 * r * r * r);
  c = c < -1 ? -1 : c > 1 ? 1 : c;
  const double angle = acos(c) / 3, third = 2.0943951023931953;
  const double largest = q + 2 * r * cos(angle),
               smallest = q + 2 * r * cos(angle + third); /* largest is the least negative */
  return largest < 0 ? largest / smallest : 0;
}

/* Keeps the strongest MAX_MARKS, no two of which overlap. */
static void keep(mark* marks, int* count, mark m) {
  for (int i = 0; i < *count; ++i) {
    double d2 = 0;
    for (int a = 0; a < 3; ++a) {
      const double d = (marks[i].cell[a] - m.cell[a]) * GRID_MM;
      d2 += d * d;
    }
    const double reach = 0.5 * fmax(marks[i].diameter_mm, m.diameter_mm);
    if (d2 >= reach * reach) continue;
    if (marks[i].score >= m.score) return;
    marks[i--] = marks[--*count];
  }
  if (*count < MAX_MARKS) {
    marks[(*count)++] = m;
    return;
  }
  int weakest = 0;
  for (int i = 1; i < *count; ++i)
    if (marks[i].score < marks[weakest].score) weakest = i;
  if (marks[weakest].score < m.score) marks[weakest] = m;
}

/* Maxima of the answer at one scale. */
static int search(const lynceus_host* host, const lynceus_volume* v, const grid* g, const float* image,
                  double diameter_mm, double sigma, mark* marks, int* count) {
  for (int32_t z = 2; z + 2 < g->size[2]; ++z) {
    if (host->cancelled(host->context)) return 0;
    for (int32_t y = 2; y + 2 < g->size[1]; ++y)
      for (int32_t x = 2; x + 2 < g->size[0]; ++x) {
        const double answer = -sigma * sigma * laplacian(g, image, x, y, z);
        if (answer < MIN_ANSWER || (v->region && !v->region[voxel_of(v, g, x, y, z)])) continue;
        int highest = 1;
        for (int n = 0; n < 27 && highest; ++n) {
          const int dx = n % 3 - 1, dy = n / 3 % 3 - 1, dz = n / 9 - 1;
          if (n != 13 && -sigma * sigma * laplacian(g, image, x + dx, y + dy, z + dz) > answer) highest = 0;
        }
        if (!highest) continue;
        const double round = roundness(g, image, x, y, z);
        if (round < MIN_ROUND) continue;
        const double score = 1 / (1 + exp(-(6 * answer + 4 * round - 6)));
        keep(marks, count, (mark){{x, y, z}, diameter_mm, score});
      }
  }
  return 1;
}

static lynceus_status report(const blobs* self, const lynceus_volume* v, const grid* g, const mark* m) {
  lynceus_finding f = {.struct_size = sizeof f, .diameter_mm = m->diameter_mm, .score = m->score, .kind = NULL};
  double along[3];
  for (int a = 0; a < 3; ++a) along[a] = (g->first[a] + m->cell[a] * g->step[a]) * v->spacing_mm[a];
  for (int r = 0; r < 3; ++r) {
    f.center_mm[r] = v->origin_mm[r];
    for (int a = 0; a < 3; ++a) f.center_mm[r] += v->direction[3 * r + a] * along[a];
  }
  return self->host->report(self->host->context, &f);
}

/* All marks of the grid. image and line are memory for its cells and for its longest line. */
static lynceus_status find(const lynceus_host* host, const lynceus_volume* v, const grid* g, float* image, float* line,
                           mark* marks, int* count) {
  if (!sample(host, v, g, image)) return LYNCEUS_CANCELLED;
  double blurred = 0; /* sigma so far, cells: Gaussians add up by their squares */
  for (int s = 0; s < kScales; ++s) {
    const double sigma = kDiametersMm[s] / 2 / sqrt(3) / GRID_MM;
    for (int axis = 0; axis < 3; ++axis)
      if (stopped(host, (s + axis / 3.0) / kScales) ||
          !blur_axis(host, g, axis, sqrt(sigma * sigma - blurred * blurred), image, line))
        return LYNCEUS_CANCELLED;
    blurred = sigma;
    if (!search(host, v, g, image, kDiametersMm[s], sigma, marks, count)) return LYNCEUS_CANCELLED;
  }
  return LYNCEUS_OK;
}

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  const blobs* self = instance;
  const lynceus_host* host = self->host;
  const grid g = grid_of(volume);
  if (cells(&g) == 0) return LYNCEUS_OK;
  int32_t longest = g.size[0];
  for (int a = 1; a < 3; ++a)
    if (g.size[a] > longest) longest = g.size[a];
  float* image = host->allocate(host->context, cells(&g) * sizeof *image);
  float* line = host->allocate(host->context, (size_t)longest * sizeof *line);
  mark marks[MAX_MARKS];
  int count = 0;
  lynceus_status status = LYNCEUS_NO_RESOURCE;
  if (image && line)
    status = find(host, volume, &g, image, line, marks, &count);
  else
    host->log(
        host->context, LYNCEUS_LOG_ERROR,
        "threshold_blobs: no memory for a grid of 1.5 mm over the lungs: close other programs or use a larger machine");
  host->release(host->context, line);
  host->release(host->context, image);
  for (int i = 0; i < count && status == LYNCEUS_OK; ++i) status = report(self, volume, &g, &marks[i]);
  return status;
}

/* ------------------------------------------------------------------ the plugin's tables */

static const lynceus_detector kDetector = {sizeof kDetector, detect};

static const char* const kKinds[] = {"lung-nodule", NULL};

static const lynceus_description kDescription = {
    .struct_size = sizeof kDescription,
    .id = "lynceus.threshold-blobs",
    .version = "1.0.0",
    .summary = "Bright blobs of 4 to 27 mm in the lungs, without learning: a baseline",
    .licence = "Apache-2.0",
    .interface_id = LYNCEUS_DETECTOR,
    .kinds = kKinds,
    .pixel_spacing_mm = {0.3, 2.0},
    .slice_spacing_mm = {0.3, 5.0},
    .coverage_mm = {80, 1500},
};

static uint32_t count(void) { return 1; }

static const lynceus_description* describe(uint32_t model) { return model == 0 ? &kDescription : NULL; }

static lynceus_status create(uint32_t model, const lynceus_host* host, void** instance, const void** interface_struct) {
  if (model != 0) return LYNCEUS_FAILED;
  blobs* self = malloc(sizeof *self);
  if (!self) return LYNCEUS_NO_RESOURCE;
  self->host = host;
  *instance = self;
  *interface_struct = &kDetector;
  return LYNCEUS_OK;
}

static void destroy(void* instance) { free(instance); }

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
