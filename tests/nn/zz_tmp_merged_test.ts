import { mergeSmall } from "../../src/graph/merge.ts";
mergeSmall.forced = true;
await import("./norm_test.ts");
