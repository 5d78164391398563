// ONNX Runtime in a process of its own, driven by one line of JSON for each request.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/support/onnx_runtime.h"

namespace lynceus::benchmarks {

// The first run finds the shapes of the outputs; later ones write into the memory of the first, so that no copy of the
// binding is measured. Threads that spin stop with the run, so that they disturb nobody else.
inline constexpr const char* kPeerScript = R"js(
const fs = require('fs');
const ort = require(process.argv[1] + '/onnxruntime-node');
let session, feeds, fetches;
const verbs = {
  async version() { return { version: require(process.argv[1] + '/onnxruntime-node/package.json').version }; },
  async load({ model, threads, spin, inputs }) {
    session = await ort.InferenceSession.create(model, {
      graphOptimizationLevel: 'all', executionMode: 'sequential', intraOpNumThreads: threads, interOpNumThreads: 1,
      enableCpuMemArena: true, enableMemPattern: true, logSeverityLevel: 3,
      extra: { session: { intra_op: { allow_spinning: spin ? '1' : '0' }, force_spinning_stop: '1' } },
    });
    feeds = {};
    for (const { name, shape, file } of inputs) {
      const bytes = fs.readFileSync(file);
      feeds[name] = new ort.Tensor('float32', new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4), shape);
    }
    fetches = await session.run(feeds);
    return {};
  },
  async run() {
    const start = performance.now();
    await session.run(feeds, fetches);
    return { ms: performance.now() - start };
  },
  async save({ folder }) {
    return { outputs: session.outputNames.map((name, i) => {
      const { dims, data } = fetches[name], file = `${folder}/peer${i}.f32`;
      fs.writeFileSync(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      return { name, shape: dims, file };
    }) };
  },
  async unload() {
    await session?.release();
    session = feeds = fetches = undefined;
    gc();
    return {};
  },
};
(async () => {
  for await (const line of require('readline').createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    const answer = await verbs[request.verb](request).catch((e) => ({ error: String(e.message ?? e) }));
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
})();
)js";

class Peer {
 public:
  Peer() {
    std::signal(SIGPIPE, SIG_IGN);
    int toChild[2], fromChild[2];
    if (pipe2(toChild, O_CLOEXEC) != 0 || pipe2(fromChild, O_CLOEXEC) != 0) std::abort();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, toChild[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fromChild[1], STDOUT_FILENO);
    std::string node = test::nodeProgram(), collect = "--expose-gc", evaluate = "-e", script = kPeerScript;
    std::string modules = test::onnxRuntimeModules().string();
    char* arguments[] = {node.data(), collect.data(), evaluate.data(), script.data(), modules.data(), nullptr};
    if (posix_spawnp(&m_child, node.c_str(), &actions, nullptr, arguments, environ) != 0) m_child = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(toChild[0]);
    close(fromChild[1]);
    m_in = fdopen(toChild[1], "w");
    m_out = fdopen(fromChild[0], "r");
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() {
    std::fclose(m_in);  // the end of its input ends the child
    std::fclose(m_out);
    if (m_child > 0) waitpid(m_child, nullptr, 0);
  }

  /// @return the answer, or what ONNX Runtime did not like.
  Expected<nlohmann::json> ask(const char* verb, nlohmann::json request = nlohmann::json::object()) {
    request["verb"] = verb;
    const std::string text = request.dump() + "\n";
    std::fwrite(text.data(), 1, text.size(), m_in);
    std::fflush(m_in);
    char* line = nullptr;
    size_t capacity = 0;
    const ssize_t length = getline(&line, &capacity, m_out);
    const auto answer = length > 0 ? nlohmann::json::parse(line, line + length, nullptr, false) : nlohmann::json();
    std::free(line);
    if (!answer.is_object())
      return makeError(ErrorCode::resource,
                       "ONNX Runtime does not answer to \"{}\": are {} and {} there (LYNCEUS_NODE, LYNCEUS_ORT_DIR), "
                       "and is there memory enough?",
                       verb, test::nodeProgram(), (test::onnxRuntimeModules() / "onnxruntime-node").string());
    if (answer.contains("error"))
      return makeError(ErrorCode::unsupported, "ONNX Runtime: {}", answer["error"].get<std::string>());
    return answer;
  }

 private:
  pid_t m_child = -1;
  FILE* m_in = nullptr;
  FILE* m_out = nullptr;
};

}  // namespace lynceus::benchmarks
