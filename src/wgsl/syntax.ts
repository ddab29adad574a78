/**
 * The tree that the parser makes of a file: what the file says, with its marks. Names are strings, and nothing has a
 * type. `specialize.ts` turns it into the tree of `ast.ts`.
 *
 * @module
 */
import type { Position } from "./source.ts";

/** `f`, or `f<T, 4u>`: of a value, a function or a type. */
export interface NameSyntax {
  readonly kind: "name";
  readonly at: Position;
  readonly name: string;
  readonly template: readonly ExpressionSyntax[];
}

/** An expression; a type is one too, such as `array<vec4f, N>`. */
export type ExpressionSyntax =
  | NameSyntax
  /** A number's suffix says what it is: i, u or f; without one it fits itself to its surroundings. */
  | {
    readonly kind: "number";
    readonly at: Position;
    readonly value: number;
    readonly type: "i32" | "u32" | "f32" | "abstract-int" | "abstract-float";
  }
  | { readonly kind: "boolean"; readonly at: Position; readonly value: boolean }
  | { readonly kind: "unary"; readonly at: Position; readonly operator: string; readonly operand: ExpressionSyntax }
  | {
    readonly kind: "binary";
    readonly at: Position;
    readonly operator: string;
    readonly left: ExpressionSyntax;
    readonly right: ExpressionSyntax;
  }
  | {
    readonly kind: "call";
    readonly at: Position;
    readonly callee: NameSyntax;
    readonly arguments: readonly ExpressionSyntax[];
  }
  | {
    readonly kind: "index";
    readonly at: Position;
    readonly base: ExpressionSyntax;
    readonly index: ExpressionSyntax;
  }
  | { readonly kind: "member"; readonly at: Position; readonly base: ExpressionSyntax; readonly name: string };

/** `// @if X`, `// @where X`, `// @unroll` or `// @unroll X`, before a statement or a declaration. */
export interface Mark {
  readonly name: "if" | "where" | "unroll";
  readonly at: Position;
  readonly argument: ExpressionSyntax | null;
}

interface StatementBase {
  readonly at: Position;
  readonly marks: readonly Mark[];
}

/** A statement. */
export type StatementSyntax =
  & StatementBase
  & (
    | DeclareSyntax
    | {
      readonly kind: "assign";
      readonly operator: string;
      readonly target: ExpressionSyntax;
      readonly value: ExpressionSyntax;
    }
    /** `_ = value;` */
    | { readonly kind: "discard"; readonly value: ExpressionSyntax }
    | { readonly kind: "step"; readonly target: ExpressionSyntax; readonly operator: "++" | "--" }
    | { readonly kind: "call"; readonly call: ExpressionSyntax }
    | { readonly kind: "block"; readonly body: readonly StatementSyntax[] }
    | {
      readonly kind: "if";
      readonly condition: ExpressionSyntax;
      readonly then: readonly StatementSyntax[];
      /** For `else if`, the only statement is an "if". */
      readonly otherwise: readonly StatementSyntax[] | null;
    }
    | {
      readonly kind: "for";
      readonly initial: StatementSyntax | null;
      readonly condition: ExpressionSyntax | null;
      readonly update: StatementSyntax | null;
      readonly body: readonly StatementSyntax[];
    }
    | { readonly kind: "while"; readonly condition: ExpressionSyntax; readonly body: readonly StatementSyntax[] }
    | {
      readonly kind: "loop";
      readonly body: readonly StatementSyntax[];
      readonly continuing: readonly StatementSyntax[];
      readonly breakIf: ExpressionSyntax | null;
    }
    | { readonly kind: "switch"; readonly selector: ExpressionSyntax; readonly clauses: readonly ClauseSyntax[] }
    | { readonly kind: "break" | "continue" }
    | { readonly kind: "return"; readonly value: ExpressionSyntax | null }
  );

/** `let`, `const` or `var` in a function. */
export interface DeclareSyntax {
  readonly kind: "let" | "const" | "var";
  readonly name: string;
  readonly type: ExpressionSyntax | null;
  readonly initial: ExpressionSyntax | null;
}

/** `case 1u, default: { … }`: null stands for the default. */
export interface ClauseSyntax {
  readonly values: readonly (ExpressionSyntax | null)[];
  readonly body: readonly StatementSyntax[];
}

/** `@binding(2)`. */
export interface AttributeSyntax {
  readonly at: Position;
  readonly name: string;
  readonly arguments: readonly ExpressionSyntax[];
}

/** A function's parameter, or a struct's member. */
export interface ParameterSyntax {
  readonly at: Position;
  readonly name: string;
  readonly type: ExpressionSyntax;
  readonly attributes: readonly AttributeSyntax[];
}

/** What is at module scope. */
export type DeclarationSyntax =
  & { readonly at: Position; readonly name: string; readonly marks: readonly Mark[] }
  & (
    | { readonly kind: "alias"; readonly type: ExpressionSyntax }
    | { readonly kind: "const"; readonly type: ExpressionSyntax | null; readonly initial: ExpressionSyntax }
    | { readonly kind: "struct"; readonly members: readonly ParameterSyntax[] }
    | {
      readonly kind: "var";
      /** What is between `<` and `>`, such as "storage" and "read". */
      readonly space: readonly string[];
      readonly type: ExpressionSyntax;
      readonly initial: ExpressionSyntax | null;
      readonly attributes: readonly AttributeSyntax[];
    }
    | {
      readonly kind: "function";
      readonly parameters: readonly ParameterSyntax[];
      readonly returns: ExpressionSyntax | null;
      readonly attributes: readonly AttributeSyntax[];
      readonly body: readonly StatementSyntax[];
    }
  );

/** A file. */
export interface FileSyntax {
  /** The beginning of the file. */
  readonly at: Position;
  readonly declarations: readonly DeclarationSyntax[];
  /** Every name that the file has anywhere: a new one must be another. */
  readonly names: ReadonlySet<string>;
}
