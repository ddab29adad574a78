/**
 * Convolution 3x3: forward, input gradient, weight gradient.
 */
import { CONV_PARTS, convCase } from "../src/measure/kernels.ts";
import { register } from "./support.ts";

for (const part of CONV_PARTS) {
  await register(convCase(part, { batch: 4, channels: 64, outputs: 64, side: 32, kernel: 3 }), 2);
  await register(convCase(part, { batch: 4, channels: 256, outputs: 256, side: 8, kernel: 3 }), 2);
}
