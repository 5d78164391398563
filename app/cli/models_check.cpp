// lynceus models check: where each node of an ONNX network will run and what it costs, or why it cannot run.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "core/compute/device.h"
#include "core/detect/second_stage.h"
#include "core/model/package.h"
#include "core/nn/onnx_import.h"
#include "core/nn/op_call.h"
#include "core/nn/passes/resolve.h"

namespace lynceus::cli {
namespace {

using nlohmann::json;

struct Arguments {
  std::string file, device = "auto", precision = "fp32";
  std::vector<std::string> inputs;
  bool asJson = false;
};

using Shapes = std::map<std::string, nn::Shape>;

Expected<std::pair<std::string, nn::Shape>> parseInput(const std::string& argument) {
  const size_t equals = argument.rfind('=');
  nn::Shape shape;
  bool valid = equals != 0 && equals != std::string::npos;
  const char* at = valid ? argument.data() + equals + 1 : nullptr;
  const char* end = argument.data() + argument.size();
  while (valid) {
    const auto [next, failed] = std::from_chars(at, end, shape.emplace_back());
    valid = failed == std::errc{} && shape.back() > 0 && (next == end || *next == 'x');
    if (next == end) break;
    at = next + 1;
  }
  if (!valid)
    return makeError(ErrorCode::wrongUse, "--input {}: write it as NAME=SHAPE, such as image=1x1x128x128x128",
                     argument);
  return std::pair{argument.substr(0, equals), shape};
}

bool isOpen(const nn::Shape& shape) {
  return shape.empty() || std::count(shape.begin(), shape.end(), -1) != 0;  // no shape at all is open, too
}

// "1x1x?x?x?"
std::string openText(const nn::Shape& shape) {
  if (shape.empty()) return "of no stated shape";
  std::vector<std::string> dims;
  for (const int64_t d : shape) dims.push_back(d == -1 ? "?" : std::to_string(d));
  return fmt::format("{}", fmt::join(dims, "x"));
}

// A shape that may be meant: one image of one channel with sides of 128.
nn::Shape exampleOf(nn::Shape shape) {
  if (shape.empty()) return {1, 1, 128, 128, 128};
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] == -1) shape[i] = i < 2 ? 1 : 128;
  return shape;
}

// What --input says and what the file says; an error with the command to type where dimensions stay open.
Expected<Shapes> inputShapes(const nn::Graph& graph, const Arguments& args) {
  Shapes shapes;
  for (const std::string& argument : args.inputs) {
    auto parsed = parseInput(argument);
    if (!parsed) return passError(parsed);
    shapes.insert(std::move(*parsed));
  }
  std::vector<std::string> open;
  std::string command = "lynceus models check '" + args.file + "'";
  for (const nn::ValueInfo& input : graph.inputs) {
    const auto given = shapes.find(input.name);
    if (given == shapes.end() && isOpen(input.shape))
      open.push_back(fmt::format("input \"{}\" is {}", input.name, openText(input.shape)));
    else if (given == shapes.end())
      shapes[input.name] = input.shape;
    command += fmt::format(" --input '{}={}'", input.name,
                           nn::shapeText(given == shapes.end() ? exampleOf(input.shape) : given->second));
  }
  if (open.empty()) return shapes;
  return makeError(ErrorCode::wrongUse, "{}: {}: say which size each ? has, such as\n  {}", args.file,
                   fmt::join(open, "; "), command);
}

const char* typeName(nn::Type type) {
  switch (type) {
    case nn::Type::f32: return "f32";
    case nn::Type::bf16: return "bf16";
    case nn::Type::i64: return "i64";
    case nn::Type::i8: return "i8";
    case nn::Type::u8: return "u8";
  }
  return "";
}

struct Totals {
  double flops = 0, bytes = 0;
};

Totals totalsOf(const std::vector<compute::StepReport>& steps) {
  Totals totals;
  for (const compute::StepReport& s : steps) {
    totals.flops += s.flops;
    totals.bytes += s.bytes;
  }
  return totals;
}

