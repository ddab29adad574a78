/**
 * The tree of one variant of a kernel, which `specialize()` makes, passes rewrite, and `print()` or a compiler turns into
 * code. It is complete: every expression has its type, every name the object that it stands for. Constants are literals
 * already, marks are dealt with, and no number is abstract. Nodes never change; passes build new ones and share the rest.
 *
 * @module
 */
import type { Position } from "./source.ts";
import type { Scalar, Struct, Type } from "./types.ts";

/** Where a variable is. */
export type Space = "function" | "private" | "workgroup" | "storage" | "uniform";

/** `var`: what can be assigned to. */
export interface Variable {
  readonly kind: "variable";
  readonly at: Position;
  readonly name: string;
  readonly type: Type;
  readonly space: Space;
  /** Whether a storage buffer is written. */
  readonly writes: boolean;
  /** The number by which a buffer is bound, in group 0; null for everything else. */
  readonly binding: number | null;
  /** Of a private variable at module scope; in functions the declaration has it. */
  readonly initial: Expression | null;
}

/** `let`, or a parameter. */
export interface Value {
  readonly kind: "value";
  readonly at: Position;
  readonly name: string;
  readonly type: Type;
  /** The built-in value that a parameter of the entry point is, such as "workgroup_id". */
  readonly builtin: string | null;
}

/** `const`, where it is no number: scalars are literals wherever they are used. */
export interface Constant {
  readonly kind: "constant";
  readonly at: Position;
  readonly name: string;
  readonly type: Type;
  readonly value: Expression;
}

/** `fn`. */
export interface FunctionDeclaration {
  readonly kind: "function";
  readonly at: Position;
  readonly name: string;
  readonly parameters: readonly Value[];
  /** Null where it returns nothing. */
  readonly returns: Type | null;
  readonly body: readonly Statement[];
  /** The entry point's extents; null for every other function. */
  readonly workgroup: readonly [number, number, number] | null;
}

/** What is at module scope. */
export type Declaration = Variable | Constant | FunctionDeclaration | Struct;

/** A variant of a kernel. */
export interface Module {
  /** The kernel's file, for messages. */
  readonly file: string;
  /** Everything before what uses it. */
  readonly declarations: readonly Declaration[];
  /** Every name that is anywhere in it: a new one must be another. */
  readonly names: ReadonlySet<string>;
}

/** A variable that is bound. */
export type Buffer = Variable & { readonly binding: number };

export function isBuffer(declaration: Declaration): declaration is Buffer {
  return declaration.kind === "variable" && declaration.binding !== null;
}

/** The buffers of `module`, in the order of their declarations. */
export function buffersOf(module: Module): Buffer[] {
  return module.declarations.filter(isBuffer);
}

/** The operators between two values. */
export type BinaryOperator =
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  | "&"
  | "|"
  | "^"
  | "<<"
  | ">>"
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "&&"
  | "||";

interface Node {
  readonly at: Position;
  readonly type: Type;
}

/** A number or a truth value. The value of an f32 is one that f32 can hold. */
export interface Literal extends Node {
  readonly kind: "literal";
  readonly type: Scalar;
  readonly value: number | boolean;
}

/** A use of a variable (its value, or the target of an assignment), a value, or a constant. */
export interface Name extends Node {
  readonly kind: "name";
  readonly target: Variable | Value | Constant;
}

/** `-x`, `!x`, `~x`; `*p`, the variable that a pointer refers to; `&v`, the pointer to one. */
export interface Unary extends Node {
  readonly kind: "unary";
  readonly operator: "-" | "!" | "~" | "*" | "&";
  readonly operand: Expression;
}

/** `a + b`. Operands of arithmetic may be a vector and a scalar. */
export interface Binary extends Node {
  readonly kind: "binary";
  readonly operator: BinaryOperator;
  readonly left: Expression;
  readonly right: Expression;
}

/** A call of a function of the module, whose type is `void` where it returns nothing. */
export interface Call extends Node {
  readonly kind: "call";
  readonly target: FunctionDeclaration;
  readonly arguments: readonly Expression[];
}

/** A call of one of WGSL's functions; the result of `bitcast<T>` has the type T. */
export interface Builtin extends Node {
  readonly kind: "builtin";
  readonly name: string;
  readonly arguments: readonly Expression[];
}

/** `vec4f(x)`, `u32(i)`, `array<f32, 2>(a, b)`: a value of `type` from its parts, converted, repeated, or of zeros. */
export interface Construct extends Node {
  readonly kind: "construct";
  readonly arguments: readonly Expression[];
}

/** `array[i]`, `vector[i]`. */
export interface Index extends Node {
  readonly kind: "index";
  readonly base: Expression;
  readonly index: Expression;
}

/** `vector.xy`, `struct.member`. */
export interface Member extends Node {
  readonly kind: "member";
  readonly base: Expression;
  readonly name: string;
}

/** What has a value. */
export type Expression = Literal | Name | Unary | Binary | Call | Builtin | Construct | Index | Member;

/** What is done. `at` is where it begins. */
export type Statement =
  & { readonly at: Position }
  & (
    | { readonly kind: "declare"; readonly symbol: Variable | Value; readonly initial: Expression | null }
    /** `target = value;`, or with an operator before the `=`. */
    | {
      readonly kind: "assign";
      readonly operator: BinaryOperator | null;
      readonly target: Expression;
      readonly value: Expression;
    }
    /** `i++;` and `i--;`. */
    | { readonly kind: "step"; readonly target: Expression; readonly operator: "++" | "--" }
    /** A call for what it does. */
    | { readonly kind: "call"; readonly call: Call | Builtin }
    /** `_ = value;` */
    | { readonly kind: "discard"; readonly value: Expression }
    | { readonly kind: "block"; readonly body: readonly Statement[] }
    /** For `else if`, the only statement in `otherwise` is an "if". */
    | {
      readonly kind: "if";
      readonly condition: Expression;
      readonly then: readonly Statement[];
      readonly otherwise: readonly Statement[] | null;
    }
    | {
      readonly kind: "for";
      readonly initial: Statement | null;
      readonly condition: Expression | null;
      readonly update: Statement | null;
      readonly body: readonly Statement[];
    }
    | { readonly kind: "while"; readonly condition: Expression; readonly body: readonly Statement[] }
    | {
      readonly kind: "loop";
      readonly body: readonly Statement[];
      readonly continuing: readonly Statement[];
      readonly breakIf: Expression | null;
    }
    | { readonly kind: "switch"; readonly selector: Expression; readonly clauses: readonly Clause[] }
    | { readonly kind: "break" | "continue" }
    | { readonly kind: "return"; readonly value: Expression | null }
  );

/** A case of a switch. */
export interface Clause {
  readonly values: readonly Literal[];
  /** It is the default, whatever values it has besides. */
  readonly isDefault: boolean;
  readonly body: readonly Statement[];
}
