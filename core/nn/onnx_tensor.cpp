#include "core/nn/onnx_tensor.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>
#include <map>

#include "core/nn/half.h"
#include "core/nn/op_call.h"

namespace lynceus::nn {
namespace {

using Proto = onnx::TensorProto;

float bfloatToFloat(uint16_t b) { return std::bit_cast<float>(static_cast<uint32_t>(b) << 16); }

size_t elementSize(int type) {
  switch (type) {
    case Proto::BOOL:
    case Proto::INT8:
    case Proto::UINT8: return 1;
    case Proto::INT16:
    case Proto::UINT16:
    case Proto::FLOAT16:
    case Proto::BFLOAT16: return 2;
    case Proto::FLOAT:
    case Proto::INT32:
    case Proto::UINT32: return 4;
    case Proto::DOUBLE:
    case Proto::INT64: return 8;
    default: return 0;
  }
}

bool isFloatType(int type) {
  return type == Proto::FLOAT || type == Proto::DOUBLE || type == Proto::FLOAT16 || type == Proto::BFLOAT16;
}

// Little-endian elements of type From, each converted to To.
template <class From, class To, class Convert>
std::vector<To> convertRaw(const std::string& raw, const Convert& convert) {
  std::vector<To> out(raw.size() / sizeof(From));
  for (size_t i = 0; i < out.size(); ++i) {
    From value;
    std::memcpy(&value, raw.data() + i * sizeof(From), sizeof(From));
    out[i] = convert(value);
  }
  return out;
}

template <class From>
std::vector<int64_t> widenRaw(const std::string& raw) {
  return convertRaw<From, int64_t>(raw, [](From v) { return static_cast<int64_t>(v); });
}

void fillFromRaw(int type, const std::string& raw, Tensor& t) {
  switch (type) {
    case Proto::FLOAT: t.data = convertRaw<float, float>(raw, [](float v) { return v; }); break;
    case Proto::DOUBLE: t.data = convertRaw<double, float>(raw, [](double v) { return static_cast<float>(v); }); break;
    case Proto::FLOAT16: t.data = convertRaw<uint16_t, float>(raw, halfToFloat); break;
    case Proto::BFLOAT16: t.data = convertRaw<uint16_t, float>(raw, bfloatToFloat); break;
    case Proto::INT64: t.data = widenRaw<int64_t>(raw); break;
    case Proto::INT32: t.data = widenRaw<int32_t>(raw); break;
    case Proto::UINT32: t.data = widenRaw<uint32_t>(raw); break;
    case Proto::INT16: t.data = widenRaw<int16_t>(raw); break;
    case Proto::UINT16: t.data = widenRaw<uint16_t>(raw); break;
    case Proto::INT8: t.data = std::vector<int8_t>(raw.begin(), raw.end()); break;
    case Proto::UINT8: t.data = std::vector<uint8_t>(raw.begin(), raw.end()); break;
    default: t.data = widenRaw<uint8_t>(raw); break;  // BOOL
  }
}

// The typed fields; narrow integers, bool and both 16-bit floats travel in int32_data.
void fillFromFields(const Proto& p, Tensor& t) {
  std::vector<float> floats;
  std::vector<int64_t> ints;
  switch (p.data_type()) {
    case Proto::FLOAT: floats.assign(p.float_data().begin(), p.float_data().end()); break;
    case Proto::DOUBLE:
      for (const double v : p.double_data()) floats.push_back(static_cast<float>(v));
      break;
    case Proto::FLOAT16:
      for (const int32_t v : p.int32_data()) floats.push_back(halfToFloat(static_cast<uint16_t>(v)));
      break;
    case Proto::BFLOAT16:
      for (const int32_t v : p.int32_data()) floats.push_back(bfloatToFloat(static_cast<uint16_t>(v)));
      break;
    case Proto::INT64: ints.assign(p.int64_data().begin(), p.int64_data().end()); break;
    case Proto::INT8: t.data = std::vector<int8_t>(p.int32_data().begin(), p.int32_data().end()); return;
    case Proto::UINT8: t.data = std::vector<uint8_t>(p.int32_data().begin(), p.int32_data().end()); return;
    default: ints.assign(p.int32_data().begin(), p.int32_data().end()); break;
  }
  if (isFloatType(p.data_type()))
    t.data = std::move(floats);
  else
    t.data = std::move(ints);
}

Expected<uint64_t> readNumber(const std::map<std::string, std::string>& fields, const char* key, uint64_t fallback) {
  const auto it = fields.find(key);
  if (it == fields.end()) return fallback;
  uint64_t value = 0;
  const char* end = it->second.data() + it->second.size();
  if (const auto r = std::from_chars(it->second.data(), end, value); r.ec != std::errc{} || r.ptr != end)
    return makeError(ErrorCode::badInput, "external data has the {} \"{}\", which is not a number", key, it->second);
  return value;
}

// @param bytes  what the shape asks for; the file has to have as much.
Expected<std::string> readExternal(const Proto& p, const std::filesystem::path& folder, uint64_t bytes) {
  std::map<std::string, std::string> fields;
  for (const auto& f : p.external_data()) fields[f.key()] = f.value();
  const std::filesystem::path location = fields["location"];
  if (folder.empty())
    return makeError(ErrorCode::unsupported, "data in the external file {} cannot be read for a model from memory",
                     location.string());
  for (const auto& part : location)
    if (part == ".." || location.is_absolute() || location.empty())
      return makeError(ErrorCode::badInput, "external data path \"{}\" leaves the model's folder", location.string());
  std::error_code failed;
  const auto file = std::filesystem::weakly_canonical(folder / location, failed);
  const auto home = std::filesystem::weakly_canonical(folder, failed);
  if (failed || std::mismatch(home.begin(), home.end(), file.begin(), file.end()).first != home.end())
    return makeError(ErrorCode::badInput, "external data path \"{}\" leaves the model's folder", location.string());
  const auto offset = readNumber(fields, "offset", 0);
  if (!offset) return passError(offset);
  const auto length = readNumber(fields, "length", bytes);
  if (!length) return passError(length);
  const uint64_t size = std::filesystem::file_size(file, failed);
  if (failed)
    return makeError(ErrorCode::resource, "external data file {} is missing: put it beside the model", file.string());
  if (*length != bytes || *offset > size || bytes > size - *offset)
    return makeError(ErrorCode::badInput, "external data needs {} bytes at {}, but says {} in {} of {} bytes", bytes,
                     *offset, *length, file.string(), size);
  std::string raw(bytes, '\0');
  std::ifstream in(file, std::ios::binary);
  if (!in.seekg(static_cast<std::streamoff>(*offset)) || !in.read(raw.data(), static_cast<std::streamsize>(bytes)))
    return makeError(ErrorCode::resource, "external data file {} cannot be read", file.string());
  return raw;
}

}  // namespace

std::string onnxTypeName(int type) {
  static const char* const kNames[] = {"undefined", "float",  "uint8",     "int8",       "uint16",  "int16",
                                       "int32",     "int64",  "string",    "bool",       "float16", "double",
                                       "uint32",    "uint64", "complex64", "complex128", "bfloat16"};
  return type >= 0 && type <= Proto::BFLOAT16 ? kNames[type] : fmt::format("type {}", type);
}

Expected<Tensor> readOnnxTensor(const Proto& p, const std::filesystem::path& folder) {
  Tensor t;
  t.shape.assign(p.dims().begin(), p.dims().end());
  const auto count = checkedCount(t.shape);
  if (!count) return makeError(ErrorCode::badInput, "the shape {} is not possible", shapeText(t.shape));
  const size_t width = elementSize(p.data_type());
  if (width == 0)
    return makeError(ErrorCode::unsupported, "values of type {} are not supported: export it as float32",
                     onnxTypeName(p.data_type()));
  const uint64_t bytes = static_cast<uint64_t>(*count) * width;
  if (p.data_location() == Proto::EXTERNAL) {
    const auto raw = readExternal(p, folder, bytes);
    if (!raw) return passError(raw);
    fillFromRaw(p.data_type(), *raw, t);
  } else if (p.has_raw_data()) {
    if (p.raw_data().size() != bytes)
      return makeError(ErrorCode::badInput, "{} bytes of data, but shape {} of {} needs {}", p.raw_data().size(),
                       shapeText(t.shape), onnxTypeName(p.data_type()), bytes);
    fillFromRaw(p.data_type(), p.raw_data(), t);
  } else {
    fillFromFields(p, t);
  }
  if (const size_t have = t.size(); have != static_cast<size_t>(*count))
    return makeError(ErrorCode::badInput, "{} values, but shape {} needs {}", have, shapeText(t.shape), *count);
  return t;
}

void writeOnnxTensor(const Tensor& tensor, Proto& proto) {
  static_assert(std::endian::native == std::endian::little, "the format keeps the low byte first");
  constexpr Proto::DataType kTypes[] = {Proto::FLOAT, Proto::INT64, Proto::INT8, Proto::UINT8};
  std::string name = proto.name();
  proto.Clear();
  if (!name.empty()) proto.set_name(std::move(name));
  for (const int64_t d : tensor.shape) proto.add_dims(d);
  proto.set_data_type(kTypes[tensor.data.index()]);
  proto.set_raw_data(tensor.bytes(), tensor.size() * bytesOf(tensor.type()));
}

}  // namespace lynceus::nn
