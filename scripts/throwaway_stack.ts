import { type Stack, type StackOptions, startStack } from "../local/stack.ts";

/** Runs with a stack whose data are thrown away afterwards. @throws StackError */
export async function withStack<Result>(
  options: StackOptions,
  use: (stack: Stack) => Promise<Result>,
): Promise<Result> {
  const stack = await startStack({ fresh: true, cron: false, ...options });
  try {
    return await use(stack);
  } finally {
    await stack.stop();
  }
}
