import type { TestStack } from "./stack.ts";

/** A user who has signed up through the real Auth API. */
export interface TestUser {
  id: string;
  email: string;
  password: string;
  /** Their access token. */
  token: string;
}

/** Signs a new user up. */
export async function createUser(stack: TestStack): Promise<TestUser> {
  const email = `${crypto.randomUUID()}@example.com`;
  const password = `pw-${crypto.randomUUID()}`;
  const response = await fetch(`${stack.apiUrl}/auth/v1/signup`, {
    method: "POST",
    headers: { "content-type": "application/json", apikey: stack.publishableKey },
    body: JSON.stringify({ email, password }),
  });
  const body = await response.json();
  if (!response.ok || typeof body.access_token !== "string") {
    throw new Error(`Cannot sign a user up: ${response.status} ${JSON.stringify(body)}`);
  }
  return { id: body.user.id, email, password, token: body.access_token };
}
