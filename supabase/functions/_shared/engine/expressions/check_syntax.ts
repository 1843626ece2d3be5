/** What a look at the syntax tree of an expression has found. */
export interface SyntaxCheck {
  problems: string[];
  /** The nodes whose result is called as a function. */
  callees: ReadonlySet<unknown>;
}

/** Finds what an expression may not use, and the nodes that must give a function. */
export function checkSyntax(tree: unknown): SyntaxCheck {
  const problems = new Set<string>();
  const callees = new Set<unknown>();
  const seen = new Set<unknown>();
  const open = [tree];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== "object" || node === null || seen.has(node)) continue;
    seen.add(node);
    if ("procedure" in node) callees.add(node.procedure);
    if ("type" in node && node.type === "variable" && "value" in node && node.value === "eval") {
      problems.add(
        "must not use $eval: an expression is parsed when it is registered, not when it runs",
      );
    }
    open.push(...Object.values(node));
  }
  return { problems: [...problems], callees };
}
