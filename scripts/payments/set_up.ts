import Stripe from "stripe";
import { STRIPE_EVENTS } from "../../functions/_shared/payments/stripe_objects.ts";
import type { Payments } from "./access.ts";

type Endpoint = Stripe.WebhookEndpoint;

/** The endpoint of this project; the newest, where there are several. */
export async function findEndpoint(
  { stripe, eventsUrl }: Payments,
): Promise<Endpoint | undefined> {
  for await (const endpoint of stripe.webhookEndpoints.list({ limit: 100 })) {
    if (endpoint.url === eventsUrl) return endpoint;
  }
  return undefined;
}

/** Whether an endpoint's events are written in the version that the functions read. */
export function hasVersion({ api_version }: Endpoint): boolean {
  return api_version === Stripe.API_VERSION;
}

/** Makes the endpoint, or puts the one that is there right. */
export async function setUp(
  payments: Payments,
  console: Console,
): Promise<number> {
  const { stripe, eventsUrl } = payments;
  const found = await findEndpoint(payments);
  if (found && hasVersion(found)) {
    await stripe.webhookEndpoints.update(found.id, {
      enabled_events: [...STRIPE_EVENTS],
      disabled: false,
    });
    console.log(
      `${found.id} is there: its events are right now. Its secret stays as it is.`,
    );
    return 0;
  }
  const { id, secret } = await stripe.webhookEndpoints.create({
    url: eventsUrl,
    enabled_events: [...STRIPE_EVENTS],
    api_version: Stripe.API_VERSION as Stripe.WebhookEndpointCreateParams[
      "api_version"
    ],
    description: "Atomic Credits",
  });
  console.log(`${id} is made: ${eventsUrl}\n\n${nextSteps(secret!, found)}`);
  return 0;
}

function nextSteps(secret: string, old: Endpoint | undefined): string {
  const steps = [
    "Stripe shows this secret once. Give it to the functions:",
    "",
    `  npx supabase secrets set PAYMENTS_STRIPE_WEBHOOK_SECRETS=${secret}`,
  ];
  if (!old) return steps.join("\n");
  return [
    ...steps,
    "",
    `Until the next step give both, with a space between them: the old one is that of ${old.id}.`,
    `${old.id} has another API version (${old.api_version}): remove it in Stripe's dashboard when`,
    "npm run payments -- verify finds nothing wrong.",
  ].join("\n");
}
