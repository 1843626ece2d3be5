import { serveOrchestrator } from "../_shared/orchestrator/serve.ts";

export default { fetch: serveOrchestrator("workflow-orchestrator") };
