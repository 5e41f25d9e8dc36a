// An operation on the database: the one call that an app would make, and its answer.

import { jobCalls } from "./ledger_calls_jobs.ts";
import { requestCalls } from "./ledger_calls_requests.ts";
import { walletCalls } from "./ledger_calls_wallets.ts";
import type { Operation } from "./ledger_operations.ts";
import type { Calls, Scene } from "./ledger_scene.ts";

const calls: Calls<Operation["type"]> = {
  ...requestCalls,
  ...jobCalls,
  ...walletCalls,
};

/** Makes the call; a refusal answers its code. */
export async function call(
  scene: Scene,
  operation: Operation,
): Promise<unknown> {
  const make = calls[operation.type] as (
    scene: Scene,
    operation: Operation,
  ) => Promise<unknown>;
  try {
    return await make(scene, operation);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return { error: /^PT4/.test(code ?? "") ? code : `${code} ${message}` };
  }
}
