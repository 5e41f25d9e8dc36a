import type { Environment } from "../settings.ts";
import { openaiProvider } from "./openai.ts";
import { placeholderProvider } from "./placeholder.ts";
import type { FindProvider, Provider } from "./provider.ts";

/**
 * The providers that a model of the price book can name.
 *
 * @param environment reads keys and addresses, such as OPENAI_API_KEY
 */
export function providerRegistry(
  environment: Environment,
): FindProvider {
  const providers = new Map<string, Provider>([
    ["placeholder", placeholderProvider],
    ["openai", openaiProvider(environment)],
  ]);
  return (name) => providers.get(name);
}
