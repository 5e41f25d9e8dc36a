/** A JSON Schema as openapi.json has it, as far as it is read here. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly description?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

/** A parameter of a route. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>;

/** An answer of a route. */
export interface ResponseObject {
  readonly description: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Content;
}

/** A route. */
export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<
    Record<string, ResponseObject | { readonly $ref: string }>
  >;
}

/** openapi.json. */
export interface OpenApi {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, Operation>>>
  >;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly responses: Readonly<Record<string, ResponseObject>>;
    readonly headers: Readonly<Record<string, unknown>>;
  };
}

/** A route of the document. */
export interface DocumentedRoute {
  /** In capitals. */
  readonly method: string;
  /** Such as `/jobs/{id}`. */
  readonly path: string;
  readonly operation: Operation;
}

/** All routes, in the order of the document. */
export function routesOf({ paths }: OpenApi): DocumentedRoute[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    }))
  );
}

/** An answer of a route, by status; undefined where the document has none. */
export function responseOf(
  { components }: OpenApi,
  { responses }: Operation,
  status: number | string,
): ResponseObject | undefined {
  const response = responses[status];
  return response && "$ref" in response
    ? components.responses[response.$ref.split("/").at(-1)!]
    : response;
}

/** A schema without its reference. */
export function schemaOf({ components }: OpenApi, schema: Schema): Schema {
  return schema.$ref
    ? components.schemas[schema.$ref.split("/").at(-1)!]!
    : schema;
}
