/**
 * `Module`: the base of layers and networks. A module's parameters are the leaves among its properties that require
 * gradients or did so once (which are frozen now), its children the modules among them, both in the order in which they
 * were assigned.
 *
 * @module
 */
import { WeightsError } from "../errors.ts";
import { trainable } from "../tensor/autograd.ts";
import { loadState } from "../tensor/state.ts";
import { Tensor } from "../tensor/tensor.ts";

export abstract class Module {
  /** Whether the module is in training mode, which is the default. */
  training = true;

  /** The module's output. */
  abstract forward(x: Tensor, ...more: Tensor[]): Tensor;

  /** The modules among this one's properties, with their names. */
  namedChildren(): [string, Module][] {
    return Object.entries(this).filter((entry): entry is [string, Module] => entry[1] instanceof Module);
  }

  /** This module and all below it, with their dotted names; this one's is `prefix`. Shared ones once. */
  namedModules(prefix = "", seen: Set<Module> = new Set()): [string, Module][] {
    if (seen.has(this)) return [];
    seen.add(this);
    return [
      [prefix, this],
      ...this.namedChildren().flatMap(([name, child]) => child.namedModules(dotted(prefix, name), seen)),
    ];
  }

  /** The parameters with their dotted names, as PyTorch has them: "conv1.weight". Shared ones once. */
  namedParameters(): [string, Tensor][] {
    const seen = new Set<Tensor>();
    return [...this.stateDict()].filter(([, parameter]) => !seen.has(parameter) && seen.add(parameter));
  }

  parameters(): Tensor[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  /**
   * What a weights file holds: the parameters by name, shared ones under each of their names. The tensors are the module's
   * own, not copies.
   */
  stateDict(prefix = ""): Map<string, Tensor> {
    const own = Object.entries(this).filter((entry): entry is [string, Tensor] => isParameter(entry[1]));
    return new Map([
      ...own.map(([name, parameter]): [string, Tensor] => [dotted(prefix, name), parameter]),
      ...this.namedChildren().flatMap(([name, child]) => [...child.stateDict(dotted(prefix, name))]),
    ]);
  }

  /**
   * Takes the elements of `state`, by name.
   *
   * @throws {WeightsError} naming each parameter that is missing, unexpected, no tensor, or of another shape or type.
   * Nothing is changed then.
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

  /** Leaves the training mode. */
  eval(): this {
    return this.train(false);
  }

  /** Forgets the gradients of all parameters. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null;
  }

  /** What stands between the parentheses when the module is printed. */
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

/** Whether a module's property is a parameter. One that requires gradients is remembered, since it may be frozen later. */
function isParameter(value: unknown): value is Tensor {
  if (!(value instanceof Tensor) || !value.isLeaf) return false;
  return trainable.has(value);
}

const dotted = (prefix: string, name: string) => prefix ? `${prefix}.${name}` : name;
