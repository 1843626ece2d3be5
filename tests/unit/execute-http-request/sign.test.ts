import assert from "node:assert/strict";
import { signWebhook } from "../../../supabase/functions/execute-http-request/sign.ts";

Deno.test("signWebhook() signs as the standardwebhooks library does", async () => {
  const message = {
    id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    timestampSeconds: 1614265330,
    body: `{"test": 2432232314}`,
  };
  for (
    const secret of ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLhSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLhSw"]
  ) {
    assert.deepEqual(await signWebhook(secret, message), {
      "webhook-id": message.id,
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,4EFDPeglMaItAx2h5/SfSqwNN9XNJmAgkdZcQGRtX5Y=",
    });
  }
});
