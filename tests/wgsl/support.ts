/**
 * What tests of the tree share.
 *
 * @module
 */
import type { Module } from "../../src/wgsl/ast.ts";
import { type Kernel, specialize } from "../../src/wgsl/specialize.ts";
import { WgslError } from "../../src/wgsl/source.ts";

/** The tree of a variant as plain data: without positions, and each symbol by its name and type where it is used. */
export function tree({ declarations }: Module): unknown {
  const declared = new Set<unknown>(declarations);
  const plain = (value: unknown, isUse: boolean): unknown => {
    if (Array.isArray(value)) return value.map((one) => plain(one, isUse));
    if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : value;
    if (isUse && declared.has(value)) return `use of ${(value as { name: string }).name}`;
    return Object.fromEntries(
      Object.entries(value).filter(([key]) => key !== "at").map(([key, part]) => [key, plain(part, true)]),
    );
  };
  return declarations.map((one) => plain(one, false));
}

/** The variant of a text without new constants. */
export function moduleOf(source: string, includes: Kernel["includes"] = {}): Module {
  return specialize({ file: "test.wgsl", source, ...includes && { includes } }, {});
}

/** The message of the `WgslError` that `make` throws. */
export function errorOf(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    if (error instanceof WgslError) return error.message;
    throw error;
  }
  throw new Error("no error");
}
