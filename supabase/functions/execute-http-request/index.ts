import { serveExecutor } from "../_shared/executor/serve.ts";
import { callHttp } from "./handler.ts";

export default { fetch: serveExecutor("execute-http-request", callHttp) };
