import type { z } from "zod";
import type {
  Contract,
  ContractAnswer,
} from "../../functions/_shared/contract.ts";
import { problemDocument } from "../../functions/_shared/problem.ts";
import { openAiErrorBody } from "../../functions/openai/errors.ts";
import { ANSWER_HEADERS, headersOf, REQUEST_HEADERS } from "./headers.ts";
import { problemAnswers, type SharedAnswers } from "./problems.ts";
import { type JsonSchema, Schemas } from "./schemas.ts";
import { SECURITY, SECURITY_SCHEMES } from "./security.ts";

/** A route of a function, as the function serves it. */
export interface ServedRoute {
  /** The function's name. */
  name: string;
  method: string;
  /** Below the function, such as `/:id/cancel`. */
  path: string;
  contract: Contract;
}

const DESCRIPTION =
  "A credit ledger and generation gateway for AI apps on Supabase. Amounts are whole credits, times are RFC 3339. " +
  "Each path also takes OPTIONS (CORS for any origin), and HEAD where it takes GET; another method is 405, another " +
  "path 404. Where the functions were installed with a prefix, it stands before each function's name.";

/** The routes as an OpenAPI document. */
export function describeRoutes(
  routes: readonly ServedRoute[],
  version: string,
): object {
  const schemas = new Schemas();
  schemas.answer(problemDocument);
  schemas.answer(openAiErrorBody);
  const responses: SharedAnswers = {};
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = `/${route.name}${route.path.replace(/:(\w+)/g, "{$1}")}`;
    (paths[path] ??= {})[route.method.toLowerCase()] = operation(
      route,
      path,
      { schemas, responses },
    );
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Atomic Credits",
      version,
      description: DESCRIPTION,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{
      url: "{project}/functions/v1",
      variables: { project: { default: "http://127.0.0.1:54321" } },
    }],
    tags: [...new Set(routes.map(({ name }) => name))].map((name) => ({
      name,
    })),
    paths,
    components: {
      securitySchemes: SECURITY_SCHEMES,
      headers: ANSWER_HEADERS,
      responses: sorted(responses),
      schemas: sorted(schemas.components),
    },
  };
}

function sorted(parts: Record<string, object>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(parts).sort(([a], [b]) => a < b ? -1 : 1),
  );
}

function operation(
  { name, method, contract }: ServedRoute,
  path: string,
  { schemas, responses }: { schemas: Schemas; responses: SharedAnswers },
): object {
  const { summary, description, caller, body, answers } = contract;
  const parameters = [
    ...parametersIn("path", contract.params, schemas),
    ...parametersIn("query", contract.query, schemas),
    ...(contract.headers ?? []).map((header) => REQUEST_HEADERS[header]),
  ];
  const answered = Object.entries(answers).map(([status, answer]) => [
    status,
    describeAnswer(answer, schemas),
  ]);
  return {
    operationId: operationId(method, path),
    tags: [name],
    summary,
    ...(description && { description }),
    security: SECURITY[caller],
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: true,
        content: { "application/json": { schema: schemas.request(body) } },
      },
    }),
    responses: {
      ...Object.fromEntries(answered),
      ...problemAnswers(contract, name === "openai", responses),
    },
  };
}

function parametersIn(
  place: "path" | "query",
  fields: z.ZodObject | undefined,
  schemas: Schemas,
): object[] {
  return Object.entries(fields?.shape ?? {}).map(([name, field]) => {
    const isOptional = (field as z.ZodType).safeParse(undefined).success;
    const { description, ...schema } = schemas.parameter(field as z.ZodType);
    return {
      name,
      in: place,
      ...(!isOptional && { required: true }),
      ...(description !== undefined && { description }),
      schema,
    };
  });
}

function describeAnswer(
  { means, body, alsoAs = [], headers = [] }: ContractAnswer,
  schemas: Schemas,
): object {
  const json: Record<string, { schema: JsonSchema }> = body
    ? { "application/json": { schema: schemas.answer(body) } }
    : {};
  const others = alsoAs.map((type) => [type, { schema: { type: "string" } }]);
  return {
    description: means,
    headers: headersOf(headers),
    content: { ...json, ...Object.fromEntries(others) },
  };
}

/** Such as `postJobsByIdCancel`. */
function operationId(method: string, path: string): string {
  const words = path.replace(/\{(\w+)\}/g, "by/$1").split(/\W+/);
  return method.toLowerCase() +
    words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}
