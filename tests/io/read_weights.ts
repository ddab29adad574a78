/** A process that reads one file of weights, for corruption_test.ts. */
import { decodeWeights } from "../../src/io/formats.ts";
// What is loaded when it is needed must not count.
import "../../src/io/npz.ts";
import "../../src/io/pytorch.ts";
import { printGrown } from "../support/grown.ts";

await printGrown((bytes) => decodeWeights(bytes, "FILE"));
