#include "core/nn/onnx_tensor.h"

#include <algorithm>
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

// The bytes of a tensor: in the model or in a file beside it.
class Source {
 public:
  explicit Source(std::string_view bytes) : m_bytes(bytes) {}
  explicit Source(std::ifstream file) : m_file(std::move(file)) {}

  bool read(void* to, size_t bytes) {
    if (m_file.is_open())
      return static_cast<bool>(m_file.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes)));
    if (bytes > m_bytes.size()) return false;
    if (bytes > 0) std::memcpy(to, m_bytes.data(), bytes);
    m_bytes.remove_prefix(bytes);
    return true;
  }

 private:
  std::string_view m_bytes;
  std::ifstream m_file;
};

template <class T>
bool readSame(Source& source, size_t count, Tensor& t) {
  std::vector<T> values(count);
  if (!source.read(values.data(), count * sizeof(T))) return false;
  t.data = std::move(values);
  return true;
}

// Little-endian elements of type From, each converted to To, some at a time.
template <class From, class To, class Convert>
bool readConverted(Source& source, size_t count, Tensor& t, const Convert& convert) {
  std::vector<To> values;
  values.reserve(count);
  std::vector<From> some;
  while (values.size() < count) {
    some.resize(std::min<size_t>(count - values.size(), 1 << 16));
    if (!source.read(some.data(), some.size() * sizeof(From))) return false;
    for (const From v : some) values.push_back(convert(v));
  }
  t.data = std::move(values);
  return true;
}

template <class From>
bool readWidened(Source& source, size_t count, Tensor& t) {
  return readConverted<From, int64_t>(source, count, t, [](From v) { return static_cast<int64_t>(v); });
}

