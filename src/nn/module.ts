/**
 * `Module`: the base class of layers and networks. A module's parameters are the leaves among its properties that require
 * gradients or did so once (and are frozen now); its children are the modules among its properties. Both are in the order
 * in which they were assigned. Its buffers are the tensors that it registers with `registerBuffer()`.
 *
 * @module
 */
import { ShapeError, WeightsError } from "../errors.ts";
import { trainable } from "../tensor/autograd.ts";
import { checkFlag, checkOptions, describe } from "../ops/options.ts";
import { loadState } from "../tensor/state.ts";
import { Tensor } from "../tensor/tensor.ts";

/** The base class of layers and networks. */
export abstract class Module {
  /** Whether the module is in training mode, which is the default. */
  training = true;
  readonly #buffers = new Map<string, { readonly tensor: Tensor; readonly persistent: boolean }>();

  /** The module's output. */
  abstract forward(x: Tensor, ...more: Tensor[]): Tensor;

  /** The modules among this module's properties, with their names. */
  namedChildren(): [string, Module][] {
    return Object.entries(this).filter((entry): entry is [string, Module] => entry[1] instanceof Module);
  }

  /** This module and all below it, with their dotted names; the name of this module is `prefix`. Shared modules once. */
  namedModules(prefix = "", seen: Set<Module> = new Set()): [string, Module][] {
    if (seen.has(this)) return [];
    seen.add(this);
    return [
      [prefix, this],
      ...this.namedChildren().flatMap(([name, child]) => child.namedModules(dotted(prefix, name), seen)),
    ];
  }

  /** The parameters with their dotted names, as in PyTorch: "conv1.weight". Shared parameters once. */
  namedParameters(): [string, Tensor][] {
    return this.#named((module) => module.#ownParameters());
  }

  /** The parameters without their names. */
  parameters(): Tensor[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  /**
   * Makes `tensor` a buffer: part of the state, but not a parameter, whether it requires gradients or not. It replaces a
   * buffer of the same name. Unlike in PyTorch, the module gets no property of this name.
   *
   * @param options `persistent`: whether `stateDict()` has it. Default true.
   * @returns `tensor`.
   * @throws {ShapeError} if `tensor` is not a Tensor, or `name` is empty, has a dot, or is the name of a parameter or a
   * child.
   */
  registerBuffer(name: string, tensor: Tensor, options: { persistent?: boolean } = {}): Tensor {
    checkOptions(options, { persistent: false }, "registerBuffer");
    const persistent = checkFlag(options.persistent ?? true, "registerBuffer: persistent");
    if (typeof name !== "string" || name === "" || name.includes(".")) {
      throw new ShapeError(`registerBuffer: expected a name without dots, got ${describe(name)}`);
    }
    if (!(tensor instanceof Tensor)) {
      throw new ShapeError(`registerBuffer: expected a Tensor for ${describe(name)}, got ${describe(tensor)}`);
    }
    if ([...this.#ownParameters(), ...this.namedChildren()].some(([taken, one]) => taken === name && one !== tensor)) {
      throw new ShapeError(`registerBuffer: ${describe(name)} is the name of a parameter or a child`);
    }
    this.#buffers.set(name, { tensor, persistent });
    return tensor;
  }

  /** The buffers with their dotted names: "bn1.running_mean". Shared buffers once. */
  namedBuffers(): [string, Tensor][] {
    return this.#named((module) => Array.from(module.#buffers, ([name, { tensor }]) => [name, tensor]));
  }

  /** The buffers without their names. */
  buffers(): Tensor[] {
    return this.namedBuffers().map(([, buffer]) => buffer);
  }

  #ownParameters(): [string, Tensor][] {
    const buffers = new Set(Array.from(this.#buffers.values(), ({ tensor }) => tensor));
    return Object.entries(this).filter((entry): entry is [string, Tensor] =>
      isParameter(entry[1]) && !buffers.has(entry[1])
    );
  }

  /** The tensors that `of` returns for this module and all below it, by dotted name. Shared tensors once. */
  #named(of: (module: Module) => [string, Tensor][]): [string, Tensor][] {
    const seen = new Set<Tensor>();
    return this.namedModules().flatMap(([prefix, module]) =>
      of(module).map(([name, tensor]): [string, Tensor] => [dotted(prefix, name), tensor])
    ).filter(([, tensor]) => !seen.has(tensor) && seen.add(tensor));
  }

  /**
   * The tensors of a weights file, by name, shared ones under each of their names: of each module the parameters, then
   * the persistent buffers, then those of its children. The tensors are not copies.
   */
  stateDict(prefix = ""): Map<string, Tensor> {
    const buffers = [...this.#buffers].filter(([, { persistent }]) => persistent);
    return new Map([
      ...this.#ownParameters().map(([name, parameter]): [string, Tensor] => [dotted(prefix, name), parameter]),
      ...buffers.map(([name, { tensor }]): [string, Tensor] => [dotted(prefix, name), tensor]),
      ...this.namedChildren().flatMap(([name, child]) => [...child.stateDict(dotted(prefix, name))]),
    ]);
  }

  /**
   * Copies the values of `state`, by name.
   *
   * @throws {WeightsError} naming each parameter or buffer that is missing, unexpected, not a tensor, or of another shape
   * or type. Nothing is changed then.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    const { name } = this.constructor;
    loadState(this.stateDict(), state, (why) => new WeightsError(`the weights do not fit ${name}: ${why}`));
  }

  /** Sets the training mode of this module and all below it. */
  train(mode = true): this {
    for (const [, module] of this.namedModules()) module.training = mode;
    return this;
  }

  /** Sets evaluation mode: `train(false)`. */
  eval(): this {
    return this.train(false);
  }

  /** Removes the gradients of all parameters. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null;
  }

  /** The text between the parentheses when the module is printed. */
  extraRepr(): string {
    return "";
  }

  /** The module and those below it, as PyTorch prints them. */
  toString(): string {
    const indent = (text: string) => text.replaceAll("\n", "\n  ");
    const children = this.namedChildren().map(([name, child]) => `  (${name}): ${indent(String(child))}\n`);
    const extra = this.extraRepr();
    if (children.length === 0) return `${this.constructor.name}(${extra})`;
    return `${this.constructor.name}(\n${extra ? `  ${indent(extra)}\n` : ""}${children.join("")})`;
  }
}

/** Whether a module's property is a parameter: a leaf that requires gradients or once did. */
function isParameter(value: unknown): value is Tensor {
  if (!(value instanceof Tensor) || !value.isLeaf) return false;
  return trainable.has(value);
}

const dotted = (prefix: string, name: string) => prefix ? `${prefix}.${name}` : name;
