import fc from "fast-check";
import { goodBody } from "./fuzz_bodies.ts";
import {
  extraHeaders,
  moment,
  mostly,
  oddBody,
  oddText,
  oddValue,
} from "./fuzz_values.ts";

/** One request as a client that means no good may send it. */
export interface Shot {
  /** The route that it is aimed at, as {@link ROUTES} writes it; undefined where it goes astray. */
  readonly route: string | undefined;
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

/** What the shots are aimed with. */
export interface Arsenal {
  /** Headers of a good user, of one without credits, and then of worse and worse credentials. */
  readonly credentials: readonly (() => Record<string, string>)[];
  /** Headers that let a request call the operators' routes. */
  readonly operator: () => Record<string, string>;
  /** An account of another's. */
  readonly foreignAccount: () => string;
  readonly foreignJob: () => string;
  /** A job of the user's: another open one each time, as long as there are any. */
  readonly ownJob: () => string;
  /** A job of the user's that has made a picture. */
  readonly madeJob: () => string;
  readonly ownCheckout: () => string;
  readonly foreignCheckout: () => string;
  readonly foreignKey: () => string;
  /** An app key of the user's, by its id: another each time, as long as there are any. */
  readonly ownKey: () => string;
  /** What makes a body a provider's callback about a job. */
  readonly callback: (
    route: CallbackRoute,
    body: string,
  ) => { readonly query: string; readonly headers: Record<string, string> };
  /** What makes a body an event of the provider of payments. */
  readonly event: (body: string) => Record<string, string>;
}

/** Every route, as it is meant to be called. */
export const ROUTES = [
  "POST generate",
  "POST credits/quote",
  "GET credits",
  "GET credits/entries",
  "GET credits/statement",
  "GET jobs",
  "GET jobs/:id",
  "DELETE jobs/:id",
  "POST jobs/:id/cancel",
  "DELETE jobs/:id/output",
  "DELETE jobs/:id/content",
  "POST uploads",
  "GET products",
  "POST checkout",
  "GET checkout/:id",
  "GET payments",
  "POST billing-portal",
  "POST payment-events/stripe",
  "GET metrics",
  "POST reconcile",
  "POST deliver-events",
  "POST tasks/ask-providers",
  "POST tasks/delete-objects",
  "POST tasks/move-outputs",
  "POST provider-webhook/replicate",
  "POST provider-webhook/fal",
  "POST openai/v1/chat/completions",
  "POST openai/v1/embeddings",
  "POST openai/v1/images/generations",
  "POST openai/v1/audio/speech",
  "GET openai/v1/models",
  "POST keys",
  "GET keys",
  "DELETE keys/:id",
] as const;

export type Route = typeof ROUTES[number];

/** What takes the secret key in place of a user's token. */
const OPERATORS: readonly Route[] = [
  ...["GET metrics", "POST reconcile", "POST deliver-events"] as const,
  ...ROUTES.filter((route) => route.startsWith("POST tasks/")),
];
/** What takes a provider's signature in place of any key. */
const CALLBACKS = [
  "POST provider-webhook/replicate",
  "POST provider-webhook/fal",
] as const;

/** What takes the signature of the provider of payments. */
export const EVENT: Route = "POST payment-events/stripe";

export type CallbackRoute = typeof CALLBACKS[number];
const METHODS = ["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "HEAD"];

/** Checks of all books, and deliveries, are dearer than the rest: some are enough. */
const WEIGHTS: Partial<Record<Route, number>> = {
  "POST generate": 6,
  "POST reconcile": 1,
  "POST deliver-events": 1,
  "GET metrics": 1,
};

/** Few, so that they meet again. */
const usedKeys = fc.record({
  "idempotency-key": fc.constantFrom("used", "again", "once more"),
});

/** A value that is known only when the shot is fired. */
type Late = () => string;

/** Shots from the schemas and against them. */
export function shots(arsenal: Arsenal): fc.Arbitrary<Shot> {
  return fc.record({
    target: target(arsenal),
    body: mostly(5, fc.constant("good"), fc.constant("odd")),
    credential: fc.oneof(
      { weight: 9, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.constant(1) },
      // So many that no route goes without, in the short form.
      { weight: 5, arbitrary: fc.nat(arsenal.credentials.length - 1) },
    ),
    extra: mostly(3, fc.constant({}), extraHeaders),
    key: mostly(2, fc.constant({}), usedKeys),
    asOperator: mostly(2, fc.constant(true), fc.constant(false)),
  }).chain(({ target, body, credential, extra, key, asOperator }) => {
    const { method, path, route } = target;
    const isOperators = OPERATORS.some((each) => each === target.aim);
    const text = body === "good" ? goodBody(target.aim, arsenal) : oddBody;
    return text.map((body) => {
      const called = CALLBACKS.find((each) => each === target.aim);
      const callback = called && asOperator
        ? arsenal.callback(called, body)
        : undefined;
      const isEvent = target.aim === EVENT && asOperator;
      return {
        route,
        method,
        path: withQuery(path(), callback?.query),
        headers: {
          ...(isOperators && asOperator
            ? arsenal.operator()
            : arsenal.credentials[credential]!()),
          "content-type": "application/json",
          ...callback?.headers,
          ...isEvent ? arsenal.event(body) : {},
          ...key as Record<string, string>,
          ...extra as Record<string, string>,
        },
        ...(method === "GET" || method === "HEAD" ? {} : { body }),
      };
    });
  });
}

function withQuery(path: string, query = ""): string {
  return query && `${path}${path.includes("?") ? "&" : "?"}${query}` || path;
}

interface Target {
  readonly aim: Route;
  readonly route: string | undefined;
  readonly method: string;
  readonly path: Late;
}

function target(arsenal: Arsenal): fc.Arbitrary<Target> {
  const routes = ROUTES.map((route) => ({
    weight: WEIGHTS[route] ?? 2,
    arbitrary: fc.constant(route),
  }));
  return fc.oneof(...routes).chain((aim) =>
    fc.record({
      otherMethod: mostly(
        9,
        fc.constant(undefined),
        fc.constantFrom(...METHODS),
      ),
      id: id(aim, arsenal),
      beyond: mostly(
        19,
        fc.constant(""),
        oddText.map((text) => `/${inUrl(text)}`),
      ),
      query: query(aim, arsenal),
    }).map(({ otherMethod, id, beyond, query }) => {
      const [meant, path] = aim.split(" ") as [string, string];
      const method = otherMethod as string ?? meant;
      const isMeant = method === meant && beyond === "";
      return {
        aim,
        method,
        route: isMeant ? aim : undefined,
        path: () => path.replace(":id", id) + beyond + query(),
      };
    })
  );
}

function id(aim: Route, arsenal: Arsenal): fc.Arbitrary<Late> {
  const [own, foreign] = idsOf(aim, arsenal);
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant<Late>(own) },
    { weight: 1, arbitrary: fc.constant<Late>(foreign) },
    { weight: 1, arbitrary: fc.uuid().map((uuid) => () => uuid) },
    { weight: 1, arbitrary: oddText.map((text) => () => inUrl(text)) },
  );
}

