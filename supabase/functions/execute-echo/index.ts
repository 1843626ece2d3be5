import { serveExecutor } from "../_shared/executor/serve.ts";
import { echo } from "./handler.ts";

export default { fetch: serveExecutor("execute-echo", echo) };
