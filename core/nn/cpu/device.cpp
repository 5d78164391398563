#include "core/nn/cpu/device.h"

#include <new>

#include <omp.h>

#include "core/nn/cpu/conv_int8.h"
#include "core/nn/cpu/executable.h"
#include "core/nn/cpu/storage.h"
#include "core/nn/passes/fold_transpose.h"
#include "core/nn/passes/fuse.h"
#include "core/nn/passes/fuse_quantized.h"
#include "core/nn/passes/lower_einsum.h"
#include "core/nn/passes/recognise.h"

namespace lynceus::nn::cpu {
namespace {

class CpuDevice : public compute::Device {
 public:
  std::string description() const override {
    const dnnl_version_t* v = dnnl_version();
    return fmt::format("cpu (oneDNN {}.{}.{}, {} threads)", v->major, v->minor, v->patch, omp_get_max_threads());
  }

  Expected<std::unique_ptr<compute::Executable>> compile(const Graph& graph,
                                                         const std::map<std::string, Shape>& inputShapes,
                                                         const compute::CompileOptions& options) override {
    if (options.precision == compute::Precision::bf16 && !hasBf16())
      return makeError(ErrorCode::resource, "this processor has no bfloat16 arithmetic: use --precision fp32");
    try {
      auto resolved = resolve(graph, inputShapes);
      if (!resolved) return passError(resolved);
      removeIdentities(*resolved);
      foldBatchNorm(*resolved);
      recogniseLayerNorm(*resolved);
      recogniseGelu(*resolved);
      recogniseGroupNorm(*resolved);
      lowerEinsum(*resolved);
      foldTransposes(*resolved);
      fuseMatMuls(*resolved);
      fuseActivations(*resolved);
      if (hasInt8()) fuseQuantized(*resolved, canConvolveIntegers);
      removeDeadCode(resolved->graph);
      chooseStorage(*resolved, options.precision);
      auto executable = CpuExecutable::create(std::move(*resolved), options.reuseMemory);
      if (!executable) return passError(executable);
      return std::move(*executable);
    } catch (const std::bad_alloc&) {
      return makeError(ErrorCode::resource, "not enough memory for the network: use smaller tiles");
    }
  }

 private:
  // Processors without these instructions add up pairs of products in 16 bits, which saturate: wrong sums. Quantised
  // networks then run in float.
  static bool hasInt8() {
    const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
    return isa == dnnl::cpu_isa::avx2_vnni || isa >= dnnl::cpu_isa::avx512_core_vnni;
  }

  // oneDNN would emulate it: slower than float32.
  static bool hasBf16() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16") != 0;
#else
    return false;
#endif
  }
};

}  // namespace

std::unique_ptr<compute::Device> makeDevice() { return std::make_unique<CpuDevice>(); }

}  // namespace lynceus::nn::cpu
