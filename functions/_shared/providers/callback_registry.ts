import type { Environment } from "../settings.ts";
import type {
  CallbackProvider,
  FindCallbackProvider,
} from "./callback_provider.ts";
import { falProvider } from "./fal.ts";
import { replicateProvider } from "./replicate.ts";

const PROVIDERS: Record<
  string,
  (environment: Environment) => CallbackProvider
> = { replicate: replicateProvider, fal: falProvider };

/** Their names. `credit_settings.callback_providers` has them too: SQL lets jobs that run there be canceled. */
export const CALLBACK_PROVIDERS = Object.keys(PROVIDERS);

/**
 * The providers that a model of the price book can name and that call back.
 *
 * @param environment reads keys, secrets and addresses, such as REPLICATE_API_TOKEN
 */
export function callbackRegistry(
  environment: Environment,
): FindCallbackProvider {
  const providers = new Map(
    Object.entries(PROVIDERS).map(([name, make]) => [name, make(environment)]),
  );
  return (name) => providers.get(name);
}
