import { expect, test } from "vitest";
import {
  detectAnomalies,
  getGenerationStats,
  reconcileCreditLedger,
} from "../../client/operators.ts";
import { failureOf } from "../support/credits_client.ts";
import { createAnonymousClient, createServiceClient } from "../support/user.ts";

test("a client with the secret key may be given", async () => {
  const stats = await getGenerationStats(1, createServiceClient());
  expect(stats).toMatchObject({ hours: 1, totalJobs: expect.any(Number) });
});

test("a CreditsError says that the key is not the secret one, and that the hours are refused", async () => {
  expect(await failureOf(reconcileCreditLedger({}, createAnonymousClient())))
    .toMatchObject({ code: "42501", status: 401 });
  expect(await failureOf(getGenerationStats(0, createServiceClient())))
    .toMatchObject({ code: "22023", status: 400 });
});

test("without address and key the sentence says what to set", async () => {
  await expect(detectAnomalies()).rejects
    .toThrow("Set SUPABASE_URL and SUPABASE_SECRET_KEY");
});
