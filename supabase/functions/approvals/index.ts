import { serveApi } from "../_shared/api/serve.ts";

export default { fetch: serveApi("approvals") };