double percentOf(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

double arenaRatio(const compute::ExecutableReport& report) {
  return report.boundBytes == 0 ? 1 : static_cast<double>(report.arenaBytes) / static_cast<double>(report.boundBytes);
}

// The last `width` characters, as the ends of names tell more than their beginnings; what no terminal should see is
// '?'.
std::string ending(const std::string& text, size_t width) {
  std::string shown;
  for (const char c : text) shown += c >= ' ' && c < 127 ? c : '?';
  return shown.size() <= width ? shown : "~" + shown.substr(shown.size() - width + 1);
}

// One row for each step, 120 columns wide at most: what the other columns leave is for the node's name.
class Table {
 public:
  explicit Table(const std::vector<compute::StepReport>& steps) {
    for (const compute::StepReport& s : steps) {
      widen(m_op, s.op.size(), 18);
      widen(m_kernel, s.kernel.size(), 36);
      widen(m_shape, nn::shapeText(s.shape).size(), 20);
    }
    constexpr size_t kWidth = 120, kNumbers = 4 + 8 + 7 + 7, kSpaces = 7;
    const size_t left = kWidth - kNumbers - kSpaces - m_op - m_kernel - m_shape;
    for (const compute::StepReport& s : steps) widen(m_node, s.node.size(), left);
  }

  void print(const std::vector<compute::StepReport>& steps) const {
    const double flops = totalsOf(steps).flops;
    row("node", "op", "runs on", "type", "output", "GFLOP", "MB", "share");
    for (const compute::StepReport& s : steps)
      row(s.node, s.op, s.kernel, typeName(s.type), nn::shapeText(s.shape), fmt::format("{:.3f}", s.flops / 1e9),
          fmt::format("{:.1f}", s.bytes / 1e6), fmt::format("{:.1f} %", percentOf(s.flops, flops)));
  }

 private:
  static void widen(size_t& column, size_t needed, size_t most) { column = std::min(most, std::max(column, needed)); }
  void row(const std::string& node, const std::string& op, const std::string& kernel, const char* type,
           const std::string& shape, const std::string& gflop, const std::string& mb, const std::string& share) const {
    fmt::print("{:<{}} {:<{}} {:<{}} {:<4} {:<{}} {:>8} {:>7} {:>7}\n", ending(node, m_node), m_node, ending(op, m_op),
               m_op, ending(kernel, m_kernel), m_kernel, type, ending(shape, m_shape), m_shape, gflop, mb, share);
  }

  size_t m_node = 4, m_op = 2, m_kernel = 7, m_shape = 6;
};

void printSummary(const compute::ExecutableReport& report) {
  struct Part {
    size_t steps = 0;
    double flops = 0;
  };
  std::map<std::string, Part> kernels;
  for (const compute::StepReport& s : report.steps) {
    ++kernels[s.kernel].steps;
    kernels[s.kernel].flops += s.flops;
  }
  const Totals totals = totalsOf(report.steps);
  fmt::print("\n");
  for (const auto& [kernel, part] : kernels)
    fmt::print("{:>6} on {}: {:.1f} % of the arithmetic\n", part.steps, ending(kernel, 60),
               percentOf(part.flops, totals.flops));
  fmt::print("\n{} steps, {:.3f} GFLOP, {:.1f} MB read and written at least\n", report.steps.size(), totals.flops / 1e9,
             totals.bytes / 1e6);
  fmt::print("memory: weights {:.1f} MB, arena {:.1f} MB ({:.3f} x the {:.1f} MB alive at once)\n",
             static_cast<double>(report.weightBytes) / 1e6, static_cast<double>(report.arenaBytes) / 1e6,
             arenaRatio(report), static_cast<double>(report.boundBytes) / 1e6);
}

json jsonOf(const compute::ExecutableReport& report) {
  const Totals totals = totalsOf(report.steps);
  json nodes = json::array();
  for (const compute::StepReport& s : report.steps)
    nodes.push_back({{"node", s.node},
                     {"op", s.op},
                     {"kernel", s.kernel},
                     {"type", typeName(s.type)},
                     {"shape", s.shape},
                     {"flops", s.flops},
                     {"bytes", s.bytes},
                     {"share", percentOf(s.flops, totals.flops) / 100}});
  return {{"nodes", std::move(nodes)},
          {"totals",
           {{"flops", totals.flops},
            {"bytes", totals.bytes},
            {"weightBytes", report.weightBytes},
            {"arenaBytes", report.arenaBytes},
            {"boundBytes", report.boundBytes},
            {"arenaToBound", arenaRatio(report)}}}};
}

json jsonOf(const std::vector<nn::NodeProblem>& problems) {
  json list = json::array();
  for (const nn::NodeProblem& p : problems)
    list.push_back({{"node", p.node}, {"op", p.op}, {"reason", p.reason}, {"advice", p.advice}});
  return list;
}

void printProblems(const std::vector<nn::NodeProblem>& problems, size_t nodes) {
  fmt::print("{} of {} nodes cannot run:\n", problems.size(), nodes);
  for (const nn::NodeProblem& p : problems) {
    fmt::print("\n  {} ({})\n    {}\n", ending(p.node, 100), ending(p.op, 60), ending(p.reason, p.reason.size()));
    if (!p.advice.empty()) fmt::print("    instead: {}\n", p.advice);
  }
  fmt::print("\nNodes that take what these compute have no known shapes and are only checked for their operator.\n");
}

Expected<int> checkNetwork(const Arguments& args) {
  const auto precision = parsePrecision(args.precision);
  if (!precision) return passError(precision);
  const auto graph = nn::importOnnx(args.file);
  if (!graph) return passError(graph);
  const auto shapes = inputShapes(*graph, args);
  if (!shapes) return passError(shapes);
  auto device = compute::openDevice(args.device);
  if (!device) return passError(device);
  const auto problems = nn::findProblems(*graph, *shapes);
  if (!problems) return makeError(problems.error().code, "{}: {}", args.file, problems.error().message);
  json document = {{"file", args.file},       {"device", (*device)->description()}, {"precision", args.precision},
                   {"inputs", *shapes},       {"problems", jsonOf(*problems)},      {"nodes", json::array()},
                   {"totals", json::object()}};
  if (problems->empty()) {
    if (auto fits = checkPrecision(args.precision, *graph); !fits)
      return makeError(fits.error().code, "{}: {}", args.file, fits.error().message);
    const auto executable = (*device)->compile(*graph, *shapes, {*precision});
    if (!executable) return makeError(executable.error().code, "{}: {}", args.file, executable.error().message);
    const compute::ExecutableReport report = (*executable)->report();
    document.update(jsonOf(report));
    if (!args.asJson) {
      fmt::print("{} on {}, {}\n\n", args.file, (*device)->description(), args.precision);
      Table(report.steps).print(report.steps);
      printSummary(report);
    }
  } else if (!args.asJson) {
    printProblems(*problems, graph->nodes.size());
  }
  if (args.asJson) fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
  return static_cast<int>(problems->empty() ? kExitOk : kExitRejected);
}

/// The networks of a package with the inputs that detection gives them; args.file is its folder.
Expected<int> checkPackage(const Arguments& args) {
  const auto package = model::readPackage(args.file);
  if (!package) return passError(package);
  if (auto whole = model::verifyPackage(*package); !whole) return passError(whole);
  const int64_t tile = package->tiling.maxSizeVoxels;
  std::vector<std::pair<std::string, nn::Shape>> networks{{package->network, {1, 1, tile, tile, tile}}};
  if (const auto& second = package->secondStage) {
    const int64_t side = second->cropVoxels;
    networks.push_back({second->network, {detect::kBatch, 1, side, side, side}});
  }
  int exitCode = kExitOk;
  for (const auto& [name, shape] : networks) {
    Arguments one = args;
    one.file = (package->folder / name).string();
    const auto graph = nn::importOnnx(one.file);
    if (!graph) return passError(graph);
    if (one.inputs.empty() && graph->inputs.size() == 1)
      one.inputs = {fmt::format("{}={}", graph->inputs[0].name, nn::shapeText(shape))};
    auto checked = checkNetwork(one);
    if (!checked) return checked;
    if (exitCode == kExitOk) exitCode = *checked;
    if (&name != &networks.back().first) fmt::print("\n");
  }
  return exitCode;
}

Expected<int> check(const Arguments& args) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(args.file, ignored)) return checkNetwork(args);
  if (args.asJson)
    return makeError(ErrorCode::wrongUse, "{}: --json describes one network: name an ONNX file of the package",
                     args.file);
  return checkPackage(args);
}

}  // namespace

void addModelsCheck(CLI::App& models, int& exitCode) {
  auto args = std::make_shared<Arguments>();
  CLI::App* command = models.add_subcommand("check", "Where each node of an ONNX network runs, and what it costs");
  command->add_option("file", args->file, "ONNX file, or the folder of a model package")->required();
  command->add_option("--input", args->inputs,
                      "NAME=SHAPE, such as image=1x1x128x128x128, where the file leaves it open");
  command->add_option("--device", args->device, "auto, cpu or reference")->capture_default_str();
  command->add_option("--precision", args->precision, kPrecisionHelp)->capture_default_str();
  addThreadsOption(*command);
  command->add_flag("--json", args->asJson, "everything, for programs");
  command->callback([args, &exitCode] {
    const auto done = check(*args);
    exitCode = done ? *done : reportError(done.error());
  });
}

}  // namespace lynceus::cli
