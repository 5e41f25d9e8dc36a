import { expect, test } from "vitest";
import { DatabaseError } from "../functions/_shared/database.ts";
import { reconcileRoutes } from "../functions/reconcile/handler.ts";

/** What `reconcile` answers where the check itself ends in this error. */
async function answerTo(cause: Error): Promise<Response> {
  const [route] = reconcileRoutes({
    authenticateService: () => Promise.resolve(),
    reconcile: () => Promise.reject(cause),
  });
  const url = new URL("http://localhost/functions/v1/reconcile");
  const headers = { "content-type": "application/json" };
  const request = new Request(url, { method: "POST", headers, body: "{}" });
  return await route!.handler({ request, url, params: {}, requestId: "r" })
    .catch((problem) => problem.toResponse("r"));
}

test.each([
  ["cut off by the database", new DatabaseError("timeout", 500, "57014")],
  ["cut off by this side", new DatabaseError("TimeoutError", 0, "")],
])("a check that was %s is told with what to do", async (_, cause) => {
  const answer = await answerTo(cause);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({
    code: "service_unavailable",
    detail: expect.stringContaining("takes more than a minute"),
  });
});
