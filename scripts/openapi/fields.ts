import {
  type OpenApi,
  type Operation,
  routesOf,
  type Schema,
  schemaOf,
} from "./reader.ts";

interface Field {
  name: string;
  isRequired: boolean;
  schema: Schema;
  description?: string;
}

/** What a request may carry: its parameters, and the fields of its body. */
export function describeFields(
  document: OpenApi,
  { parameters = [], requestBody }: Operation,
): string {
  const given = parameters.map((parameter) => ({
    name: parameter.name,
    isRequired: parameter.required === true,
    schema: parameter.schema,
    description: `${parameter.in === "query" ? "" : `${parameter.in}: `}${
      parameter.description ?? ""
    }`,
  }));
  const schema = requestBody?.content["application/json"]?.schema;
  const bodies = schema ? bodiesOf(document, schema) : [];
  const fields = [...given, ...merge(bodies)];
  const rows = [
    ...fields.filter((field) => !isAnything(field)).map(describe(document)),
    describeRest(fields.filter(isAnything)),
  ];
  return fields.length > 0
    ? `\n| field | values | |\n|---|---|---|\n${rows.join("")}`
    : "";
}

/** The bodies that a schema lets through, each an object; not those that are another route's. */
function bodiesOf(document: OpenApi, given: Schema): Schema[] {
  const schema = schemaOf(document, given);
  const choices = schema.anyOf ?? schema.oneOf;
  if (!choices) return [schema];
  const others = routesOf(document).map(({ operation: { requestBody } }) =>
    requestBody?.content["application/json"]?.schema.$ref
  );
  return choices.filter(({ $ref }) => !$ref || !others.includes($ref))
    .flatMap((choice) => bodiesOf(document, choice));
}

/** Whether nothing is said of a field but its name. */
function isAnything({ schema, description }: Field): boolean {
  return Object.keys(schema).length === 0 && !description;
}

/** Fields that the provider judges, in one row. */
function describeRest(fields: readonly Field[]): string {
  const names = fields.map(({ name }) => `\`${name}\``).join(", ");
  return names && `| ${names} | | as the provider takes them |\n`;
}

/** The fields of several bodies, each once: required where every body asks for it. */
function merge(bodies: readonly Schema[]): Field[] {
  const names = new Set(
    bodies.flatMap(({ properties = {} }) => Object.keys(properties)),
  );
  return [...names].map((name) => {
    const schemas = bodies.flatMap(({ properties = {} }) =>
      properties[name] ?? []
    );
    const isRequired = bodies.every(({ required = [] }) =>
      required.includes(name)
    );
    const [first] = schemas as [Schema, ...Schema[]];
    const constants = schemas.flatMap((each) => each.const ?? []);
    const defaults = [
      ...new Set(schemas.flatMap((each) => each.default ?? [])),
    ];
    const { const: _, default: __, ...rest } = first;
    return {
      name,
      isRequired,
      schema: {
        ...rest,
        ...(constants.length > 0 && { enum: constants }),
        ...(defaults.length === 1 && { default: defaults[0] }),
        ...(defaults.length > 1 && { default: defaults.join("`, `") }),
      },
    };
  });
}

function describe(document: OpenApi) {
  return ({ name, isRequired, schema, description }: Field): string => {
    const told = description ?? schema.description ?? "";
    const values = valuesOf(document, schema);
    const usual = schema.default === undefined
      ? ""
      : `, \`${schema.default}\` if left out`;
    const cell = `${values}${usual}`.replaceAll("|", "\\|");
    return `| \`${name}\`${isRequired ? " (required)" : ""} | ${cell} | ${
      told.replaceAll("|", "\\|")
    } |\n`;
  };
}

function valuesOf(document: OpenApi, given: Schema): string {
  const schema = schemaOf(document, given);
  if (schema.anyOf) {
    return schema.anyOf.filter(({ type }) => type !== "null")
      .map((each) => valuesOf(document, each)).join(" or ");
  }
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (schema.format) {
    return { "date-time": "RFC 3339" }[schema.format] ?? "UUID";
  }
  const [type] = [schema.type].flat().filter((name) => name !== "null");
  switch (type) {
    case "integer":
      return `whole number${range(schema.minimum, schema.maximum)}`;
    case "string": {
      const length = schema.maxLength === undefined
        ? ""
        : range(schema.minLength, schema.maxLength);
      return length ? `text,${length} characters` : "text";
    }
    case "array": {
      const length = schema.maxItems === undefined
        ? ""
        : range(schema.minItems, schema.maxItems);
      const items = valuesOf(document, schema.items ?? {});
      return `list of ${items}${length && `,${length}`}`;
    }
    default:
      return type ?? "";
  }
}

function range(least: number | undefined, most: number | undefined): string {
  if (least === undefined && most === undefined) return "";
  if (most === undefined) return ` from ${least}`;
  return least === undefined ? ` up to ${most}` : ` ${least} to ${most}`;
}
