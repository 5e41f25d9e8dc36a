/** How the driver writes a type of Postgres as a parameter, and reads it in a row. */
interface DataType {
  to: number;
  from: number[];
  serialize(value: unknown): string;
  parse(text: string): unknown;
}

/** Object identifiers of Postgres's types. */
const OID = {
  bytea: 17,
  json: 114,
  timestamp: 1114,
  timestamptz: 1184,
  jsonb: 3802,
};

/**
 * What the Data API must read and write otherwise than its driver does, so that
 * rows look as PostgREST shows them.
 */
export const DATA_TYPES: Record<string, DataType> = {
  json: jsonAsItComes(OID.json),
  jsonb: jsonAsItComes(OID.jsonb),
  timestamp: textType(OID.timestamp, (text) => text.replace(" ", "T")),
  timestamptz: textType(OID.timestamptz, isoTimestamp),
  bytea: textType(OID.bytea, (text) => text),
};

/**
 * The API hands an rpc's jsonb arguments to the driver as JSON text already;
 * the driver would encode them again, into a JSON string.
 */
function jsonAsItComes(oid: number): DataType {
  return {
    to: oid,
    from: [oid],
    serialize: (value) =>
      typeof value === "string" ? value : JSON.stringify(value),
    parse: (text) => JSON.parse(text),
  };
}

function textType(oid: number, parse: (text: string) => string): DataType {
  return { to: oid, from: [oid], serialize: String, parse };
}

/** `2026-01-02 03:04:05.6+00` as `2026-01-02T03:04:05.6+00:00`; `infinity` stays. */
function isoTimestamp(text: string): string {
  return text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00");
}
