import type { Answer } from "./call.ts";
import { openDatabase } from "./database.ts";
import type { TestStack } from "./stack.ts";
import type { TestUser } from "./user.ts";

/**
 * The answer to a call of a user who has made very many in this minute. Should the minute turn
 * between the two, it is tried once more: it cannot turn again.
 */
export async function callBeyondLimit(
  stack: TestStack,
  user: TestUser,
  send: () => Promise<Answer>,
): Promise<Answer> {
  await using db = openDatabase(stack);
  const exhaust = () =>
    db`
      insert into rate_limits (user_id, scope, window_start, used)
      values (${user.id}, 'api', date_bin('1 minute', millrace.now(), 'epoch'), 1000000)
      on conflict (user_id, scope)
        do update set window_start = excluded.window_start, used = excluded.used`;
  await exhaust();
  const answer = await send();
  if (answer.status === 429) return answer;
  await exhaust();
  return await send();
}
