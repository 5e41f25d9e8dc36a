import { join } from "node:path";
import { describeFields } from "./fields.ts";
import {
  type DocumentedRoute,
  type OpenApi,
  responseOf,
  routesOf,
  type Schema,
  schemaOf,
} from "./reader.ts";

/** The page whose tables are made from openapi.json, relative to the project. */
export const PAGE_FILE = join("docs", "http.md");

/** Who calls, by the ways that they prove it. */
const CALLERS: Record<string, string> = {
  "accessToken,publishableKey": "a user",
  "accessToken,publishableKey secretKey": "a user, your server",
  "accessToken,publishableKey appKey": "a user, a program",
  "secretKey secretKeyAsBearer": "an operator",
  "secretKey secretKeyAsBearer scheduleSignature": "the schedule, an operator",
  "providerSignature": "a provider",
  "stripeSignature": "Stripe",
};

/** Where the page says more. */
const MORE: Record<string, string> = {
  "POST /generate": "#generate",
  "POST /jobs/{id}/cancel": "#cancel",
  "DELETE /jobs/{id}": "#cancel",
  "GET /jobs/{id}": "#outputs",
  "DELETE /jobs/{id}/output": "#outputs",
  "DELETE /jobs/{id}/content": "#delete-content",
  "POST /uploads": "#uploads",
  "GET /credits": "#balance",
  "GET /credits/statement": "#statement",
  "POST /credits/quote": "#quote",
  "POST /keys": "#app-keys",
  "GET /products": "#payments",
  "POST /checkout": "#payments",
  "POST /openai/v1/chat/completions": "text.md",
  "POST /tasks/ask-providers": "providers.md#lost-callbacks",
};

/** The page with its tables, each between the two marks that name it. */
export function fillPage(page: string, document: OpenApi): string {
  const parts = {
    routes: routesTable(document),
    reference: reference(document),
  };
  return Object.entries(parts).reduce((filled, [name, text]) => {
    const [begin, end] = [
      `<!-- ${name}: from openapi.json -->`,
      "<!-- end -->",
    ];
    const from = filled.indexOf(begin);
    const to = filled.indexOf(end, from);
    if (from < 0 || to < 0) throw new Error(`${PAGE_FILE} lacks ${begin}`);
    return `${filled.slice(0, from)}${begin}\n${text}${filled.slice(to)}`;
  }, page);
}

function routesTable(document: OpenApi): string {
  const rows = routesOf(document).map((route) => {
    const name = nameOf(route);
    const more = MORE[name];
    const told = more ? `: [more](${more})` : "";
    return `| [\`${name}\`](#${
      anchorOf(name)
    }) | ${route.operation.summary}${told} | ${callerOf(route)} |\n`;
  });
  return `\n| route | does | called by |\n|---|---|---|\n${rows.join("")}\n`;
}

function reference(document: OpenApi): string {
  return routesOf(document).map((route) => {
    const { operation } = route;
    const { summary, description = "" } = operation;
    return `\n### ${nameOf(route)}\n\n${
      `${summary}. ${description}`.trim()
    }\n` +
      describeFields(document, operation) +
      describeAnswers(document, route);
  }).join("") + "\n";
}

function describeAnswers(document: OpenApi, route: DocumentedRoute): string {
  const statuses = Object.keys(route.operation.responses);
  const answers = statuses.filter((status) => Number(status) < 400)
    .map((status) =>
      `- ${status}: ${describeAnswer(document, route, status)}\n`
    );
  const refused = statuses.filter((status) => Number(status) >= 400)
    .map((status) => {
      const codes = codesOf(document, route, status);
      return `${status} ${codes.map((code) => `\`${code}\``).join(", ")}`;
    });
  return `\n${answers.join("")}- Errors: ${refused.join("; ")}\n`;
}

function describeAnswer(
  document: OpenApi,
  { operation }: DocumentedRoute,
  status: string,
): string {
  const { description, content = {} } = responseOf(
    document,
    operation,
    status,
  )!;
  const forms = Object.entries(content).map(([type, { schema }]) =>
    type === "application/json" ? formOf(document, schema) : `\`${type}\``
  );
  return `${description} ${forms.join(", or ")}`.trim();
}

/** Such as `{data: [{name, kind}], next_cursor}`. */
function formOf(document: OpenApi, schema: Schema): string {
  const forms = (schema.anyOf ?? [schema]).map((each) =>
    `\`${shapeOf(document, each, 2)}\``
  );
  return forms.join(" or ");
}

function shapeOf(document: OpenApi, given: Schema, depth: number): string {
  const schema = schemaOf(document, given);
  if (schema.items) {
    const item = shapeOf(document, schema.items, depth);
    return item ? `[${item}]` : "";
  }
  if (!schema.properties) return "";
  if (depth === 0) return "{…}";
  const members = Object.entries(schema.properties).map(([name, member]) => {
    const isOptional = !schema.required?.includes(name);
    const inner = shapeOf(document, member, depth - 1);
    return `${name}${isOptional ? "?" : ""}${inner && `: ${inner}`}`;
  });
  return `{${members.join(", ")}}`;
}

function codesOf(
  document: OpenApi,
  { operation }: DocumentedRoute,
  status: string,
): string[] {
  const { content = {} } = responseOf(document, operation, status)!;
  return Object.values(content).flatMap(({ schema: { properties = {} } }) => {
    const { code = properties.error?.properties?.code } = properties;
    return code!.enum as string[];
  });
}

function nameOf({ method, path }: DocumentedRoute): string {
  return `${method} ${path}`;
}

/** A heading's address, as GitHub makes it. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");
}

function callerOf({ operation: { security } }: DocumentedRoute): string {
  const ways = security.map((way) => Object.keys(way).join(",")).join(" ");
  return CALLERS[ways] ?? ways;
}
