import type { Form } from "./form.ts";
import { listOf, textOf } from "./form.ts";
import type { World } from "./world.ts";

/** What Stripe answers: a status and a body. */
export interface StripeAnswer {
  readonly status: number;
  readonly body: object;
}

/** A refusal in Stripe's form. */
export function refusal(
  status: number,
  type: string,
  message: string,
  code?: string,
): StripeAnswer {
  return { status, body: { error: { type, message, code } } };
}

/** There is no such object in this mode. */
export const missing = (id: string): StripeAnswer =>
  refusal(
    404,
    "invalid_request_error",
    `No such object: ${id}`,
    "resource_missing",
  );

type Json = Record<string, unknown>;

/** What an object shows only where it is asked for. */
function includables(
  world: World,
  object: Json,
): Record<string, () => unknown> {
  const of = (list: object[]) => ({
    object: "list",
    data: list,
    has_more: false,
  });
  const id = String(object.id);
  switch (object.object) {
    case "checkout.session":
      return { line_items: () => of(world.lineItems.get(id) ?? []) };
    case "charge":
      return {
        refunds: () =>
          of([...world.refunds.values()].filter(({ charge }) => charge === id)),
      };
    case "invoice":
      return {
        payments: () =>
          of(
            [...world.invoicePayments.values()]
              .filter(({ invoice }) => invoice === id),
          ),
      };
    default:
      return {};
  }
}

/** A copy of an object with what `expand[]` asks for in the place of its ids. */
export function expanded(world: World, object: object, form: Form): object {
  const copy = structuredClone(object) as Json;
  for (const path of listOf(form.expand)) {
    expand(world, copy, String(path).split("."));
  }
  return copy;
}

function expand(world: World, object: Json, [name, ...rest]: string[]): void {
  if (!name) return;
  const value = object[name] ?? includables(world, object)[name]?.();
  const found = typeof value === "string" ? world.find(value) : value;
  if (!found || typeof found !== "object") return;
  // What is expanded already, by another path, keeps what that has added.
  object[name] = found === object[name] ? found : structuredClone(found);
  const inner = object[name] as Json;
  if (Array.isArray(inner)) inner.forEach((one) => expand(world, one, rest));
  else expand(world, inner, rest);
}

/** A page of a list, newest first. */
export function page(
  world: World,
  objects: Iterable<{ id: string; created: number }>,
  form: Form,
): StripeAnswer {
  const { limit = "10", starting_after, created } = form;
  const since = Number((created as Form | undefined)?.gte ?? 0);
  const all = [...objects].reverse().filter((one) => one.created >= since);
  const from = textOf(starting_after)
    ? all.findIndex(({ id }) => id === starting_after) + 1
    : 0;
  const data = all.slice(from, from + Number(limit));
  return {
    status: 200,
    body: {
      object: "list",
      url: "/v1/list",
      has_more: from + data.length < all.length,
      data: data.map((one) => expanded(world, one, strip(form))),
    },
  };
}

/** Lists expand by `data.…`. */
function strip(form: Form): Form {
  const paths = listOf(form.expand).map((path) =>
    String(path).replace(/^data\./, "")
  );
  return { expand: { ...paths } as unknown as Form };
}
