import type { CallerKind } from "../../functions/_shared/contract.ts";

/** How a caller proves who they are. */
export const SECURITY_SCHEMES = {
  accessToken: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "The access token of a signed-in user.",
  },
  publishableKey: {
    type: "apiKey",
    in: "header",
    name: "apikey",
    description: "The project's publishable key.",
  },
  secretKey: {
    type: "apiKey",
    in: "header",
    name: "apikey",
    description: "The project's secret key, for servers alone.",
  },
  secretKeyAsBearer: {
    type: "http",
    scheme: "bearer",
    description: "The project's secret key, for what can send nothing else.",
  },
  appKey: {
    type: "http",
    scheme: "bearer",
    description: "An app key: `ack_` and 68 hex digits.",
  },
  scheduleSignature: {
    type: "apiKey",
    in: "header",
    name: "webhook-signature",
    description: "What the schedule signs with DELIVERY_SECRET.",
  },
  providerSignature: {
    type: "apiKey",
    in: "header",
    name: "webhook-signature",
    description:
      "A provider's signature over the body, by the header that the provider uses.",
  },
  stripeSignature: {
    type: "apiKey",
    in: "header",
    name: "stripe-signature",
    description: "Stripe's signature over the raw body.",
  },
} as const;

type Requirement = Partial<Record<keyof typeof SECURITY_SCHEMES, never[]>>;

const user: Requirement = { accessToken: [], publishableKey: [] };
const server: Requirement = { secretKey: [] };
const operator: Requirement[] = [server, { secretKeyAsBearer: [] }];

/** Which of the ways a caller can take. */
export const SECURITY: Record<CallerKind, readonly Requirement[]> = {
  user: [user],
  user_or_server: [user, server],
  user_or_program: [user, { appKey: [] }],
  operator,
  schedule: [...operator, { scheduleSignature: [] }],
  provider: [{ providerSignature: [] }],
  payment_provider: [{ stripeSignature: [] }],
};
