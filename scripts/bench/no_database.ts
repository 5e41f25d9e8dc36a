// Run by Deno: the edge function generate as it is, but for database and Storage, which say yes at once. What
// the bench measures the real one against. Usage: deno run scripts/bench/no_database.ts <port>
import { authenticate } from "../../functions/_shared/auth.ts";
import type { CreditsDatabase } from "../../functions/_shared/credits_database.ts";
import type { OutputStore } from "../../functions/_shared/outputs.ts";
import { providerRegistry } from "../../functions/_shared/providers/registry.ts";
import { serveRoutes } from "../../functions/_shared/route.ts";
import type { JobResult } from "../../functions/_shared/results.ts";
import { generateRoutes } from "../../functions/generate/handler.ts";
import { serve } from "../stack/serve.ts";

const COST = 500;

function ended(job_id: string, status: JobResult["status"]): JobResult {
  const code = status === "succeeded" ? "settled" : status;
  return { job_id, code, status, cost: COST, refunded: 0, balance: COST };
}

const database: CreditsDatabase = {
  charge: ({ model, input }) => {
    const id = crypto.randomUUID();
    return Promise.resolve({
      status: 201,
      code: "charged",
      message: null,
      job_id: id,
      cost: COST,
      balance: COST,
      required: null,
      debt: null,
      errors: null,
      rate_limit: 10,
      rate_window_seconds: 60,
      rate_remaining: 9,
      rate_reset_seconds: 6,
      retry_after_seconds: null,
      job: {
        id,
        model,
        provider: "placeholder",
        input,
        provider_model: "placeholder",
        timeout_seconds: 120,
        max_output_bytes: 52_428_800,
        created_at: new Date().toISOString(),
      },
    });
  },
  settle: (jobId) => Promise.resolve(ended(jobId, "succeeded")),
  fail: (jobId) => Promise.resolve(ended(jobId, "failed")),
  keepLate: () => Promise.resolve(false),
  cancel: (jobId) => Promise.resolve(ended(jobId, "canceled")),
  erase: () => Promise.resolve(),
};

const URL_SECONDS = 3_600;

const store: OutputStore = {
  keep: ({ bytes = 0 }, { accountId, jobId, index }) =>
    Promise.resolve({
      path: `${accountId}/${jobId}/${index}.png`,
      media_type: "image/png",
      bytes,
    }),
  sign: (paths) =>
    Promise.resolve({
      urls: new Map(paths.map((path) => [path, `http://127.0.0.1/${path}`])),
      expiresAt: new Date(Date.now() + URL_SECONDS * 1000).toISOString(),
    }),
  read: () => Promise.resolve(null),
  remove: () => Promise.resolve(),
  signUpload: () => Promise.resolve({ url: "", token: "" }),
};

const findProvider = providerRegistry((name) => Deno.env.get(name));
const routes = generateRoutes({
  authenticate,
  database,
  findProvider,
  store,
});
serve(serveRoutes("generate", routes));
