import { z } from "zod";

/** A JSON Schema, as OpenAPI 3.1 has it. */
export type JsonSchema = Record<string, unknown>;

const REFERENCE = "#/components/schemas/";

/** Schemas of a document: what has a name of its own stands once, among the components. */
export class Schemas {
  readonly components: Record<string, JsonSchema> = {};

  /** The schema of what a request may hold. */
  request(schema: z.ZodType): JsonSchema {
    return this.#write(schema, "input", optionalByDefault);
  }

  /** The schema of a parameter, as what it stands for. */
  parameter(schema: z.ZodType): JsonSchema {
    return this.#write(schema, "output", () => {});
  }

  /** The schema of what an answer holds. A client must bear fields that a later release adds. */
  answer(schema: z.ZodType): JsonSchema {
    return this.#write(schema, "output", openToMore);
  }

  #write(
    schema: z.ZodType,
    io: "input" | "output",
    change: (part: JsonSchema) => void,
  ): JsonSchema {
    const { $schema: _, $defs = {}, ...written } = z.toJSONSchema(schema, {
      io,
      unrepresentable: "any",
      reused: "inline",
      override: ({ jsonSchema }) => dropNoise(jsonSchema as JsonSchema),
    }) as JsonSchema & { $defs?: Record<string, JsonSchema> };
    for (const [name, part] of Object.entries($defs)) {
      this.#keep(name, rewrite(part, change));
    }
    const { id, ...rest } = rewrite(written, change);
    if (typeof id !== "string") return rest;
    this.#keep(id, rest);
    return { $ref: REFERENCE + id };
  }

  #keep(name: string, { id: _, ...schema }: JsonSchema): void {
    const kept = this.components[name];
    if (kept && JSON.stringify(kept) !== JSON.stringify(schema)) {
      throw new Error(`two schemas are called ${name}`);
    }
    this.components[name] = schema;
  }
}

/** Numbers that are whole in JavaScript need no bounds that say so, and a UUID no pattern. */
function dropNoise(schema: JsonSchema): void {
  if (schema.format === "uuid") delete schema.pattern;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
}

function optionalByDefault(part: JsonSchema): void {
  const { properties, required } = part as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  if (!properties || !required) return;
  part.required = required.filter((name) =>
    properties[name]?.default === undefined
  );
}

function openToMore(part: JsonSchema): void {
  if (part.additionalProperties === false) delete part.additionalProperties;
  delete part.default;
}

/** Changes each part of a schema, and lets its references lead to the components. */
function rewrite(
  schema: JsonSchema,
  change: (part: JsonSchema) => void,
): JsonSchema {
  return JSON.parse(JSON.stringify(schema), (name, value) => {
    if (name === "$ref") return String(value).replace("#/$defs/", REFERENCE);
    // What `properties` holds are schemas, and it is none itself.
    const isSchema = value && typeof value === "object" &&
      !Array.isArray(value) && name !== "properties";
    if (isSchema) change(value);
    return value;
  });
}
