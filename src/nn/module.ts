/**
 * `Module`: the base of layers and networks. A module's parameters are the tensors among its properties that require
 * gradients, its children the modules among them, both in the order in which they were assigned.
 *
 * @module
 */
import { WeightsError } from "../errors.ts";
import { noGrad } from "../tensor/create.ts";
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
    const own = Object.entries(this).filter((entry): entry is [string, Tensor] =>
      entry[1] instanceof Tensor && entry[1].requiresGrad
    );
    return new Map([
      ...own.map(([name, parameter]): [string, Tensor] => [dotted(prefix, name), parameter]),
      ...this.namedChildren().flatMap(([name, child]) => [...child.stateDict(dotted(prefix, name))]),
    ]);
  }

  /**
   * Takes the elements of `state`, by name.
   *
   * @throws {WeightsError} naming each parameter that is missing, unexpected, or of another shape. Nothing is changed then.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    const own = this.stateDict(), wrong: string[] = [];
    const missing = [...own.keys()].filter((name) => !state.has(name));
    const unexpected = [...state.keys()].filter((name) => !own.has(name));
    if (missing.length > 0) wrong.push(`missing ${missing.join(", ")}`);
    if (unexpected.length > 0) wrong.push(`unexpected ${unexpected.join(", ")}`);
    for (const [name, parameter] of own) {
      const given = state.get(name);
      if (!given) continue;
      if (String(given.shape) !== String(parameter.shape)) {
        wrong.push(`${name} has shape [${given.shape.join(", ")}] instead of [${parameter.shape.join(", ")}]`);
      } else if (given.dtype !== parameter.dtype) {
        wrong.push(`${name} is ${given.dtype} instead of ${parameter.dtype}`);
      }
    }
    if (wrong.length > 0) {
      throw new WeightsError(`the weights do not fit ${this.constructor.name}: ${wrong.join("; ")}`);
    }
    noGrad(() => {
      for (const [name, parameter] of own) parameter.copy_(state.get(name)!);
    });
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

const dotted = (prefix: string, name: string) => prefix ? `${prefix}.${name}` : name;
