/**
 * Square matrix products.
 */
import { matmulCase } from "../src/measure/kernels.ts";
import { register } from "./support.ts";

await register(matmulCase(256), 16);
await register(matmulCase(512), 2);
