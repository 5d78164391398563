#include "io/dicom/hounsfield.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/image/volume.h"

namespace lynceus::io::dicom {
namespace {

// To the nearest integer, ties to even, for |value| < 2^51; unlike std::nearbyint it becomes vector instructions.
double roundToNearest(double value) {
  constexpr double kMagic = 6755399441055744.0;  // 1.5 * 2^52: a double of that size has no fraction
  return (value + kMagic) - kMagic;
}

// Is it within int16 once rounded? -32768.5 goes to the even -32768, 32767.5 to 32768.
bool fits(double hu) { return hu >= -32768.5 && hu < 32767.5; }

struct Range {
  int low = 0, high = 0;
};

// The stored values themselves, in place of the bits around them.
template <class Stored>
Range extractValues(std::span<int16_t> bits, const StoredFormat& format) {
  Stored low = std::numeric_limits<Stored>::max(), high = std::numeric_limits<Stored>::min();
  const int up = 15 - format.highBit;
  const int down = 16 - format.bitsStored;
  for (int16_t& b : bits) {
    const auto raised = static_cast<Stored>(static_cast<uint16_t>(b) << up);  // cuts off what lies above
    const auto value = static_cast<Stored>(raised >> down);  // cuts off what lies below, extends the sign
    b = static_cast<int16_t>(value);
    low = std::min(low, value);
    high = std::max(high, value);
  }
  return {low, high};
}

// Every result fits 16 bits, so the lower 16 bits of the arithmetic are the result.
void scaleExactly(std::span<int16_t> values, const Rescale& rescale) {
  const auto slope = static_cast<uint16_t>(static_cast<int64_t>(rescale.slope));
  const auto intercept = static_cast<uint16_t>(static_cast<int64_t>(rescale.intercept));
  if (slope == 1 && intercept == 0) return;
  for (int16_t& v : values) {
    const unsigned product = static_cast<unsigned>(static_cast<uint16_t>(v)) * slope;
    v = static_cast<int16_t>(static_cast<uint16_t>(product + intercept));
  }
}

// Every result fits 16 bits. Returns the largest rounding.
template <class Stored>
double scaleRounding(std::span<int16_t> values, const Rescale& rescale) {
  constexpr size_t kLanes = 8;  // maxima side by side, which the compiler may not split by itself
  double largest[kLanes] = {};
  const auto scale = [&](int16_t& v, double& most) {
    const double exact = rescale.slope * static_cast<Stored>(v) + rescale.intercept;
    const double rounded = roundToNearest(exact);
    const double error = std::abs(exact - rounded);
    most = error > most ? error : most;
    v = static_cast<int16_t>(static_cast<int>(rounded));
  };
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) scale(values[i + lane], largest[lane]);
  }
  for (; i < values.size(); ++i) scale(values[i], largest[0]);
  return *std::max_element(std::begin(largest), std::end(largest));
}

// The careful way, where some value does not fit: padding becomes air. Returns the largest rounding, or nothing and in
// `culprit` the value that is neither.
template <class Stored>
std::optional<double> scaleWithPadding(std::span<int16_t> values, const Rescale& rescale, const Padding& padding,
                                       int& culprit) {
  double largest = 0;
  for (int16_t& v : values) {
    const auto stored = static_cast<Stored>(v);
    const double exact = rescale.slope * stored + rescale.intercept;
    if (fits(exact)) {
      v = static_cast<int16_t>(roundToNearest(exact));
      largest = std::max(largest, std::abs(exact - v));
    } else if (padding.covers(stored)) {
      v = image::kAirHu;
    } else {
      culprit = stored;
      return {};
    }
  }
  return largest;
}

template <class Stored>
Expected<double> scale(std::span<int16_t> bits, const StoredFormat& format, const Rescale& rescale,
                       const Padding& padding, const std::string& file) {
  const Range range = extractValues<Stored>(bits, format);
  const bool integral =
      std::trunc(rescale.slope) == rescale.slope && std::trunc(rescale.intercept) == rescale.intercept;
  const bool moderate = std::abs(rescale.slope) < 1e9 && std::abs(rescale.intercept) < 1e12;  // exact in a double
  if (moderate && fits(rescale.slope * range.low + rescale.intercept) &&
      fits(rescale.slope * range.high + rescale.intercept)) {
    if (!integral) return scaleRounding<Stored>(bits, rescale);
    scaleExactly(bits, rescale);
    return 0;
  }
  int culprit = 0;
  if (const auto largest = scaleWithPadding<Stored>(bits, rescale, padding, culprit)) return *largest;
  return makeError(
      ErrorCode::badInput,
      "{}: stored value {} is {:.0f} HU with Rescale Slope {} and Intercept {}, which is outside -32768 to "
      "32767: the rescale values are wrong or this is not CT",
      file, culprit, rescale.slope * culprit + rescale.intercept, rescale.slope, rescale.intercept);
}

}  // namespace

Expected<SlicePixels> toHounsfield(std::span<int16_t> bits, const StoredFormat& format, const Rescale& rescale,
                                   const Padding& padding, const std::string& file) {
  const auto largest = format.isSigned ? scale<int16_t>(bits, format, rescale, padding, file)
                                       : scale<uint16_t>(bits, format, rescale, padding, file);
  if (!largest) return passError(largest);
  SlicePixels result{*largest, image::kAirHu};
  const double paddingHu = rescale.slope * padding.low + rescale.intercept;
  if (padding.low <= padding.high && fits(paddingHu))
    result.paddingHu = static_cast<int16_t>(roundToNearest(paddingHu));
  return result;
}

}  // namespace lynceus::io::dicom
