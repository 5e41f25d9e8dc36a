import type { Environment } from "../settings.ts";
import type {
  CallbackProvider,
  FindCallbackProvider,
} from "./callback_provider.ts";
import { replicateProvider } from "./replicate.ts";

/**
 * The providers that a model of the price book can name and that call back.
 *
 * @param environment reads keys, secrets and addresses, such as REPLICATE_API_TOKEN
 */
export function callbackRegistry(
  environment: Environment,
): FindCallbackProvider {
  const providers = new Map<string, CallbackProvider>([
    ["replicate", replicateProvider(environment)],
  ]);
  return (name) => providers.get(name);
}
