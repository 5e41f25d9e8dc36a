import { parseFields } from "../_shared/body.ts";
import { readSignedCallback } from "../_shared/callbacks.ts";
import { keepAlive } from "../_shared/keep_alive.ts";
import type { FindCallbackProvider } from "../_shared/providers/callback_provider.ts";
import { json, type Route } from "../_shared/route.ts";
import {
  type CallbackDependencies,
  receiveCallback,
} from "./receive_callback.ts";
import { type TakenCallback, webhookContract } from "./contract.ts";

/** What `provider-webhook` works with. */
export interface WebhookDependencies extends CallbackDependencies {
  findProvider: FindCallbackProvider;
}

/** `POST provider-webhook/<provider>`: takes what a provider says of a job. */
export function webhookRoutes(dependencies: WebhookDependencies): Route[] {
  const { findProvider } = dependencies;
  const handler: Route["handler"] = async ({ request, params }) => {
    const name = params.provider ?? "";
    const provider = findProvider(name);
    const { jobId, body } = await readSignedCallback(
      request,
      name,
      provider,
    );
    // What is signed is signed by the provider, so there is one.
    const callback = parseFields(provider!.callback, body);
    const code = await keepAlive(() =>
      receiveCallback(
        { jobId, name, provider: provider!, callback },
        dependencies,
      )
    );
    return json<TakenCallback>({ job_id: jobId, code });
  };
  return [{
    method: "POST",
    path: "/:provider",
    contract: webhookContract,
    handler,
  }];
}