/** An id of the user's and of another's, as the route takes them. */
function idsOf(aim: Route, arsenal: Arsenal): [own: Late, foreign: Late] {
  if (aim.includes("keys/")) return [arsenal.ownKey, arsenal.foreignKey];
  if (aim.includes("checkout/")) {
    return [arsenal.ownCheckout, arsenal.foreignCheckout];
  }
  const isDelete = /(output|content)$/.test(aim);
  return [isDelete ? arsenal.madeJob : arsenal.ownJob, arsenal.foreignJob];
}

/** Positions as pages give them out, and others in the same dress. */
const cursor = fc.oneof(
  fc.record({ seq: mostly(4, fc.integer({ min: 1, max: 5_000 })) }),
  fc.record({
    created_at: moment,
    id: mostly(4, fc.uuid()),
  }),
  oddValue,
).map((position) =>
  Buffer.from(JSON.stringify(position)).toString("base64url")
);

/** Parameters that each route knows; any other is refused. */
const PARAMETERS: Partial<Record<Route, readonly string[]>> = {
  "GET credits": ["account_id"],
  "GET credits/entries": ["account_id", "limit", "cursor"],
  "GET credits/statement": ["account_id", "from", "to"],
  "GET jobs": ["account_id", "limit", "cursor", "status"],
  "GET payments": ["account_id", "limit", "cursor"],
  "GET keys": ["account_id"],
  "DELETE keys/:id": ["account_id"],
};

function query(aim: Route, arsenal: Arsenal): fc.Arbitrary<Late> {
  const values: Record<string, fc.Arbitrary<unknown>> = {
    account_id: fc.oneof(
      fc.constant(arsenal.foreignAccount),
      fc.uuid(),
      oddText,
    ),
    limit: mostly(4, fc.integer({ min: 1, max: 100 })),
    cursor: fc.oneof(cursor, oddText),
    status: fc.oneof(fc.constantFrom("succeeded", "canceled"), oddText),
    from: moment,
    to: moment,
  };
  const known = PARAMETERS[aim] ?? [];
  const isNeeded = (name: string) => name === "from" || name === "to";
  const model: Record<string, fc.Arbitrary<unknown>> = Object.fromEntries(
    known.map((name) => [
      name,
      isNeeded(name)
        ? values[name]!
        : mostly(4, fc.constant(undefined), values[name]),
    ]),
  );
  return fc.record({
    known: fc.record(model),
    surplus: mostly(
      14,
      fc.constant({}),
      fc.dictionary(fc.constantFrom("x", "id", "limit", "to"), oddText, {
        maxKeys: 2,
      }),
    ),
  }).map(({ known, surplus }) => () => {
    const pairs = Object.entries({ ...known, ...surplus as object })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [
        name,
        String(typeof value === "function" ? value() : value).toWellFormed(),
      ]);
    const text = new URLSearchParams(pairs).toString();
    return text && `?${text}`;
  });
}

/** Half of a surrogate pair cannot stand in a URL. */
function inUrl(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
