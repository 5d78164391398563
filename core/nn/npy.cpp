#include "core/nn/npy.h"

#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>

#include "core/nn/half.h"
#include "core/nn/op_call.h"

namespace lynceus::nn {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMostHeaderBytes = 1 << 16;

struct Header {
  std::string type;  // such as "<f4"
  bool columnMajor = false;
  Shape shape;
};

// The text behind 'key': in the header, a Python dictionary literal.
std::optional<std::string_view> valueOf(std::string_view header, const std::string& key) {
  size_t at = header.find("'" + key + "'");
  if (at == std::string_view::npos) return std::nullopt;
  at = header.find(':', at);
  if (at == std::string_view::npos) return std::nullopt;
  at = header.find_first_not_of(' ', at + 1);
  if (at == std::string_view::npos) return std::nullopt;
  return header.substr(at);
}

std::optional<Shape> parseShape(std::string_view text) {
  const size_t end = text.find(')');
  if (text.empty() || text.front() != '(' || end == std::string_view::npos) return std::nullopt;
  Shape shape;
  const char* at = text.data() + 1;
  const char* last = text.data() + end;
  while (true) {
    while (at < last && (*at == ' ' || *at == ',')) ++at;
    if (at == last) return shape;
    int64_t d = 0;
    const auto r = std::from_chars(at, last, d);
    if (r.ec != std::errc{} || d < 0) return std::nullopt;
    shape.push_back(d);
    at = r.ptr;
  }
}

std::optional<Header> parseHeader(std::string_view text) {
  const auto type = valueOf(text, "descr"), order = valueOf(text, "fortran_order"), shape = valueOf(text, "shape");
  if (!type || !order || !shape || type->front() != '\'') return std::nullopt;
  const size_t end = type->find('\'', 1);
  const auto dims = parseShape(*shape);
  if (end == std::string_view::npos || !dims) return std::nullopt;
  return Header{std::string(type->substr(1, end - 1)), order->substr(0, 4) == "True", *dims};
}

// Length of the header text behind magic and version; 2 bytes in version 1, 4 since.
std::optional<size_t> readHeaderLength(std::istream& in) {
  unsigned char start[12] = {};
  if (!in.read(reinterpret_cast<char*>(start), 8) || std::memcmp(start, kMagic.data(), kMagic.size()) != 0)
    return std::nullopt;
  const int version = start[6], bytes = version == 1 ? 2 : 4;
  if (version < 1 || version > 3 || !in.read(reinterpret_cast<char*>(start + 8), bytes)) return std::nullopt;
  size_t length = 0;
  for (int i = bytes; i-- > 0;) length = length << 8 | start[8 + i];
  return length;
}

template <class From, class To>
std::vector<To> convert(const std::string& raw) {
  std::vector<To> out(raw.size() / sizeof(From));
  for (size_t i = 0; i < out.size(); ++i) {
    From v;
    std::memcpy(&v, raw.data() + i * sizeof(From), sizeof(From));
    out[i] = static_cast<To>(+v);  // int8 as a number, not as a character
  }
  return out;
}

std::vector<float> convertHalf(const std::string& raw) {
  std::vector<float> out;
  for (const uint16_t h : convert<uint16_t, uint16_t>(raw)) out.push_back(halfToFloat(h));
  return out;
}

struct FileType {
  const char* name;
  size_t bytes;
  void (*fill)(const std::string& raw, Tensor& t);
};

constexpr FileType kTypes[] = {
    {"<f4", 4, [](const std::string& raw, Tensor& t) { t.data = convert<float, float>(raw); }},
    {"<f8", 8, [](const std::string& raw, Tensor& t) { t.data = convert<double, float>(raw); }},
    {"<f2", 2, [](const std::string& raw, Tensor& t) { t.data = convertHalf(raw); }},
    {"<i8", 8, [](const std::string& raw, Tensor& t) { t.data = convert<int64_t, int64_t>(raw); }},
    {"<i4", 4, [](const std::string& raw, Tensor& t) { t.data = convert<int32_t, int64_t>(raw); }},
    {"<i2", 2, [](const std::string& raw, Tensor& t) { t.data = convert<int16_t, int64_t>(raw); }},
    {"<u2", 2, [](const std::string& raw, Tensor& t) { t.data = convert<uint16_t, int64_t>(raw); }},
    {"|i1", 1, [](const std::string& raw, Tensor& t) { t.data = convert<int8_t, int64_t>(raw); }},
    {"|u1", 1, [](const std::string& raw, Tensor& t) { t.data = convert<uint8_t, int64_t>(raw); }},
    {"|b1", 1, [](const std::string& raw, Tensor& t) { t.data = convert<uint8_t, int64_t>(raw); }},
};

const FileType* findType(const std::string& name) {
  for (const FileType& t : kTypes)
    if (name == t.name) return &t;
  return nullptr;
}

}  // namespace

