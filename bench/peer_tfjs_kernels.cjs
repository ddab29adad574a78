// Times a kernel of TensorFlow.js on WebGPU under Deno, as bench/peers.ts asks for it: matmul-N, or conv-PART-CHANNELS-SIDE.
const tf = require("@tensorflow/tfjs");
require("@tensorflow/tfjs-backend-webgpu");
const process = require("node:process");
const [what, first, channels, side] = process.argv[2].split("-");
(async () => {
  await tf.setBackend("webgpu");
  await tf.ready();
  let run;
  if (what === "matmul") {
    const a = tf.randomNormal([+first, +first]), b = tf.randomNormal([+first, +first]);
    run = () => tf.matMul(a, b);
  } else {
    const x = tf.randomNormal([32, +side, +side, +channels]), w = tf.randomNormal([3, 3, +channels, +channels]);
    const dy = tf.randomNormal([32, +side, +side, +channels]);
    // Asked for one gradient alone, it computes that one alone.
    const dx = tf.grad((x) => tf.conv2d(x, w, 1, "same")), dw = tf.grad((w) => tf.conv2d(x, w, 1, "same"));
    run = { forward: () => tf.conv2d(x, w, 1, "same"), input: () => dx(x, dy), weight: () => dw(w, dy) }[first];
  }
  const once = async () => {
    const y = run();
    await y.data();
    y.dispose();
  };
  await once();
  const times = [];
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    await once();
    times.push(performance.now() - start);
  }
  console.log(JSON.stringify({ peer: "tfjs webgpu", ms: times.sort((a, b) => a - b)[1] }));
  process.exit(0);
})();
