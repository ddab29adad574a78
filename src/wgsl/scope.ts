/**
 * What names mean while the tree of a variant is made.
 *
 * @module
 */
import type { Constant, FunctionDeclaration, Literal, Value, Variable } from "./ast.ts";
import type { Mark, StatementSyntax } from "./syntax.ts";
import type { Scalar, Type } from "./types.ts";

/** A private array that becomes one variable per element, as long as every index is constant. */
export interface Scalars {
  readonly kind: "scalars";
  readonly declaration: StatementSyntax;
  readonly array: Variable;
  readonly elements: readonly Variable[];
}

/** The variable of an expanded loop, which stands for the value of the turn. */
export interface Counter {
  readonly kind: "counter";
  readonly type: Scalar;
  value: number;
}

/** What a name stands for; a scalar constant is its value. */
export type Meaning =
  | Variable
  | Value
  | Constant
  | FunctionDeclaration
  | Literal
  | Scalars
  | Counter
  | { readonly kind: "type"; readonly type: Type }
  /** Its declaration was dropped by this mark. */
  | { readonly kind: "dropped"; readonly mark: Mark };

interface Entry {
  readonly meaning: Meaning;
  /** How many blocks are around the declaration. */
  readonly depth: number;
}

/** The names that can be used at the current point of a function, in its nested blocks. */
export class Scope {
  readonly #names = new Map<string, Entry>();
  /** What the declarations of each open block hide. */
  readonly #hidden: [name: string, before: Entry | undefined][][] = [];
  readonly #outer: (name: string) => Meaning | null;

  /** @param outer finds the names that are declared in no block. */
  constructor(outer: (name: string) => Meaning | null) {
    this.#outer = outer;
  }

  /** The result of `make`, which runs in a new block. */
  within<T>(make: () => T): T {
    const hidden: [string, Entry | undefined][] = [];
    this.#hidden.push(hidden);
    const made = make();
    for (let i = hidden.length - 1; i >= 0; i--) {
      const [name, before] = hidden[i]!;
      if (before) this.#names.set(name, before);
      else this.#names.delete(name);
    }
    this.#hidden.pop();
    return made;
  }

  /** Declares a name in the innermost block; false where that has it already. */
  declare(name: string, meaning: Meaning): boolean {
    const before = this.#names.get(name), depth = this.#hidden.length;
    if (before?.depth === depth) return false;
    this.#hidden.at(-1)?.push([name, before]);
    this.#names.set(name, { meaning, depth });
    return true;
  }

  /** What the name stands for; null where nothing of that name is declared. */
  find(name: string): Meaning | null {
    return this.#names.get(name)?.meaning ?? this.#outer(name);
  }
}
