/**
 * Layers: modules with the names, options, defaults and printed form of `torch.nn`.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { checkFlag, checkOptions, describe, option, type Pair, pair, readOptions } from "../ops/options.ts";
import { flatten } from "../ops/shape/view.ts";
import { Tensor } from "../tensor/tensor.ts";
import { valueOf } from "../tensor/value_of.ts";
import * as F from "./functional.ts";
import { defaultParameter } from "./parameter.ts";
import { Module } from "./module.ts";
import { convOptions, count, poolOptions } from "./options.ts";
import { either, pythonBool, tuple } from "./python_text.ts";

const BIAS = option(checkFlag, true, false);
const PADDING_MODES = ["zeros", "reflect", "replicate", "circular"] as const;

export interface Conv2dLayerOptions extends F.Conv2dOptions {
  /** Whether the layer adds a bias. Default true. */
  bias?: boolean;
  /** The padding: zeros (default), or the input's elements, as in `F.pad`. */
  paddingMode?: typeof PADDING_MODES[number];
}

/** A 2-D convolution with its weight [out, in/groups, kh, kw] and bias [out]. See `F.conv2d`. */
export class Conv2d extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  readonly #kernel: Pair;
  readonly #options: F.Conv2dOptions;
  readonly #paddingMode: typeof PADDING_MODES[number];

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernel: F.Size,
    options: Conv2dLayerOptions = {},
  ) {
    super();
    const known = { stride: 2, padding: 1, dilation: 2, groups: 2, bias: false, paddingMode: "reflect" };
    checkOptions(options, known, "Conv2d");
    const { bias = true, paddingMode = "zeros", ...rest } = options;
    if (!PADDING_MODES.includes(paddingMode)) {
      throw new ShapeError(`Conv2d: paddingMode must be ${PADDING_MODES.join(", ")}, got ${describe(paddingMode)}`);
    }
    count(inChannels, "Conv2d: the number of input channels");
    count(outChannels, "Conv2d: the number of output channels");
    const [kh, kw] = this.#kernel = pair(kernel, 1, "Conv2d: kernel"), { groups } = convOptions(rest, this.#kernel);
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new ShapeError(`Conv2d: ${inChannels} and ${outChannels} channels do not divide into ${groups} groups`);
    }
    this.#options = rest;
    this.#paddingMode = paddingMode;
    const fanIn = inChannels / groups * kh * kw;
    this.weight = defaultParameter([outChannels, inChannels / groups, kh, kw], fanIn);
    this.bias = checkFlag(bias, "Conv2d: bias") ? defaultParameter([outChannels], fanIn) : null;
  }

  override forward(x: Tensor): Tensor {
    const mode = this.#paddingMode;
    if (mode === "zeros") return F.conv2d(x, this.weight, this.bias, this.#options);
    const { padding: [h, w], behind } = convOptions(this.#options, this.#kernel);
    const padded = F.pad(x, [w, w + behind[1], h, h + behind[0]], { mode });
    return F.conv2d(padded, this.weight, this.bias, { ...this.#options, padding: 0 });
  }

  override extraRepr(): string {
    const { stride, padding, dilation, groups } = convOptions(this.#options, this.#kernel);
    const named = this.#options.padding;
    const fields = [
      `${this.inChannels}, ${this.outChannels}`,
      `kernel_size=${tuple(this.#kernel)}`,
      `stride=${tuple(stride)}`,
    ];
    if (typeof named === "string") fields.push(`padding=${named}`);
    else if (padding.some((by) => by !== 0)) fields.push(`padding=${tuple(padding)}`);
    if (dilation.some((by) => by !== 1)) fields.push(`dilation=${tuple(dilation)}`);
    if (groups !== 1) fields.push(`groups=${groups}`);
    if (!this.bias) fields.push("bias=False");
    if (this.#paddingMode !== "zeros") fields.push(`padding_mode=${this.#paddingMode}`);
    return fields.join(", ");
  }
}

/** x [..., in] weight [out, in]ᵀ + bias [out]. */
export class Linear extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | null;

  constructor(readonly inFeatures: number, readonly outFeatures: number, options: { bias?: boolean } = {}) {
    super();
    const { bias } = readOptions(options, { bias: BIAS }, "Linear");
    count(inFeatures, "Linear: the number of input features");
    count(outFeatures, "Linear: the number of output features");
    this.weight = defaultParameter([outFeatures, inFeatures], inFeatures);
    this.bias = bias ? defaultParameter([outFeatures], inFeatures) : null;
  }

  override forward(x: Tensor): Tensor {
    return F.linear(x, this.weight, this.bias);
  }

  override extraRepr(): string {
    return `in_features=${this.inFeatures}, out_features=${this.outFeatures}, bias=${pythonBool(this.bias !== null)}`;
  }
}

/** The maximum of each window. See `F.maxPool2d`. */
export class MaxPool2d extends Module {
  constructor(readonly kernelSize: F.Size, readonly options: F.MaxPool2dOptions = {}) {
    super();
    poolOptions(kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.maxPool2d(x, this.kernelSize, this.options);
  }

  override extraRepr(): string {
    const { stride = this.kernelSize, padding = 0 } = this.options;
    return `kernel_size=${either(this.kernelSize)}, stride=${either(stride)}, padding=${
      either(padding)
    }, dilation=1, ceil_mode=False`;
  }
}

/** max(x, 0). */
export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return F.relu(x);
  }
}

/** Joins the dimensions from `startDim` (default 1) to `endDim` (default the last). */
export class Flatten extends Module {
  constructor(readonly startDim = 1, readonly endDim = -1) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return new Tensor(flatten(valueOf(x, "Flatten"), this.startDim, this.endDim));
  }

  override extraRepr(): string {
    return `start_dim=${this.startDim}, end_dim=${this.endDim}`;
  }
}

/** Modules one after the other. They are named "0", "1", … */
export class Sequential extends Module {
  readonly #modules: readonly Module[];

  constructor(...modules: Module[]) {
    super();
    for (const one of modules) {
      if (one instanceof Module) continue;
      const { name } = new.target;
      throw new ShapeError(`${name}: expected modules, as in ${name}(a, b), got ${describe(one)}`);
    }
    this.#modules = modules;
  }

  override namedChildren(): [string, Module][] {
    return this.#modules.map((module, i) => [`${i}`, module]);
  }

  override forward(x: Tensor): Tensor {
    return this.#modules.reduce((y, module) => module.forward(y), x);
  }
}
