/** A process that reads one image, for decode_test.ts. */
import { decodeImage } from "../../src/image/decode.ts";
import { printGrown } from "../support/grown.ts";

await printGrown((bytes) => decodeImage(bytes, "FILE"));
