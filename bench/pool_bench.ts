/**
 * Max-pooling, forward and gradient.
 */
import { poolCase } from "../src/measure/kernels.ts";
import { register } from "./support.ts";

await register(poolCase("forward", 32, 64, 32), 8);
await register(poolCase("forward and gradient", 32, 64, 32), 4);