bool readValues(int type, Source& source, size_t count, Tensor& t) {
  switch (type) {
    case Proto::FLOAT: return readSame<float>(source, count, t);
    case Proto::DOUBLE:
      return readConverted<double, float>(source, count, t, [](double v) { return static_cast<float>(v); });
    case Proto::FLOAT16: return readConverted<uint16_t, float>(source, count, t, halfToFloat);
    case Proto::BFLOAT16: return readConverted<uint16_t, float>(source, count, t, bfloatToFloat);
    case Proto::INT64: return readSame<int64_t>(source, count, t);
    case Proto::INT32: return readWidened<int32_t>(source, count, t);
    case Proto::UINT32: return readWidened<uint32_t>(source, count, t);
    case Proto::INT16: return readWidened<int16_t>(source, count, t);
    case Proto::UINT16: return readWidened<uint16_t>(source, count, t);
    case Proto::INT8: return readSame<int8_t>(source, count, t);
    case Proto::UINT8: return readSame<uint8_t>(source, count, t);
    default: return readWidened<uint8_t>(source, count, t);  // BOOL
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

// The file that holds external data: an ordinary file inside the model's folder, wherever links lead.
Expected<std::filesystem::path> externalFile(const std::string& name, const std::filesystem::path& folder) {
  if (folder.empty())
    return makeError(ErrorCode::unsupported, "data in the external file {} cannot be read for a model from memory",
                     name);
  const std::filesystem::path location = name;
  const bool climbs = std::find(location.begin(), location.end(), "..") != location.end();
  if (name.empty() || name.find('\0') != std::string::npos)
    return makeError(ErrorCode::badInput, "external data has no file name that is possible: export the model again");
  if (climbs || location.is_absolute())
    return makeError(ErrorCode::badInput, "external data path \"{}\" leaves the model's folder", name);
  std::error_code failed;
  auto file = std::filesystem::weakly_canonical(folder / location, failed);
  if (failed)
    return makeError(ErrorCode::badInput, "external data path \"{}\" cannot be followed ({})", name, failed.message());
  const auto home = std::filesystem::weakly_canonical(folder, failed);
  if (failed || std::mismatch(home.begin(), home.end(), file.begin(), file.end()).first != home.end())
    return makeError(ErrorCode::badInput, "external data path \"{}\" leaves the model's folder", name);
  const auto status = std::filesystem::status(file, failed);
  if (!std::filesystem::exists(status))
    return makeError(ErrorCode::resource, "external data file {} is missing: put it beside the model", file.string());
  if (!std::filesystem::is_regular_file(status))
    return makeError(ErrorCode::badInput, "external data {} is not a file: put the exported one there", file.string());
  return file;
}

// @param bytes  what the shape asks for; the file has to have as much.
Expected<Source> openExternal(const Proto& p, ExternalData& external, uint64_t bytes) {
  std::map<std::string, std::string> fields;
  for (const auto& f : p.external_data()) fields[f.key()] = f.value();
  const auto file = externalFile(fields["location"], external.folder);
  if (!file) return passError(file);
  const auto offset = readNumber(fields, "offset", 0);
  if (!offset) return passError(offset);
  const auto length = readNumber(fields, "length", bytes);
  if (!length) return passError(length);
  std::error_code failed;
  const uint64_t size = std::filesystem::file_size(*file, failed);
  if (failed || *length != bytes || *offset > size || bytes > size - *offset)
    return makeError(ErrorCode::badInput, "external data needs {} bytes at {}, but says {} in {} of {} bytes", bytes,
                     *offset, *length, file->string(), failed ? 0 : size);
  if (bytes > external.bytesLeft)
    return makeError(ErrorCode::unsupported, "{}: all external data together is more than 16 GiB", file->string());
  external.bytesLeft -= bytes;
  std::ifstream in(*file, std::ios::binary);
  if (!in.seekg(static_cast<std::streamoff>(*offset)))
    return makeError(ErrorCode::resource, "external data file {} cannot be read", file->string());
  return Source(std::move(in));
}

}  // namespace

std::string onnxTypeName(int type) {
  static const char* const kNames[] = {"undefined", "float",  "uint8",     "int8",       "uint16",  "int16",
                                       "int32",     "int64",  "string",    "bool",       "float16", "double",
                                       "uint32",    "uint64", "complex64", "complex128", "bfloat16"};
  return type >= 0 && type <= Proto::BFLOAT16 ? kNames[type] : fmt::format("type {}", type);
}

Expected<Tensor> readOnnxTensor(const Proto& p, ExternalData& external) {
  Tensor t;
  t.shape.assign(p.dims().begin(), p.dims().end());
  const auto count = checkedCount(t.shape);
  if (!count) return makeError(ErrorCode::badInput, "the shape {} is not possible", shapeText(t.shape));
  const size_t width = elementSize(p.data_type());
  if (width == 0)
    return makeError(ErrorCode::unsupported, "values of type {} are not supported: export it as float32",
                     onnxTypeName(p.data_type()));
  const auto elements = static_cast<size_t>(*count);
  const uint64_t bytes = elements * width;
  if (p.data_location() == Proto::EXTERNAL) {
    auto source = openExternal(p, external, bytes);
    if (!source) return passError(source);
    if (!readValues(p.data_type(), *source, elements, t))
      return makeError(ErrorCode::resource, "its external data cannot be read");
  } else if (p.has_raw_data()) {
    if (p.raw_data().size() != bytes)
      return makeError(ErrorCode::badInput, "{} bytes of data, but shape {} of {} needs {}", p.raw_data().size(),
                       shapeText(t.shape), onnxTypeName(p.data_type()), bytes);
    Source source{std::string_view(p.raw_data())};
    readValues(p.data_type(), source, elements, t);
  } else {
    fillFromFields(p, t);
  }
  if (const size_t have = t.size(); have != elements)
    return makeError(ErrorCode::badInput, "{} values, but shape {} needs {}", have, shapeText(t.shape), elements);
  return t;
}

Expected<Tensor> readOnnxTensor(const Proto& p) {
  ExternalData none;
  return readOnnxTensor(p, none);
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