Expected<Tensor> readNpy(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::error_code failed;
  const uint64_t fileBytes = std::filesystem::file_size(file, failed);
  if (!in || failed) return makeError(ErrorCode::resource, "{}: cannot be opened: check the path", file.string());
  const auto headerBytes = readHeaderLength(in);
  std::string text(headerBytes && *headerBytes <= kMostHeaderBytes ? *headerBytes : 0, '\0');
  if (text.empty() || !in.read(text.data(), static_cast<std::streamsize>(text.size())))
    return makeError(ErrorCode::badInput, "{}: not a .npy file: write it with numpy.save", file.string());
  const auto header = parseHeader(text);
  if (!header) return makeError(ErrorCode::badInput, "{}: damaged .npy header", file.string());
  const FileType* type = findType(header->type);
  if (!type)
    return makeError(ErrorCode::unsupported, "{}: type \"{}\" is not supported: save it as float32", file.string(),
                     header->type);
  if (header->columnMajor && header->shape.size() > 1)
    return makeError(ErrorCode::unsupported, "{}: column-major: save it with numpy.ascontiguousarray", file.string());
  const auto count = checkedCount(header->shape);
  const uint64_t left = fileBytes - static_cast<uint64_t>(in.tellg());
  if (!count || static_cast<uint64_t>(*count) * type->bytes != left)
    return makeError(ErrorCode::badInput, "{}: {} bytes of data do not make shape {} of type {}", file.string(), left,
                     shapeText(header->shape), header->type);
  std::string raw(left, '\0');
  if (!in.read(raw.data(), static_cast<std::streamsize>(left)))
    return makeError(ErrorCode::resource, "{}: cannot be read", file.string());
  Tensor t{header->shape, {}};
  type->fill(raw, t);
  return t;
}

namespace {

const char* descriptionOf(Type type) {
  switch (type) {
    case Type::i64: return "<i8";
    case Type::i8: return "|i1";
    case Type::u8: return "|u1";
    default: return "<f4";
  }
}

}  // namespace

Expected<void> writeNpy(const std::filesystem::path& file, const Tensor& tensor) {
  const std::string shape = fmt::format("{}{}", fmt::join(tensor.shape, ", "), tensor.shape.size() == 1 ? "," : "");
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descriptionOf(tensor.type()), shape);
  constexpr size_t kPrefix = 10, kAlignment = 64;  // numpy.save aligns the data; the header ends with a line feed
  header.append((kAlignment - (kPrefix + header.size() + 1) % kAlignment) % kAlignment, ' ');
  header += '\n';
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(kMagic.data(), kMagic.size());
  const char version[4] = {1, 0, static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  out.write(version, sizeof(version));
  out.write(header.data(), static_cast<std::streamsize>(header.size()));
  const auto writeAll = [&](const auto& values) {
    out.write(reinterpret_cast<const char*>(values.data()),
              static_cast<std::streamsize>(values.size() * sizeof(values[0])));
  };
  std::visit(writeAll, tensor.data);
  out.close();
  if (!out) return makeError(ErrorCode::resource, "{}: cannot be written: is there space left?", file.string());
  return {};
}

}  // namespace lynceus::nn
