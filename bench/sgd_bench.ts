/**
 * The update of SGD with momentum, all parameters in one kernel.
 */
import { sgdCase } from "../src/measure/kernels.ts";
import { register } from "./support.ts";

await register(sgdCase(62_006), 128);
await register(sgdCase(1 << 20), 8);
