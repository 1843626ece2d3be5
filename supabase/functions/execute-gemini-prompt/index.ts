import { serveExecutor } from "../_shared/executor/serve.ts";
import { createHandler } from "./handler.ts";

const read = (name: string): string | undefined => Deno.env.get(name);

export default {
  fetch: serveExecutor("execute-gemini-prompt", createHandler(read)),
};
