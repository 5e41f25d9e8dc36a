import { expanded, missing, page, type StripeAnswer } from "./answers.ts";
import { openSession } from "./checkout.ts";
import { type Form, listOf, textOf, textsOf } from "./form.ts";
import { type Customer, type Endpoint, now, PERSONAL } from "./objects.ts";
import { keep, newId, type World } from "./world.ts";

/** A request that has been read. */
export interface StripeRequest {
  readonly method: string;
  readonly path: string;
  readonly form: Form;
  readonly livemode: boolean;
  readonly origin: string;
}

type Objects = ReadonlyMap<string, { id: string; livemode: boolean }>;

/** Answers a request as Stripe does; undefined for what this server does not speak. */
export function answer(
  world: World,
  request: StripeRequest,
): StripeAnswer | undefined {
  const [, resource = "", id, rest] =
    /^\/v1\/((?:checkout\/|billing_portal\/)?\w+)(?:\/(\w+))?(?:\/(\w+))?$/
      .exec(request.path) ?? [];
  if (request.method === "POST") return post(world, request, resource, id);
  if (id) return retrieve(world, request, resource, id, rest);
  return list(world, request, resource);
}

function stores(world: World): Record<string, Objects> {
  return {
    customers: world.customers,
    "checkout/sessions": world.sessions,
    payment_intents: world.intents,
    charges: world.charges,
    refunds: world.refunds,
    disputes: world.disputes,
    invoices: world.invoices,
    subscriptions: world.subscriptions,
    prices: world.prices,
    webhook_endpoints: world.endpoints,
  };
}

function retrieve(
  world: World,
  { form, livemode }: StripeRequest,
  resource: string,
  id: string,
  rest: string | undefined,
): StripeAnswer | undefined {
  const store = stores(world)[resource];
  if (!store) return undefined;
  const object = store.get(id);
  if (!object || object.livemode !== livemode) return missing(id);
  if (rest === "lines") {
    const { data } = world.invoices.get(id)!.lines;
    return { status: 200, body: { object: "list", data, has_more: false } };
  }
  return { status: 200, body: expanded(world, object, form) };
}

function list(
  world: World,
  { form, livemode }: StripeRequest,
  resource: string,
): StripeAnswer | undefined {
  const own = <T extends { livemode: boolean }>(objects: Iterable<T>) =>
    [...objects].filter((one) => one.livemode === livemode);
  const isOf = (name: string) => (one: object) =>
    form[name] === undefined ||
    (one as Record<string, unknown>)[name] === form[name];
  switch (resource) {
    case "checkout/sessions":
      return page(
        world,
        own(world.sessions.values()).filter(isOf("payment_intent")),
        form,
      );
    case "refunds":
      return page(
        world,
        own(world.refunds.values()).filter(isOf("charge")),
        form,
      );
    case "disputes":
      return page(
        world,
        own(world.disputes.values()).filter(isOf("charge")),
        form,
      );
    case "invoices":
      return page(world, own(world.invoices.values()), form);
    case "subscriptions":
      return page(world, own(world.subscriptions.values()), form);
    case "invoice_payments": {
      const { payment_intent } = textsOf(form.payment);
      const found = own(world.invoicePayments.values()).filter(({ payment }) =>
        payment.payment_intent === payment_intent
      );
      return page(world, found, form);
    }
    case "webhook_endpoints":
      return page(
        world,
        // The secret is told once, when the endpoint is made.
        own(world.endpoints.values()).map(({ secret: _, ...one }) => one),
        form,
      );
    case "events":
      return page(world, events(world, form, livemode), form);
    default:
      return undefined;
  }
}

function events(world: World, form: Form, livemode: boolean) {
  const types = listOf(form.types);
  return world.happenings
    .filter(({ delivered }) =>
      form.delivery_success === undefined ||
      delivered === (form.delivery_success === "true")
    )
    .map(({ event }) => event)
    .filter((event) => event.livemode === livemode)
    .filter(({ type }) => types.length === 0 || types.includes(type));
}

function post(
  world: World,
  request: StripeRequest,
  resource: string,
  id: string | undefined,
): StripeAnswer | undefined {
  const { form, livemode, origin } = request;
  switch (resource) {
    case "customers": {
      const customer = keep<Customer>(world.customers, {
        id: newId("cus"),
        livemode,
        metadata: textsOf(form.metadata),
        email: PERSONAL.email,
      });
      return { status: 200, body: customer };
    }
    case "checkout/sessions":
      return makeSession(world, request);
    case "billing_portal/sessions": {
      const customer = textOf(form.customer) ?? "";
      if (!world.customers.has(customer)) return missing(customer);
      const url = `${origin}/portal/${customer}`;
      return { status: 200, body: { id: newId("bps"), url } };
    }
    case "webhook_endpoints":
      return { status: 200, body: saveEndpoint(world, request, id) };
    default:
      return undefined;
  }
}

function makeSession(world: World, request: StripeRequest): StripeAnswer {
  const { form, livemode, origin } = request;
  const lines = listOf(form.line_items).map((line) => {
    const { price = "", quantity = "1" } = textsOf(line);
    return { price, quantity: Number(quantity) };
  });
  const unknown = lines.find(({ price }) =>
    world.prices.get(price)?.livemode !== livemode
  );
  if (unknown) return missing(unknown.price);
  const subscription = form.subscription_data as Form | undefined;
  const session = openSession(world, origin, {
    mode: textOf(form.mode) as "payment" | "subscription",
    lines,
    livemode,
    customer: textOf(form.customer),
    metadata: textsOf(form.metadata),
    subscriptionMetadata: textsOf(subscription?.metadata),
    clientReference: textOf(form.client_reference_id),
    successUrl: textOf(form.success_url),
    cancelUrl: textOf(form.cancel_url),
  });
  return { status: 200, body: { ...session, ui_mode: form.ui_mode } };
}

function saveEndpoint(
  world: World,
  { form, livemode }: StripeRequest,
  id: string | undefined,
): Endpoint {
  const old = id === undefined ? undefined : world.endpoints.get(id);
  const types = listOf(form.enabled_events).map(String);
  return keep<Endpoint>(world.endpoints, {
    id: old?.id ?? newId("we"),
    object: "webhook_endpoint",
    livemode,
    created: old?.created ?? now(),
    url: textOf(form.url) ?? old?.url ?? "",
    enabled_events: types.length > 0
      ? types as Endpoint["enabled_events"]
      : old?.enabled_events ?? [],
    api_version: textOf(form.api_version) ?? old?.api_version ?? null,
    status: form.disabled === "false" ? "enabled" : old?.status ?? "enabled",
    secret: old?.secret ?? `whsec_${newId("made")}`,
  });
}
