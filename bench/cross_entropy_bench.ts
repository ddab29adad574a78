/**
 * Softmax and cross-entropy with their gradient.
 */
import { crossEntropyCase } from "../src/measure/kernels.ts";
import { register } from "./support.ts";

await register(crossEntropyCase(8192, 100), 8);
await register(crossEntropyCase(128, 10), 256);
