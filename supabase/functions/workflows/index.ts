import { findProblems } from "../_shared/api/definition_check.ts";
import { serveApi } from "../_shared/api/serve.ts";

export default { fetch: serveApi("workflows", { findProblems }) };
