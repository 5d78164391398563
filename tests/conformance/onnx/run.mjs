// Runs every model of a batch through ONNX Runtime: node run.mjs NODE_MODULES BATCH_FOLDER
// BATCH_FOLDER/cases.json: [{model, inputs: [{name, shape, file}], outputs: [name]}]; files hold raw float32.
// Writes BATCH_FOLDER/results.json: [{outputs: [{shape, file}]} or {error}].
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const [modules, batch] = process.argv.slice(2);
const ort = createRequire(join(resolve(modules), 'x.js'))('onnxruntime-node');

async function runCase(test, index) {
  const session = await ort.InferenceSession.create(join(batch, test.model), { intraOpNumThreads: 2, logSeverityLevel: 4 });
  const feeds = {};
  for (const input of test.inputs) {
    const bytes = readFileSync(join(batch, input.file));
    feeds[input.name] = new ort.Tensor('float32', new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4), input.shape);
  }
  const start = performance.now();
  const results = await session.run(feeds);
  const ms = performance.now() - start;
  return { ms, outputs: test.outputs.map((name, k) => {
    const file = `${index}.out${k}.f32`;
    writeFileSync(join(batch, file), Buffer.from(Float32Array.from(results[name].data, Number).buffer));
    return { shape: results[name].dims, file };
  }) };
}

const results = [];
for (const [index, test] of JSON.parse(readFileSync(join(batch, 'cases.json'))).entries())
  results.push(await runCase(test, index).catch((e) => ({ error: String(e.message ?? e) })));
writeFileSync(join(batch, 'results.json'), JSON.stringify(results));
