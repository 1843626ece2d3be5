import { serveExecutor } from "../../../../supabase/functions/_shared/executor/serve.ts";
import { act } from "./act.ts";

export default { fetch: serveExecutor("execute-test", act) };
