import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import {
  type DocumentedRoute,
  type OpenApi,
  responseOf,
  routesOf,
} from "../../scripts/openapi/reader.ts";
import type { Answer } from "./http.ts";

/** openapi.json. */
export const OPENAPI: OpenApi = JSON.parse(
  readFileSync("openapi.json", "utf8"),
);

/** Every route of openapi.json. */
export const DOCUMENTED: readonly DocumentedRoute[] = routesOf(OPENAPI);

/** Headers that openapi.json knows; others are HTTP's own, or CORS'. */
const KNOWN_HEADERS = Object.keys(OPENAPI.components.headers);

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema(closed(OPENAPI) as object, "openapi.json");
const compiled = new Map<string, ValidateFunction>();

/** The route that serves a path below the functions, such as `jobs/<id>?x`; undefined where none does. */
export function routeOf(
  method: string,
  path: string,
): DocumentedRoute | undefined {
  const given = `/${path.split(/[?#]/)[0]!.replace(/\/$/, "")}`;
  return DOCUMENTED.find((route) =>
    route.method === method && patternOf(route.path).test(given)
  );
}

function patternOf(template: string): RegExp {
  return new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`);
}

/**
 * What an answer has that openapi.json does not say of its route. A member or a header that is not described counts
 * too: clients may get more, but we do not answer what we do not describe.
 */
export function undescribed(
  { method, path, operation }: DocumentedRoute,
  { status, headers, body, text }: Pick<
    Answer,
    "status" | "headers" | "body" | "text"
  >,
): string[] {
  const response = responseOf(OPENAPI, operation, status);
  if (!response) return [`status ${status}: ${text.slice(0, 300)}`];
  const found = KNOWN_HEADERS.filter((name) =>
    headers.has(name) && !(name in (response.headers ?? {}))
  ).map((name) => `header ${name}`);
  if (!headers.has("x-request-id")) found.push("no x-request-id");
  const [type = ""] = (headers.get("content-type") ?? "").split(";");
  if (!response.content?.[type]) return [...found, `content-type ${type}`];
  if (!type.endsWith("json")) return found;
  const shared = operation.responses[status]!;
  const place = "$ref" in shared
    ? shared.$ref.slice(1)
    : `/paths/${escaped(path)}/${method.toLowerCase()}/responses/${status}`;
  const validate = validator(`${place}/content/${escaped(type)}/schema`);
  if (validate(body)) return found;
  return [
    ...found,
    ...validate.errors!.map(({ instancePath, message, params }) =>
      `${instancePath} ${message} ${JSON.stringify(params)}`
    ),
  ];
}

function validator(place: string): ValidateFunction {
  const known = compiled.get(place);
  if (known) return known;
  const made = ajv.compile({ $ref: `openapi.json#${place}` });
  compiled.set(place, made);
  return made;
}

function escaped(part: string): string {
  return encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"));
}

/** A document whose objects have the members that it names, and no others. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (value === null || typeof value !== "object") return value;
  const copy = Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, closed(part)]),
  );
  const isOpen = copy.type === "object" && "properties" in copy &&
    copy.additionalProperties === undefined;
  return isOpen ? { ...copy, additionalProperties: false } : copy;
}
